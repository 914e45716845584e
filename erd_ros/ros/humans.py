"""REP-155: each body on topics of its own below /humans/bodies, for hri_rviz, libhri and pyhri."""

import importlib
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from std_msgs.msg import Header

from erd_ros.pose import Keypoints2D
from erd_ros.ros.foreign import SKELETON2D
from erd_ros.ros.scene import Scene

_ROOT = "/humans/bodies"
# Made by the node with the reliability that libhri asks for.
MakePublisher = Callable[[type, str], Any]


def hri_messages() -> Any | None:
    """The module hri_msgs.msg where it is installed."""
    try:
        return importlib.import_module("hri_msgs.msg")
    except ImportError:
        return None


class _Body(NamedTuple):
    roi: Any
    skeleton: Any


class Humans:
    """Publishes who is there, and of each body the box and the 2D skeleton."""

    def __init__(self, node: Node, messages: Any, make_publisher: MakePublisher) -> None:
        self._node, self._messages, self._make = node, messages, make_publisher
        self._tracked = make_publisher(messages.IdsList, f"{_ROOT}/tracked")
        self._bodies: dict[str, _Body] = {}
        # Scenes come from the worker's thread. The executor fails when a publisher is destroyed
        # while it builds its wait set, so that it has to do that itself.
        self._gone: deque[_Body] = deque()
        self._sweep = node.create_guard_condition(self._destroy_gone)

    def publish(self, scene: Scene) -> None:
        """The bodies of a scene. Those predicted are tracked still, those ended are gone."""
        people = scene.people
        present = [
            name for name, ended in zip(people.ids, people.ended, strict=True) if name and not ended
        ]
        self._tracked.publish(self._messages.IdsList(header=scene.source, ids=present))
        for gone in self._bodies.keys() - set(present):
            self._gone.append(self._bodies.pop(gone))
            self._sweep.trigger()
        for name in present:
            if name not in self._bodies:
                self._bodies[name] = self._open(name)
        if scene.size is None:
            return
        normalised = _normalised(scene.keypoints, scene.size)
        seen = people.ids[: len(normalised)]
        for name, points in zip(seen, normalised, strict=True):
            if name:
                self._publish_body(self._bodies[name], scene.source, points)

    def _open(self, name: str) -> _Body:
        messages = self._messages
        return _Body(
            self._make(messages.NormalizedRegionOfInterest2D, f"{_ROOT}/{name}/roi"),
            self._make(messages.Skeleton2D, f"{_ROOT}/{name}/skeleton2d"),
        )

    def _publish_body(self, body: _Body, header: Header, points: NDArray[np.float32]) -> None:
        """``points`` (18, 3): x and y as parts of the image, and confidence."""
        seen = points[points[:, 2] > 0]
        if len(seen) and body.roi.get_subscription_count():
            (xmin, ymin), (xmax, ymax) = seen[:, :2].min(0).tolist(), seen[:, :2].max(0).tolist()
            body.roi.publish(
                self._messages.NormalizedRegionOfInterest2D(
                    header=header,
                    xmin=xmin,
                    ymin=ymin,
                    xmax=xmax,
                    ymax=ymax,
                    c=float(seen[:, 2].mean()),
                )
            )
        if body.skeleton.get_subscription_count():
            point = self._messages.NormalizedPointOfInterest2D
            skeleton = [point(x=x, y=y, c=c) for x, y, c in points.tolist()]
            body.skeleton.publish(self._messages.Skeleton2D(header=header, skeleton=skeleton))

    def _destroy_gone(self) -> None:
        while self._gone:
            for publisher in self._gone.popleft():
                self._node.destroy_publisher(publisher)

    def destroy(self) -> None:
        """Take every topic off the graph; in the executor's thread."""
        self._gone.extend(self._bodies.values())
        self._bodies.clear()
        self._destroy_gone()
        self._node.destroy_guard_condition(self._sweep)
        self._node.destroy_publisher(self._tracked)


def _normalised(keypoints: Keypoints2D, size: tuple[int, int]) -> NDArray[np.float32]:
    """(N, 18, 3) in the order of Skeleton2D; 0, 0, 0 for what was not seen."""
    known = keypoints.to_layout(SKELETON2D)
    # Their (0, 0) is the corner of the image, where our pixels begin at -0.5.
    places = np.clip((known.pixels + 0.5) / np.array(size, np.float32), 0, 1)
    seen = known.confidence[..., None]
    return np.asarray(np.concatenate([np.where(seen > 0, places, 0), seen], -1), np.float32)
