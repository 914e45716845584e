"""What a user gives as a file or its text: it can be used, or one line says what to do."""

import re
from pathlib import Path
from typing import Any

import yaml

from erd_ros.errors import InputError

_STREAM = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_CAMERA = re.compile(r"/dev/video(\d+)")
MOST_CHARACTERS = 100_000  # of a YAML text


def check_name(path: str, what: str) -> None:
    """Raise InputError for a name that is no UTF-8: OpenCV and ROS would end Python over it."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        readable = path.encode(errors="backslashreplace").decode()
        raise InputError(
            f"the name of {what} '{readable}' is not in UTF-8; rename it, or give a link to it"
        ) from error


def check_file(path: str, what: str) -> bytes:
    """The first bytes of a file. Raises InputError when it is none, is empty or cannot be read."""
    if not path:
        raise InputError(f"the name of the {what} is empty; give the path of a file")
    check_name(path, what)
    _check_kind(path, what)
    try:
        with Path(path).open("rb") as file:
            first = file.read(16)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{what} '{path}' cannot be read ({reason}); give another file") from error
    if not first:
        raise InputError(f"{what} '{path}' is empty (0 bytes); was its download cut short?")
    return first


def _check_kind(path: str, what: str) -> None:
    if _STREAM.match(path):
        raise InputError(
            f"{what} '{path}' is a stream; run a driver that publishes it as image and camera_info "
            "(such as gscam) beside erd_node, or record a piece: `ffmpeg -i URL -t 10 out.mp4`"
        )
    if camera := _CAMERA.fullmatch(path):
        raise InputError(f"{what} '{path}' is a camera; give --camera {camera[1]} instead")
    try:
        file, folder, there = Path(path).is_file(), Path(path).is_dir(), Path(path).exists()
    except (OSError, ValueError):  # opening it says why
        return
    if not file:
        reason = "is a folder" if folder else "is no regular file" if there else "does not exist"
        raise InputError(f"{what} '{path}' {reason}; give the path of a file")


def yaml_values(text: str, where: str) -> Any:
    """Values of a YAML text. Raises InputError for another, a long one, and for aliases."""
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{where} has {len(text)} characters, at most {MOST_CHARACTERS} are read")
    try:
        # Thirty lines of aliases make a billion values.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise InputError(f"{where} has an alias (*name), which is not read; repeat its value")
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, LookupError) as error:
        raise InputError(f"{where} is not YAML: {' '.join(str(error).split())}") from error
