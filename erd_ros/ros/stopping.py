"""How the demo's nodes end: a signal sets a flag, and the node ends between two callbacks.

rclpy's own handler shuts the context down under whoever is using it: a spin that is just building
its wait set then fails, and what is logged after it is lost.
"""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from types import FrameType

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

# At most so long does a node take notice of a signal.
_POLL_S = 0.1


@contextmanager
def ros_until_told_to_stop(args: Sequence[str] | None) -> Iterator[Event]:
    """ROS for the length of the block; the event is set by SIGINT or SIGTERM."""
    told = Event()

    def take_notice(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, take_notice)
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        yield told
    finally:
        rclpy.try_shutdown()


def spin(node: Node, told: Event) -> None:
    """Serve the node's callbacks until the event is set."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not told.is_set():
        executor.spin_once(timeout_sec=_POLL_S)
    executor.shutdown()
