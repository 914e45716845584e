"""erd_node: images or keypoints with CameraInfo in, metric skeletons out."""

import sys
import time
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any, NamedTuple

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo

from erd_ros.ros.diagnostics import OVERWRITTEN, describe, diagnostic_array, limits
from erd_ros.ros.mailbox import Mailbox
from erd_ros.ros.parameters import NodeParameters, declare_parameters
from erd_ros.ros.pipeline import FrameError, Pipeline
from erd_ros.ros.process import run_process, spin
from erd_ros.ros.publishers import Publishers
from erd_ros.ros.statistics import Statistics
from erd_ros.runtime import DEFAULT_MODEL, load

NODE_NAME = "erd_node"


class Frame(NamedTuple):
    """An input message and when it was received, on the monotonic clock."""

    message: Any
    received_s: float


class RunningNode:
    """What makes a plain node erd_node: topics, worker thread, diagnostics.

    Callbacks only store the newest message; one worker thread does everything else. Making it
    loads model and detector and opens the topics; ``close`` gives all of that back. Raises
    ErdError when a parameter, the model or the detector cannot be used.
    """

    def __init__(self, node: Node, parameters: NodeParameters) -> None:
        self._node = node
        backend = load(parameters.model or DEFAULT_MODEL, parameters.device, parameters.threads)
        self._pipeline = Pipeline(parameters, backend, self._notice)
        self._facts = describe(parameters, backend)
        self._limits = limits(parameters)
        self._statistics = Statistics(time.monotonic())
        self._warned_s: dict[str, float] = {}
        self._warning_period_s = parameters.warning_period
        self._info: CameraInfo | None = None
        self._outputs = Publishers(node, parameters, backend.info.skeleton, self._facts["backend"])
        self._mailbox: Mailbox[Frame] = Mailbox()
        self._subscribe()
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 5)
        self._timer = node.create_timer(parameters.diagnostics_period, self._report)
        self._worker = Thread(target=self._work, name="skeletons", daemon=True)
        self._worker.start()
        for limit in self._limits:
            node.get_logger().warning(limit)
        said = ", ".join(f"{key}: {value}" for key, value in self._facts.items())
        node.get_logger().info(f"ready on {self._input.topic_name}; {said}")

    def _subscribe(self) -> None:
        front_end, qos = self._pipeline.front_end, qos_profile_sensor_data
        self._camera_info = self._node.create_subscription(
            CameraInfo, "camera_info", self._store_info, qos
        )
        self._input = self._node.create_subscription(
            front_end.message_type, front_end.topic, self._store, qos
        )

    def close(self) -> None:
        """Close the topics, end the worker, give model and detector back."""
        self._node.destroy_subscription(self._input)
        self._node.destroy_subscription(self._camera_info)
        self._node.destroy_timer(self._timer)
        self._mailbox.close()
        self._worker.join()
        self._pipeline.close()
        self._outputs.destroy()
        self._node.destroy_publisher(self._diagnostics)

    def _store_info(self, info: CameraInfo) -> None:
        self._info = info

    def _store(self, message: Any) -> None:
        if self._mailbox.put(Frame(message, time.monotonic())):
            self._statistics.dropped(OVERWRITTEN)

    def _work(self) -> None:
        while (frame := self._mailbox.get()) is not None:
            try:
                self._process(frame)
            except FrameError as drop:
                self._drop(drop.cause, f"frame dropped: {drop}")
            except Exception as error:  # whatever a frame does, the next one must be served
                if self._node.context.ok():
                    self._drop("internal error", f"frame dropped: {error!r}")

    def _process(self, frame: Frame) -> None:
        if self._info is None:
            topic = self._camera_info.topic_name
            raise FrameError(
                "no camera info",
                f"no CameraInfo on {topic} yet; start the camera's driver or remap camera_info",
            )
        people = self._pipeline.people(frame.message, self._info)
        latency_s = self._outputs.publish(people, frame.received_s)
        residuals = people.poses.residual_px[np.isfinite(people.poses.residual_px)]
        residual_px = float(residuals.mean()) if len(residuals) else float("nan")
        self._statistics.processed(latency_s, len(people.ids), residual_px)

    def _drop(self, cause: str, message: str) -> None:
        self._statistics.dropped(cause, message)
        self._warn(cause, message)

    def _notice(self, cause: str, message: str) -> None:
        self._statistics.noticed(cause, message)
        self._warn(cause, message)

    def _warn(self, cause: str, message: str) -> None:
        """Unless this cause was warned of a moment ago."""
        now_s = time.monotonic()
        if now_s - self._warned_s.get(cause, -np.inf) >= self._warning_period_s:
            self._warned_s[cause] = now_s
            self._node.get_logger().warning(message)

    def _report(self) -> None:
        self._diagnostics.publish(
            diagnostic_array(
                self._node.get_clock().now().to_msg(),
                self._node.get_fully_qualified_name(),
                self._statistics.report(time.monotonic()),
                self._facts,
                self._input.topic_name,
                self._limits,
            )
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is told to stop; 0 then, 1 when it could not start."""
    return run_process(NODE_NAME, args, _run)


def _run(told: Event) -> None:
    node = Node(NODE_NAME, automatically_declare_parameters_from_overrides=True)
    try:
        running = RunningNode(node, declare_parameters(node))
        try:
            spin(node, told)
        finally:
            running.close()
    finally:
        node.destroy_node()


if __name__ == "__main__":
    sys.exit(main())
