"""Dictionaries of arrays that other tools pickled into .npz files, read without unpickling code.

VideoPose3D's files hold one Python dictionary each, which ``np.savez`` pickles. A pickle is a
program that may call anything. The reader here lets it call five things, none of which is numpy's
or the interpreter's own: each is an inert stand-in of this module that only keeps what it is given.
Whatever else a pickle names is refused, before anything of it is imported. Its instructions are
looked through first: some ask for any amount of memory. The arrays are then
made from the kept bytes, of plain numbers alone, after their sizes are checked.
"""

import math
import pickle
import pickletools
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.mocap.text import listed
from erd_ros.npz_arrays import BROKEN, member_content, read_header

_FORBIDDEN = {
    "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX",
    "EMPTY_SET", "ADDITEMS", "FROZENSET",
}  # fmt: skip
_BROKEN = (pickle.UnpicklingError, *BROKEN)
# A tuple in a tuple in a tuple, used as a key, is hashed by recursion in C, which ends Python.
_MOST_TUPLES = 20_000


def read_npz_object(path: Path, name: str) -> Any:
    """The object array ``name`` of an .npz file: dictionaries, lists, strings, numbers, arrays.

    Numbers and strings may stand as numpy scalars. Raises InputError for a file that is not
    there or broken, lacks ``name``, or names anything but numpy arrays and built-in containers.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member.removesuffix(".npy") for member in archive.namelist()]
            if name not in members:
                raise InputError(f"{path} has no '{name}'; it has {listed(members)}")
            content = member_content(archive, archive.getinfo(f"{name}.npy"))
        return _read_object_array(content)
    except _BROKEN as error:
        raise InputError(f"'{name}' of {path} cannot be read: {error}") from error


def _read_object_array(content: bytes) -> Any:
    stream = BytesIO(content)
    shape, _, dtype = read_header(stream)
    if dtype != np.dtype(object):
        raise ValueError(f"an array of {dtype}, expected one of objects")
    if shape != ():
        raise ValueError(f"objects of shape {shape}, expected a single one")
    _check_instructions(content[stream.tell() :])
    return _Finisher().finished(_Unpickler(stream).load())


def _check_instructions(pickled: bytes) -> None:
    """Refuses instructions that no dictionary of arrays needs, and memory beyond the file's size.

    Those are what registers, persists or imports in other ways than by a global's name, and
    buffers (protocol 5).
    """
    tuples = 0
    for opcode, argument, _ in pickletools.genops(pickled):
        tuples += opcode.name.startswith("TUPLE")
        if tuples > _MOST_TUPLES:
            raise pickle.UnpicklingError(f"it has more than {_MOST_TUPLES} tuples")
        if opcode.name in _FORBIDDEN or opcode.proto > 4:
            raise pickle.UnpicklingError(f"it has the instruction {opcode.name}")
        if "PUT" in opcode.name and (argument or 0) > len(pickled):
            raise pickle.UnpicklingError(f"it keeps object {argument} in a file that short")


class _Unpickler(pickle.Unpickler):
    """Finds the stand-ins below and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it wants {module}.{name}; only arrays of numbers, dictionaries, lists, strings "
                "and numbers are read, and nothing is executed"
            ) from None


class _Function:
    """A callable without state, which a pickle therefore cannot change."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it sets the state of a function")


class _Reconstruct(_Function):
    __slots__ = ()

    def __call__(self, kind: object, shape: object, code: object) -> "_KeptArray":
        return _KeptArray()


class _MakeDtype(_Function):
    __slots__ = ()

    def __call__(self, name: str, align: object = False, copy: object = False) -> "_KeptDtype":
        return _KeptDtype(name)


class _MakeScalar(_Function):
    __slots__ = ()

    def __call__(self, dtype: object, data: object) -> "_KeptArray":
        kept = _KeptArray()
        kept.__setstate__((1, (), dtype, False, data))
        return kept


class _Encode(_Function):
    """``codecs.encode`` as protocol 2 writes bytes with it."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1" or type(text) is not str:
            raise pickle.UnpicklingError(f"it encodes {type(text).__name__} as {encoding}")
        return text.encode("latin1")


class _NoBytes(_Function):
    """``bytes()`` as protocol 2 writes no bytes with it."""

    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


class _KeptDtype:
    __slots__ = ("byte_order", "name")

    def __init__(self, name: str) -> None:
        self.name, self.byte_order = name, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.byte_order = state[1]


class _KeptArray:
    __slots__ = ("state",)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


_STAND_INS: Mapping[tuple[str, str], object] = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _MakeDtype(),
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy.core.multiarray", "scalar"): _MakeScalar(),
    ("numpy._core.multiarray", "scalar"): _MakeScalar(),
    ("_codecs", "encode"): _Encode(),
    ("builtins", "bytes"): _NoBytes(),
    ("__builtin__", "bytes"): _NoBytes(),  # as protocol 2 calls the module
}
_NUMBERS = frozenset(f"{kind}{size}" for kind in "iuf" for size in (2, 4, 8)) | {"b1", "i1", "u1"}


class _Finisher:
    """Turns what was kept into arrays, each object once; one that holds itself is refused."""

    def __init__(self) -> None:
        self._done: dict[int, Any] = {}
        self._open: set[int] = set()

    def finished(self, value: Any) -> Any:
        if type(value) in (str, bytes, int, float, bool, type(None)):
            return value
        key = id(value)
        if key in self._open:
            raise ValueError("an object that holds itself")
        if key not in self._done:
            self._open.add(key)
            self._done[key] = self._made(value)
            self._open.remove(key)
        return self._done[key]

    def _made(self, value: Any) -> Any:
        if type(value) is dict:
            return {self.finished(name): self.finished(item) for name, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.finished(item) for item in value)
        if type(value) is _KeptArray:
            _, shape, dtype, by_columns, data = value.state
            return self._array(shape, dtype, by_columns, data)
        raise ValueError(f"a bare {type(value).__name__}")

    def _array(self, shape: tuple[int, ...], dtype: _KeptDtype, by_columns: bool, data: Any) -> Any:
        count = math.prod(shape)
        if dtype.name in ("O", "O8"):
            if type(data) is not list or len(data) != count:
                raise ValueError(f"objects of shape {shape} without {count} of them")
            items = [self.finished(item) for item in data]
            return items if shape else items[0]
        return _numbers(shape, dtype, by_columns, data)


def _numbers(
    shape: tuple[int, ...], dtype: _KeptDtype, by_columns: bool, data: Any
) -> NDArray[np.generic]:
    if dtype.name not in _NUMBERS or dtype.byte_order not in ("<", ">", "=", "|"):
        raise ValueError(f"an array of '{dtype.byte_order}{dtype.name}', expected numbers")
    of_numbers = np.dtype(dtype.byte_order + dtype.name)
    if type(data) is not bytes or len(data) != math.prod(shape) * of_numbers.itemsize:
        raise ValueError(f"an array of shape {shape} with bytes for another")
    array = np.frombuffer(data, of_numbers).reshape(shape, order="F" if by_columns else "C")
    return array.astype(of_numbers.newbyteorder("="))
