"""The digest at the end of an ONNX file, by which a changed weight is noticed.

Protocol buffers may be joined end to end: the last bytes of the file are one more entry of its
metadata, the SHA-256 of all bytes before it. Any ONNX library reads it as such.
"""

import hashlib
import logging

from erd_ros.errors import ArtifactError

METADATA_KEY = "erd_ros.sha256"
_logger = logging.getLogger(__name__)
_HEX = 64
# Field 1 is the key, field 2 the value, of field 14 of the model; lengths stand before each.
_HEAD = b"\x0a" + bytes([len(METADATA_KEY)]) + METADATA_KEY.encode() + b"\x12" + bytes([_HEX])
_START = b"\x72" + bytes([len(_HEAD) + _HEX]) + _HEAD
_LENGTH = len(_START) + _HEX


def with_digest(model: bytes) -> bytes:
    """An ONNX file, which must have none yet, with its digest at the end."""
    return model + _START + hashlib.sha256(model).hexdigest().encode()


def check_digest(model: bytes, source: str) -> None:
    """Hold an ONNX file against its digest; one without, as older files are, is noted in the log.

    Raises ArtifactError, with ``source`` as the file's name, for a file that was changed.
    """
    start = model.rfind(_START)
    if start < 0:
        _logger.info("%s has no digest: a changed weight would not be noticed", source)
        return
    found = hashlib.sha256(model[:start]).hexdigest()
    if start != len(model) - _LENGTH or model[start + len(_START) :] != found.encode():
        raise ArtifactError(
            f"{source} ({len(model)} bytes) is not what was exported: its digest differs from that "
            "of its content; copy it again or write it with `erd export`"
        )
