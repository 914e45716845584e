"""Writing files whole or not at all, and the folder that ROS writes its log to."""

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from erd_ros.errors import InputError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is either the whole of ``content`` or what it was before.

    Raises InputError when it cannot be written: a full disk, a folder that is read-only.
    """
    write_whole(path, lambda partial: partial.write_bytes(content))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """The file of a path that ``write`` is given, which ends as ``path`` does, put in its place.

    Raises InputError when it cannot be written; what was there before is whole then.
    """
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}; what was there before is "
            "untouched; make room or name another place"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def check_log_folder(environment: Mapping[str, str]) -> None:
    """Raise InputError where ROS cannot write its log: it would refuse to start.

    The folder is ROS_LOG_DIR, else log in ROS_HOME, else .ros/log in HOME, as in rcl_logging.
    """
    stated = environment.get("ROS_LOG_DIR"), environment.get("ROS_HOME"), environment.get("HOME")
    own, of_ros, home = (Path(name).expanduser() if name else None for name in stated)
    folder = own or (of_ros and of_ros / "log") or (home and home / ".ros" / "log")
    reason = _unwritable(folder) if folder else "HOME is not set"
    if reason:
        raise InputError(
            f"ROS cannot write its log ({reason}); set ROS_LOG_DIR to a folder that can be written"
        )


def check_writable(folder: Path) -> None:
    """Raise InputError where no file can be made in a folder, which is made if it is not there."""
    reason = _unwritable(folder)
    if reason:
        raise InputError(f"nothing can be written: {reason}; make room or name another folder")


def _unwritable(folder: Path) -> str | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
        return None
    except OSError as error:
        return f"{folder}: {error.strerror}"
