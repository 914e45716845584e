"""Built TensorRT engines on disk, one for each model and machine.

An engine is code that the graphics processor executes: it is taken from this user's own folder
alone, and only when it says of itself what is wanted and its content has not changed.
"""

import errno
import hashlib
import json
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from erd_ros.errors import BackendError
from erd_ros.runtime.file_lock import exclusive

_logger = logging.getLogger(__name__)
_MAGIC = b"erd_ros engine 1\n"
_LONGEST_HEADER = 10_000  # bytes
# A link may lead to what somebody else can write; a FIFO without a writer would wait for one.
_NO_LINK_NO_WAIT = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH

Engine = TypeVar("Engine")


@dataclass(frozen=True)
class EngineKey:
    """What an engine was built from and for; another of any of these is another engine.

    capability   of the graphics processor, e.g. "8.7"
    driver       CUDA version of the driver, e.g. 12060
    max_persons  upper end of the optimisation profile
    """

    onnx_sha256: str
    tensorrt: str
    gpu: str
    capability: str
    driver: int
    precision: str
    max_persons: int

    def file_name(self) -> str:
        """Name of the engine's file: different for every key."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.engine"


def cache_folder() -> Path:
    """``$ROS_HOME/erd_ros`` where that is set, else below the XDG cache."""
    ros_home = os.environ.get("ROS_HOME")
    if ros_home:
        return Path(ros_home) / "erd_ros"
    cache = os.environ.get("XDG_CACHE_HOME")
    # The specification wants relative paths ignored.
    base = Path(cache) if cache and Path(cache).is_absolute() else Path.home() / ".cache"
    return base / "erd_ros"


def cached(
    folder: Path,
    key: EngineKey,
    build: Callable[[], bytes],
    start: Callable[[bytes], Engine | None],
) -> Engine:
    """The engine of a key, from the folder or built and put there.

    build  makes its content, once however many processes ask at the same time
    start  makes a running engine of it; None where the content is not one for this machine

    A folder that cannot be written or trusted costs a build at every start, said in the log.
    Raises BackendError when what was just built does not start, and whatever ``build`` raises.
    """
    path = folder / key.file_name()
    engine = _from_disk(path, key, start)
    if engine is not None:
        return engine
    with _locked(path) as writable:
        engine = _from_disk(path, key, start) if writable else None
        if engine is not None:
            return engine
        content = build()
        if writable:
            _write(path, key, content)
    engine = start(content)
    if engine is None:
        raise BackendError(
            f"TensorRT {key.tensorrt} built an engine for {key.gpu} that it cannot load; "
            "its log says why; run with backend 'onnxruntime' meanwhile"
        )
    return engine


def _from_disk(
    path: Path, key: EngineKey, start: Callable[[bytes], Engine | None]
) -> Engine | None:
    content = read_engine(path, key)
    if content is None:
        return None
    engine = start(content)
    if engine is None:
        _logger.warning("TensorRT refuses the engine %s; it is built anew", path)
    return engine


def read_engine(path: Path, key: EngineKey) -> bytes | None:
    """Content of an engine's file; None, said in the log, for one that is not to be used."""
    if not os.path.lexists(path):
        return None
    reason = not_trusted(path.parent)
    if reason is None:
        try:
            return _checked(path, key)
        except (KeyError, TypeError, RecursionError) as error:
            reason = f"its header cannot be read ({error!r})"
        except (OSError, ValueError) as error:
            reason = str(error)
    _logger.warning("the engine %s is not used: %s", path, reason)
    return None


def not_trusted(folder: Path) -> str | None:
    """Why engines of a folder are not to be used; None where they are."""
    try:
        return _not_own(folder.stat(), folder)
    except OSError as error:
        return f"{folder}: {error.strerror}"


def _not_own(status: os.stat_result, path: Path) -> str | None:
    if status.st_uid not in (os.getuid(), 0):
        return f"{path} belongs to user {status.st_uid}, expected {os.getuid()} or root"
    if status.st_mode & _OTHERS_MAY_WRITE:
        return f"others may write {path} ({stat.filemode(status.st_mode)}); `chmod go-w` it"
    return None


def _checked(path: Path, key: EngineKey) -> bytes:
    """Content of the file. Raises ValueError for another's, and what is corrupt or stale."""
    descriptor = os.open(path, os.O_RDONLY | _NO_LINK_NO_WAIT)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        reason = _not_own(status, path)
        if reason or not stat.S_ISREG(status.st_mode):
            raise ValueError(reason or f"{path} is not a file")
        if file.readline(len(_MAGIC)) != _MAGIC:
            raise ValueError("it is not an engine of this package")
        header = json.loads(file.readline(_LONGEST_HEADER))
        content = file.read()
    if header["key"] != asdict(key):
        raise ValueError(f"it was built for {header['key']}")
    if header["sha256"] != hashlib.sha256(content).hexdigest():
        raise ValueError("its content is not what was written, it is corrupt")
    return content


def _open_lock(path: Path) -> int:
    """The lock's file, made where there is none. Raises OSError for a link and what is no file."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK_NO_WAIT, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, f"{path.name} is not a file; remove it")


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """While no other process builds this engine; gives whether it may be written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = not_trusted(path.parent)
        lock = None if reason else _open_lock(path.with_suffix(".lock"))
    except OSError as error:
        reason, lock = f"{path.parent}: {error.strerror}", None
    if lock is None:
        _logger.warning(
            "engines cannot be kept (%s): they are built at every start; set ROS_HOME or "
            "XDG_CACHE_HOME to a folder of this user", reason,
        )  # fmt: skip
        yield False
        return
    with exclusive(lock, f"the engine {path.name}"):
        yield True


def _write(path: Path, key: EngineKey, content: bytes) -> None:
    """All of the file or nothing; a failure costs the next start a build, no more."""
    header = {"key": asdict(key), "sha256": hashlib.sha256(content).hexdigest(), "at": time.time()}
    partial: str | None = None
    try:
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".partial")
        with os.fdopen(descriptor, "wb") as file:
            file.write(_MAGIC + json.dumps(header).encode() + b"\n" + content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        if partial is not None:
            Path(partial).unlink(missing_ok=True)
        _logger.warning(
            "the engine %s (%d bytes) cannot be written: %s; it is built again at the next start",
            path, len(content), error.strerror,
        )  # fmt: skip
