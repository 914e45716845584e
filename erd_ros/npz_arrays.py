"""Arrays of .npz files, whose sizes are held against the file's before anything is made of them."""

import math
import sys
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Collection, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.files import write_atomically

# What zipfile, zlib and numpy raise for broken files, besides what they document.
BROKEN = (
    zipfile.BadZipFile, zlib.error, tokenize.TokenError, OSError, EOFError, ValueError, TypeError,
    AttributeError, LookupError, MemoryError, OverflowError, RecursionError, RuntimeError,
    SyntaxError, AssertionError, UserWarning, DeprecationWarning,
)  # fmt: skip
_KINDS = "biufUS"
_MOST_DIMENSIONS = 16
# Deflate makes one byte of 1032 at best.
_DENSEST = 1032
_LARGEST = 2**33  # bytes of all arrays; the largest archive of motion capture has a tenth of it


def read_npz_arrays(
    path: Path, what: str, names: Collection[str] | None = None
) -> dict[str, NDArray[np.generic]]:
    """Arrays of numbers and text by name: all, or those of ``names`` that there are.

    Raises InputError, which calls the file ``what``, for one that is missing or broken.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            arrays = {}
            size = sum(member.file_size for member in archive.infolist())
            if size > _LARGEST:
                raise ValueError(f"arrays of {size} bytes, at most {_LARGEST} are read")
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                if names is None or name in names:
                    arrays[name] = _array(member_content(archive, member))
            return arrays
    except BROKEN as error:
        raise InputError(f"{what} {path} cannot be read: {error}") from error


def write_npz_arrays(path: Path, arrays: Mapping[str, Any], compressed: bool = False) -> None:
    """Write arrays by name, whole or not at all. Raises InputError when they cannot be written.

    In memory first: on a full disk zipfile would complain once more after the error.
    """
    content = BytesIO()
    (np.savez_compressed if compressed else np.savez)(content, **arrays)
    write_atomically(path, content.getvalue())


def member_content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes. Raises ValueError for one that says it is larger than it can be."""
    if member.file_size > _DENSEST * (member.compress_size + 1):
        raise ValueError(f"{member.filename} is said to have {member.file_size} bytes")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename} is compressed by method {member.compress_type}")
    return archive.read(member)


def _array(content: bytes) -> NDArray[np.generic]:
    stream = BytesIO(content)
    shape, _, dtype = read_header(stream)
    if dtype.kind not in _KINDS or dtype.shape:
        raise ValueError(f"an array of {dtype}, expected numbers or text")
    size = math.prod(shape) * dtype.itemsize
    if size != len(content) - stream.tell() or min(shape, default=0) < 0:
        raise ValueError(f"an array of shape {shape} with bytes for another")
    if len(shape) > _MOST_DIMENSIONS or max(shape, default=0) > len(content):
        raise ValueError(f"an array of {len(shape)} dimensions and {dtype}")
    stream.seek(0)
    npy: Any = np.lib.format
    array: NDArray[np.generic] = npy.read_array(stream, allow_pickle=False)
    if dtype.kind == "U" and array.size and dtype.itemsize:
        letters = np.ascontiguousarray(array).reshape(-1).view(dtype.byteorder + "u4")
        if letters.max() > sys.maxunicode:  # numpy would make text of it that Python refuses
            raise ValueError("text with letters that there are not")
    return array


def read_header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array in the npy format. Raises those of BROKEN."""
    npy: Any = np.lib.format  # numpy 1 has no types for it
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of the npy format")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # headers of Python 2, dtypes that numpy gives up
        shape, by_columns, dtype = readers[version](stream)
    return shape, by_columns, dtype
