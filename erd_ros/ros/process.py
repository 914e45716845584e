"""How a node of the package begins, serves and ends as a process.

A signal sets a flag, and the node then ends between two callbacks. rclpy's own handler shuts the
context down under whoever is using it: a spin that is just building its wait set then fails, and
what is logged after it is lost. What does not end by itself in time is ended.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from erd_ros.errors import ErdError, InputError
from erd_ros.files import check_log_folder
from erd_ros.ros.services import answer_every_request, reason_of

# At most so long does a node take notice of a signal.
_POLL_S = 0.1
# After a signal: 2 s, less what it takes to be noticed and to end.
_LIMIT_S = 1.7
_FINISHING_LIMIT_S = 15.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Told(Event):
    """Set by SIGINT or SIGTERM.

    finishing  what the process does now is not cut short after 1.7 s, but after 15 s
    """

    finishing = False


def run_process(name: str, args: Sequence[str] | None, body: Callable[[Told], None]) -> int:
    """ROS for the length of ``body``, whose event is set by SIGINT or SIGTERM; the exit code.

    0 when it ended, 1 after an ErdError, which is logged in one line under ``name``. After a signal
    the process has ended within 2 s, whatever its threads are doing.
    """
    told, before = Told(), set(threading.enumerate())
    before.add(_end_in_time(name, told))
    code = _run(name, args, told, body)
    if set(threading.enumerate()) - before:
        # Python's way out destroys what a thread that is still at work uses.
        _leave(code)
    return code


def _run(name: str, args: Sequence[str] | None, told: Told, body: Callable[[Told], None]) -> int:
    try:
        _initialise(args)
        body(told)
    except ErdError as error:
        get_logger(name).fatal(str(error))
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


def _end_in_time(name: str, told: Told) -> Thread:
    """Take notice of signals, and end the process when it does not end by itself.

    Python's handlers run in the main thread between two of its instructions: not while that loads
    a model or waits for a camera. The pipe is written to at once.
    """

    def take_notice(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    for kind in _SIGNALS:
        signal.signal(kind, take_notice)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def watch() -> None:
        os.read(reading, 1)
        told.set()
        time.sleep(_LIMIT_S)
        if told.finishing:
            time.sleep(_FINISHING_LIMIT_S - _LIMIT_S)
        # Not the logger, nor sys.stderr: whoever is stuck may hold their locks.
        os.write(2, f"{name} did not end by itself in time and is ended\n".encode())
        os._exit(1)

    watcher = Thread(target=watch, name="signals", daemon=True)
    watcher.start()
    return watcher


def _leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _initialise(args: Sequence[str] | None) -> None:
    check_log_folder(os.environ)
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        raise InputError(f"ROS refuses the command line: {reason_of(error)}") from error


def spin(node: Node, told: Event) -> None:
    """Serve the node's callbacks until the event is set; what one of them raises is logged."""
    answer_every_request(node)
    executor = _executor()
    executor.add_node(node)
    while not told.is_set():
        with logged(node):
            executor.spin_once(timeout_sec=_POLL_S)
    executor.shutdown()


@contextmanager
def logged(node: Node) -> Iterator[None]:
    """For spinning once: what a callback raises is logged and does not end the node."""
    try:
        yield
    except ErdError as error:
        node.get_logger().error(str(error), throttle_duration_sec=1.0)
    except Exception:
        node.get_logger().error(traceback.format_exc(), throttle_duration_sec=1.0)


def _executor() -> Executor:
    """The one in C++ where rclpy has it (7.1.5 does): the node takes a tenth to a quarter less.

    It knows subscriptions, timers, services and clients; a guard condition it refuses.
    """
    try:
        from rclpy.experimental.events_executor import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()
