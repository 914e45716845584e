"""One process at a time, told apart by the kernel: a process that dies lets go."""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

_logger = logging.getLogger(__name__)
_LOOK_EVERY = 0.05  # s
_SAY_EVERY = 10.0  # s


@contextmanager
def exclusive(descriptor: int, what: str) -> Iterator[None]:
    """Hold an open file's lock, and close the file; ``what`` it is about stands in the log."""
    try:
        _wait(descriptor, what)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, what: str) -> None:
    started = said = time.monotonic()
    waited = False
    while not _acquired(descriptor):
        now = time.monotonic()
        if not waited or now - said > _SAY_EVERY:
            _logger.info("another process makes %s; waiting for %.0f s", what, now - started)
            waited, said = True, now
        time.sleep(_LOOK_EVERY)


def _acquired(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
