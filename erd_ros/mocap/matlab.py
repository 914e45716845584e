"""Arrays of numbers in MATLAB's files of versions 5 to 7, read without any library's parser.

The format as MathWorks describes it ("MAT-File Format", level 5). scipy's reader trusts what a file
says of itself: one changed byte ends Python. Here sizes are held against the bytes that there are.
"""

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_CELL = 1
_NUMERIC_CLASSES = range(6, 16)
_COMPLEX = 0x0800
_LONGEST_NAME = 1000
_MOST_DIMENSIONS = 32
_DEEPEST_CELL = 8
_PIECE = 1 << 20  # bytes that are decompressed at once


def read_first_arrays(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Arrays by name, of an array of cells the first cell's. Raises InputError for another file.

    What a file lacks is missing in the answer. Arrays that are neither numbers nor cells are
    refused, as is a version other than 5 to 7.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    try:
        order = _byte_order(content)
        found: dict[str, NDArray[Any]] = {}
        for name, array in _arrays(memoryview(content)[_HEADER:], order, set(names)):
            found.setdefault(name, array)
        return found
    except (ValueError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _byte_order(content: bytes) -> str:
    mark = content[_HEADER - 2 : _HEADER]
    orders = {b"IM": "<", b"MI": ">"}
    if mark not in orders:
        raise ValueError("no MATLAB file of version 5 to 7")
    version = struct.unpack(f"{orders[mark]}H", content[_HEADER - 4 : _HEADER - 2])[0]
    if version == 0x0200:
        raise ValueError("it is a MATLAB 7.3 file; load it in MATLAB and save it again with '-v7'")
    if version != 0x0100:
        raise ValueError(f"version {version:#06x} of MATLAB's files")
    return orders[mark]


class _Bytes:
    """Bytes one after the other, as they stand or decompressed as far as they are asked for."""

    def __init__(self, content: memoryview, order: str, compressed: bool = False) -> None:
        self.order = order
        self._left = content
        self._inflate = zlib.decompressobj() if compressed else None
        self._ready = bytearray()

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes. Raises ValueError where there are not as many."""
        if self._inflate is None:
            taken, self._left = bytes(self._left[:count]), self._left[count:]
        else:
            while len(self._ready) < count and self._inflate_more():
                pass
            taken = bytes(self._ready[:count])
            del self._ready[:count]
        if len(taken) < count:
            raise ValueError(f"it ends {count - len(taken)} bytes too soon")
        return taken

    def _inflate_more(self) -> bool:
        if self._inflate is None or self._inflate.eof:
            return False
        piece = self._inflate.decompress(self._left, _PIECE)
        self._left = memoryview(self._inflate.unconsumed_tail)
        self._ready += piece
        return bool(piece)

    def check_rest(self) -> None:
        """Raises ValueError or zlib.error where the rest does not decompress to its checksum."""
        while self._inflate_more():
            self._ready.clear()
        if self._inflate is not None and not self._inflate.eof:
            raise ValueError("what is compressed ends too soon")

    def tag(self) -> tuple[int, int, bytes]:
        """Type, size in bytes, and the data where a short element has them in its tag."""
        first, second = struct.unpack(f"{self.order}2I", head := self.take(8))
        if not first >> 16:
            return first, second, b""
        kind, size = first & 0xFFFF, first >> 16
        if size > 4:
            raise ValueError(f"a short element of {size} bytes")
        return kind, size, head[4 : 4 + size]

    def element(self, longest: int) -> tuple[int, bytes]:
        """Type and data of the next element. Raises ValueError for a longer one."""
        kind, size, data = self.tag()
        if data or not size:
            return kind, data
        if size > longest:
            raise ValueError(f"an element of {size} bytes, expected {longest} at most")
        data = self.take(size)
        if size % 8:
            self.take(8 - size % 8)
        return kind, data


def _arrays(content: memoryview, order: str, names: set[str]) -> Iterator[tuple[str, NDArray[Any]]]:
    wanted = set(names)
    while len(content) and wanted:
        source = _Bytes(content, order)
        kind, size, short = source.tag()
        if size > len(content) - 8 or short:
            raise ValueError(f"an element of {size} bytes where {len(content) - 8} are left")
        inside = content[8 : 8 + size]
        content = content[8 + size :]
        source = _Bytes(inside, order, kind == _COMPRESSED)
        if kind == _COMPRESSED:
            kind, size, _ = source.tag()
        if kind == _MATRIX:
            name, array = _named_array(source, wanted)
            if array is not None:
                source.check_rest()
                wanted.discard(name)
                yield name, array


def _named_array(source: _Bytes, wanted: set[str]) -> tuple[str, NDArray[Any] | None]:
    """The array's name, and itself where it is wanted."""
    kind, shape, name = _description(source)
    if name not in wanted:
        return name, None
    for _ in range(_DEEPEST_CELL):
        if kind != _CELL:
            return name, _numbers(source, kind, shape)
        if not math.prod(shape):
            raise ValueError(f"'{name}' has no cell")
        inner, size, _ = source.tag()
        if inner != _MATRIX:
            raise ValueError(f"a cell of type {inner}")
        if not size:
            return name, np.empty((0, 0))
        kind, shape, _ = _description(source)
    raise ValueError(f"'{name}' has cells in cells in cells")


def _description(source: _Bytes) -> tuple[int, tuple[int, ...], str]:
    """Class, shape and name of the array that follows."""
    _, flags = source.element(8)
    _, sizes = source.element(4 * _MOST_DIMENSIONS)
    _, name = source.element(_LONGEST_NAME)
    if len(flags) != 8 or len(sizes) % 4 or len(sizes) < 8:
        raise ValueError("an array without flags or dimensions")
    word = struct.unpack(f"{source.order}I", flags[:4])[0]
    shape = struct.unpack(f"{source.order}{len(sizes) // 4}i", sizes)
    if min(shape) < 0:
        raise ValueError(f"an array of shape {shape}")
    if word & _COMPLEX:
        raise ValueError("an array of complex numbers")
    return word & 0xFF, shape, name.decode("latin1")


def _numbers(source: _Bytes, kind: int, shape: tuple[int, ...]) -> NDArray[Any]:
    if kind not in _NUMERIC_CLASSES:
        raise ValueError(f"an array of class {kind}, expected numbers or cells")
    count = math.prod(shape)
    stored, data = source.element(8 * count)
    if stored not in _NUMBERS:
        raise ValueError(f"numbers of type {stored}")
    of_numbers = np.dtype(source.order + _NUMBERS[stored])
    if len(data) != count * of_numbers.itemsize:
        raise ValueError(f"an array of shape {shape} with {len(data)} bytes")
    return np.frombuffer(data, of_numbers).reshape(shape, order="F")
