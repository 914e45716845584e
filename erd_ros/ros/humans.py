"""REP-155: each body on topics of its own below /humans/bodies, for hri_rviz, libhri and pyhri."""

import importlib
from collections import deque
from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from erd_ros.ros.human_topics import Bodies, topics_of_body
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.scene import Scene

_ROOT = "/humans/bodies"
_SWEEP_S = 0.5  # how often the topics of those who are gone are taken off the graph
# Made by the node with the reliability that libhri asks for.
MakePublisher = Callable[..., Any]


def hri_messages() -> Any | None:
    """The module hri_msgs.msg where it is installed."""
    try:
        return importlib.import_module("hri_msgs.msg")
    except ImportError:
        return None


class Humans:
    """Publishes who is there, and of each body what somebody listens to."""

    def __init__(
        self, node: Node, messages: Any, make_publisher: MakePublisher, parameters: NodeParameters
    ) -> None:
        self._node, self._make = node, make_publisher
        self._ids_list = messages.IdsList
        self._tracked = make_publisher(messages.IdsList, f"{_ROOT}/tracked")
        self._topics = topics_of_body(messages, parameters)
        self._bodies: dict[str, dict[str, Any]] = {}
        # Scenes come from the worker's thread. The executor fails when a publisher is destroyed
        # while it builds its wait set, so that it has to do that itself.
        self._gone: deque[dict[str, Any]] = deque()
        # Not the node's clock, which stands still when a bag is paused.
        self._sweep = node.create_timer(
            _SWEEP_S, self._destroy_gone, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def publish(self, scene: Scene) -> None:
        """The bodies of a scene. Those predicted are tracked still, those ended are gone."""
        people = scene.people
        present = {
            name: row
            for row, (name, ended) in enumerate(zip(people.ids, people.ended, strict=True))
            if name and not ended
        }
        if self._tracked.get_subscription_count():
            self._tracked.publish(self._ids_list(header=scene.source, ids=list(present)))
        for gone in self._bodies.keys() - present.keys():
            self._gone.append(self._bodies.pop(gone))
        bodies = Bodies(scene)
        for name, row in present.items():
            if name not in self._bodies:
                self._bodies[name] = self._open(name)
            self._publish_body(self._bodies[name], bodies, row)

    def _open(self, name: str) -> dict[str, Any]:
        return {
            topic: self._make(message_type, f"{_ROOT}/{name}/{topic}", lasts=False)
            for topic, (message_type, _) in self._topics.items()
        }

    def _publish_body(self, publishers: dict[str, Any], bodies: Bodies, row: int) -> None:
        for topic, publisher in publishers.items():
            if publisher.get_subscription_count():
                _, write = self._topics[topic]
                message = write(bodies, row)
                if message is not None:
                    publisher.publish(message)

    def _destroy_gone(self) -> None:
        while self._gone:
            for publisher in self._gone.popleft().values():
                self._node.destroy_publisher(publisher)

    def destroy(self) -> None:
        """Take every topic off the graph; in the executor's thread."""
        self._gone.extend(self._bodies.values())
        self._bodies.clear()
        self._destroy_gone()
        self._node.destroy_timer(self._sweep)
        self._node.destroy_publisher(self._tracked)
