"""The digest that a model file carries, by which a changed weight is noticed.

ONNX: protocol buffers may be joined end to end, so the last bytes of the file are one more entry of
its metadata, the SHA-256 of all bytes before it. Any ONNX library reads it as such.
safetensors: an entry of the header's metadata, the SHA-256 of the file with zeros in its place.
"""

import hashlib
import logging
from pathlib import Path

from erd_ros.errors import ArtifactError

METADATA_KEY = "erd_ros.sha256"
_logger = logging.getLogger(__name__)
_HEX = 64
BLANK = "0" * _HEX
# Field 1 is the key, field 2 the value, of field 14 of the model; lengths stand before each.
_HEAD = b"\x0a" + bytes([len(METADATA_KEY)]) + METADATA_KEY.encode() + b"\x12" + bytes([_HEX])
_START = b"\x72" + bytes([len(_HEAD) + _HEX]) + _HEAD
# A tensor's own entry in ONNX that names the file in which its numbers are.
_ELSEWHERE = b"\x0a\x08location\x12"
# In JSON no text holds these bytes: its quotation marks would be escaped.
_IN_HEADER = f'"{METADATA_KEY}":"'.encode()


def with_digest(model: bytes) -> bytes:
    """An ONNX file, which must have none yet, with its digest at the end."""
    return model + _START + hashlib.sha256(model).hexdigest().encode()


def read_onnx(path: Path) -> bytes:
    """Content of an ONNX file, held against its digest.

    A file without one, as older files are, is noted in the log. Raises ArtifactError for a file
    that was changed, cannot be read, or keeps numbers in other files.
    """
    model = read_file(path)
    if _ELSEWHERE in model:
        raise ArtifactError(
            f"{path} keeps numbers in another file, which this package does not read; "
            "write the model as one file, as `erd export` does"
        )
    start = model.rfind(_START)
    if start < 0:
        _note_absence(path)
    else:
        _compare(model[start + len(_START) :], model[:start], path)
    return model


def with_digest_in_header(tensors: bytes) -> bytes:
    """A safetensors file whose metadata has BLANK under METADATA_KEY, with its digest there."""
    return tensors.replace(
        _IN_HEADER + BLANK.encode(), _IN_HEADER + hashlib.sha256(tensors).hexdigest().encode(), 1
    )


def check_tensors(path: Path) -> None:
    """Hold a safetensors file against its digest; one without is noted in the log.

    Raises ArtifactError for a file that was changed or cannot be read.
    """
    content = read_file(path)
    before, marked, rest = content.partition(_IN_HEADER)
    if not marked:
        _note_absence(path)
    else:
        _compare(rest[:_HEX], before + marked + BLANK.encode() + rest[_HEX:], path)


def read_file(path: Path) -> bytes:
    """Content of a model file. Raises ArtifactError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"model file {path} cannot be read: {error.strerror}") from error


def _note_absence(path: Path) -> None:
    _logger.info("%s has no digest: a changed weight would not be noticed", path)


def _compare(digest: bytes, content: bytes, path: Path) -> None:
    if digest != hashlib.sha256(content).hexdigest().encode():
        raise ArtifactError(
            f"{path} ({len(content)} bytes) is not what was written, perhaps truncated: its digest "
            "differs from that of its content; copy it again or write it with `erd export` or "
            "`erd train`"
        )
