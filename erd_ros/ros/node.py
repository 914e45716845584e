"""erd_node: images or keypoints with CameraInfo in, metric skeletons out. A lifecycle node."""

import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from erd_ros.demo.processes import end_with_parent
from erd_ros.errors import ErdError, shortened
from erd_ros.ros.declare import changed, declare_parameters
from erd_ros.ros.diagnostics import describe, diagnostic_array, limits, state_name
from erd_ros.ros.frames import Frames
from erd_ros.ros.names import clashes, id_prefix
from erd_ros.ros.pipeline import Pipeline
from erd_ros.ros.process import Told, run_process, spin
from erd_ros.ros.publishers import Publishers
from erd_ros.ros.statistics import Statistics
from erd_ros.ros.worker import Worker
from erd_ros.runtime import DEFAULT_MODEL, load
from erd_ros.runtime.memory import give_back

NODE_NAME = "erd_node"
# At the end of the process a frame may take so long to be finished.
_LAST_FRAME_S = 1.0


class ErdNode(LifecycleNode):
    """Configure loads the model and opens the outputs, activate subscribes, deactivate frees.

    Raises InputError when a parameter has an impossible value.
    """

    def __init__(self) -> None:
        super().__init__(NODE_NAME, automatically_declare_parameters_from_overrides=True)
        self.parameters = declare_parameters(self)
        self._pipeline: Pipeline | None = None
        self._outputs: Publishers | None = None
        self._worker: Worker | None = None
        self._facts: dict[str, str] = {}
        self._limits: tuple[str, ...] = ()
        self._statistics = Statistics(time.monotonic())
        self._warned_s: dict[str, float] = {}
        self._failure: ErdError | None = None
        self._diagnostics: Any = None
        self._timer: Any = None
        self.add_on_set_parameters_callback(self._on_set_parameters)

    def autostart(self) -> None:
        """Configure and activate if the parameter says so. Raises ErdError when it cannot be."""
        if not self.parameters.autostart:
            return
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != TransitionCallbackReturn.SUCCESS:
                raise self._failure or ErdError("the node cannot be started; see the log")

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load model and detector, try them, open the outputs."""
        return self._transition(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe, and work on what comes."""
        return self._transition(self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, give model and detector back."""
        return self._transition(self._deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the outputs."""
        return self._transition(self.close)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close everything."""
        return self._transition(self.close)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close everything; the node can then be configured again."""
        return self._transition(self.close)

    def _transition(self, action: Callable[[], None]) -> TransitionCallbackReturn:
        """FAILURE stays where it was, ERROR leads to ``on_error``: rclpy says nothing of either."""
        try:
            action()
        except ErdError as error:
            self._failure = error
            if not self.parameters.autostart:  # else it ends the node, and is logged then
                self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        try:
            self._load()
        except ErdError:
            self.close()
            raise
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 5)
        # Not the node's clock, which stands still when a bag is paused.
        self._timer = self.create_timer(
            self.parameters.diagnostics_period,
            self._report,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        for limit in self._limits:
            self.get_logger().warning(limit)

    def _load(self) -> None:
        parameters = self.parameters
        backend = load(
            parameters.model or DEFAULT_MODEL,
            parameters.device,
            parameters.threads,
            allow_fallback=parameters.allow_fallback,
        )
        frames = Frames(self) if parameters.target_frame or parameters.ground_frame else None
        prefix = id_prefix(self.get_namespace())
        self._pipeline = Pipeline(parameters, backend, frames, self._notice, prefix)
        self._facts = describe(parameters, backend)
        self._limits = limits(parameters, backend)
        if self._outputs is None:
            self._outputs = Publishers(
                self, parameters, backend.info.skeleton, self._facts["backend"]
            )

    def _activate(self) -> None:
        if self._pipeline is None:
            self._load()
        assert self._pipeline is not None
        assert self._outputs is not None
        self._worker = Worker(
            self, self.parameters, self._pipeline, self._outputs, self._statistics, self._warn
        )
        said = ", ".join(f"{key}: {value}" for key, value in self._facts.items())
        self.get_logger().info(f"ready on {self._worker.topic}; {said}")

    def _deactivate(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None
            give_back()

    def close(self) -> None:
        """Give back whatever it holds; the node can be configured again."""
        self._deactivate()
        if self._outputs is not None:
            self._outputs.destroy()
            self._outputs = None
        if self._diagnostics is not None:
            self.destroy_timer(self._timer)
            self.destroy_publisher(self._diagnostics)
            self._diagnostics = None

    def end(self) -> None:
        """Close everything, but for what is still at work on a frame: the process ends under it."""
        if self._worker is not None and not self._worker.close(_LAST_FRAME_S):
            self.get_logger().warning(f"a frame was not finished within {_LAST_FRAME_S:g} s")
            return
        self._worker = None
        self.close()
        self.destroy_node()

    def _on_set_parameters(self, changes: Sequence[Parameter]) -> SetParametersResult:
        try:
            self.parameters = changed(self.parameters, changes, self._outputs is not None)
        except ErdError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if self._pipeline is not None:
            self._pipeline.adopt(self.parameters)
        if self._outputs is not None:
            self._outputs.adopt(self.parameters)
        return SetParametersResult(successful=True)

    def _notice(self, cause: str, message: str) -> None:
        message = shortened(message)
        self._statistics.noticed(cause, message)
        self._warn(cause, message)

    def _warn(self, cause: str, message: str) -> None:
        """Warn, unless this cause was warned of a moment ago."""
        now_s = time.monotonic()
        if now_s - self._warned_s.get(cause, -np.inf) >= self.parameters.warning_period:
            self._warned_s[cause] = now_s
            self.get_logger().warning(message)

    def _report(self) -> None:
        here = (self.get_name(), self.get_namespace())
        for clash in clashes(here, self.get_node_names_and_namespaces()):
            self._notice("names", clash)
        if self._worker is not None and (lost := self._worker.lost_images()):
            self._notice("images lost", lost)
        self._diagnostics.publish(
            diagnostic_array(
                self.get_clock().now().to_msg(),
                self.get_fully_qualified_name(),
                self._statistics.report(time.monotonic()),
                {"state": state_name(self._worker.state) if self._worker else "INACTIVE"}
                | self._facts,
                self._worker.topic if self._worker else "",
                self._limits,
            )
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is told to stop; 0 then, 1 when it could not start."""
    return run_process(NODE_NAME, args, _run)


def _run(told: Told) -> None:
    node = ErdNode()
    if node.parameters.end_with_parent:
        end_with_parent()
    try:
        node.autostart()
        spin(node, told)
    finally:
        node.end()


if __name__ == "__main__":
    sys.exit(main())
