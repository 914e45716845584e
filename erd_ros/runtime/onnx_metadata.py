"""The description inside an ONNX file, read without an ONNX library: TensorRT has none to offer.

An ONNX file is one protocol buffer message; its ``metadata_props`` are field 14, each a message of
a key (field 1) and a value (field 2). https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator

from erd_ros.errors import ArtifactError

_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZE = {_FIXED64: 8, _FIXED32: 4}


def read_metadata(model: bytes, source: str) -> dict[str, str]:
    """Keys and values; ``source`` names the file in errors. Raises ArtifactError."""
    try:
        return dict(
            _entry(content)
            for field, content in _fields(memoryview(model))
            if field == _METADATA_PROPS
        )
    except (ValueError, IndexError) as error:
        raise ArtifactError(
            f"{source} ({len(model)} bytes) is not an ONNX file that can be run, perhaps "
            f"truncated: {error}; copy it again or write it with `erd export`"
        ) from error


def _entry(content: memoryview) -> tuple[str, str]:
    parts = {field: bytes(part).decode() for field, part in _fields(content)}
    return parts.get(_KEY, ""), parts.get(_VALUE, "")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field; numbers, which are skipped, have none."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        field, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, at = _varint(message, at)
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in _SIZE:
            size = _SIZE[kind]
        else:
            raise ValueError(f"a field of the unknown kind {kind} at byte {at}")
        if at + size > len(message):
            raise ValueError(f"a field at byte {at} ends after the file")
        yield field, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the least first, and where it ends."""
    value = shift = 0
    while True:
        group = message[at]
        at += 1
        value |= (group & 0x7F) << shift
        if group < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"a number at byte {at} has no end")
