"""How a node of the package begins and ends as a process: a signal sets a flag.

The node then ends between two callbacks. rclpy's own handler shuts the context down under whoever
is using it: a spin that is just building its wait set then fails, and what is logged after it is
lost.
"""

import signal
from collections.abc import Callable, Sequence
from threading import Event
from types import FrameType

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from erd_ros.errors import ErdError, InputError

# At most so long does a node take notice of a signal.
_POLL_S = 0.1


def run_process(name: str, args: Sequence[str] | None, body: Callable[[Event], None]) -> int:
    """ROS for the length of ``body``, whose event is set by SIGINT or SIGTERM; the exit code.

    0 when it ended, 1 after an ErdError, which is logged in one line under ``name``.
    """
    told = Event()

    def take_notice(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, take_notice)
    try:
        _initialise(args)
        body(told)
    except ErdError as error:
        get_logger(name).fatal(str(error))
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


def _initialise(args: Sequence[str] | None) -> None:
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        # What follows are places in the source of rcl.
        raise InputError(
            f"ROS refuses the command line: {str(error).split(', at /')[0]}"
        ) from error


def spin(node: Node, told: Event) -> None:
    """Serve the node's callbacks until the event is set."""
    executor = _executor()
    executor.add_node(node)
    while not told.is_set():
        executor.spin_once(timeout_sec=_POLL_S)
    executor.shutdown()


def _executor() -> Executor:
    """The one in C++ where rclpy has it (7.1.5 does): the node takes a tenth to a quarter less.

    It knows subscriptions, timers, services and clients; a guard condition it refuses.
    """
    try:
        from rclpy.experimental.events_executor import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()
