"""Skeletons for RViz, by its own display types.

Per person three markers, in the namespaces ``bones``, ``joints`` and ``labels``. The marker's id
is the CRC-32 of the person's id without its top bit (``marker_id``): the same person has the same
markers and colour at any time and in any process.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Vector3
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from erd_ros.ros.bodies import torso
from erd_ros.ros.scene import Scene
from erd_ros.runtime.people import People

NAMESPACES = ("bones", "joints", "labels")

# Ten colours that can be told apart (Tableau 10), red, green, blue in 0..1.
COLOURS = (
    (0.12, 0.47, 0.71),
    (1.00, 0.50, 0.05),
    (0.17, 0.63, 0.17),
    (0.84, 0.15, 0.16),
    (0.58, 0.40, 0.74),
    (0.55, 0.34, 0.29),
    (0.89, 0.47, 0.76),
    (0.50, 0.50, 0.50),
    (0.74, 0.74, 0.13),
    (0.09, 0.75, 0.81),
)
_INFERRED_ALPHA = 0.25  # joints that were not seen, and bones that end in one, are pale
_LABEL_HEIGHT_M = 0.15


@dataclass(frozen=True)
class MarkerStyle:
    """Sizes in metres, lifetime in seconds."""

    joint_diameter: float = 0.06
    bone_width: float = 0.025
    labels: bool = True
    lifetime: float = 1.0


def marker_id(person_id: str) -> int:
    """Id of a person's markers, 0 to 2**31 - 1."""
    return zlib.crc32(person_id.encode()) & 0x7FFFFFFF


def colour(person_id: str) -> tuple[float, float, float]:
    """A person's colour: that of the number which ends the id, so that b0001 and b0002 differ."""
    digits = person_id[len(person_id.rstrip("0123456789")) :]
    return COLOURS[(int(digits) if digits else marker_id(person_id)) % len(COLOURS)]


class SkeletonMarkers:
    """Draws people; remembers who was drawn, to delete their markers when they are gone."""

    def __init__(self, style: MarkerStyle) -> None:
        self.style = style
        self._drawn: set[str] = set()

    def draw(self, scene: Scene) -> MarkerArray:
        """The markers of everyone whose place is known, and deletions of those drawn before."""
        people = scene.people
        known = {
            person_id: index
            for index, person_id in enumerate(people.ids)
            if person_id and people.placed[index]
        }
        markers = [
            Marker(header=scene.header, ns=namespace, id=marker_id(gone), action=Marker.DELETE)
            for gone in sorted(self._drawn - known.keys())
            for namespace in NAMESPACES
        ]
        for person_id, index in known.items():
            markers += self._person(scene, person_id, index)
        self._drawn = set(known)
        return MarkerArray(markers=markers)

    def _person(self, scene: Scene, person_id: str, index: int) -> list[Marker]:
        people = scene.people
        points = [Point(x=x, y=y, z=z) for x, y, z in people.joints[index].tolist()]
        red, green, blue = colour(person_id)
        vivid = ColorRGBA(r=red, g=green, b=blue, a=1.0)
        pale = ColorRGBA(r=red, g=green, b=blue, a=_INFERRED_ALPHA)
        seen = (people.confidence[index] > 0).tolist()
        bones = self._marker(scene, person_id, "bones", Marker.LINE_LIST, vivid)
        bones.scale.x = self.style.bone_width
        for parent, child in people.skeleton.bones:
            bones.points += [points[parent], points[child]]
            bones.colors += [vivid if seen[parent] and seen[child] else pale] * 2
        joints = self._marker(scene, person_id, "joints", Marker.SPHERE_LIST, vivid)
        diameter = self.style.joint_diameter
        joints.scale = Vector3(x=diameter, y=diameter, z=diameter)
        joints.points = points
        joints.colors = [vivid if joint_seen else pale for joint_seen in seen]
        return [bones, joints, *self._labels(scene, person_id, index, vivid)]

    def _labels(self, scene: Scene, person_id: str, index: int, vivid: ColorRGBA) -> list[Marker]:
        if not self.style.labels:
            return []
        label = self._marker(scene, person_id, "labels", Marker.TEXT_VIEW_FACING, vivid)
        x, y, z = _above_head(scene.people, index).tolist()
        label.pose.position = Point(x=x, y=y, z=z)
        label.scale.z = _LABEL_HEIGHT_M
        label.text = person_id
        return [label]

    def _marker(
        self, scene: Scene, person_id: str, namespace: str, kind: int, vivid: ColorRGBA
    ) -> Marker:
        marker = Marker(
            header=scene.header,
            ns=namespace,
            id=marker_id(person_id),
            type=kind,
            action=Marker.ADD,
            color=vivid,
            lifetime=_duration(self.style.lifetime),
        )
        marker.pose.orientation.w = 1.0
        return marker


def _above_head(people: People, index: int) -> NDArray[np.float64]:
    """(3,) a little beyond the joint farthest from the pelvis in the direction of the chest."""
    _, _, top = torso(people.skeleton)
    joints, root = people.joints[index], people.root[index]
    up = joints[top] - root
    up = up / max(float(np.linalg.norm(up)), 1e-9)
    return np.asarray(joints[((joints - root) @ up).argmax()] + _LABEL_HEIGHT_M * up)


def _duration(seconds: float) -> Duration:
    whole, part = divmod(seconds, 1)
    return Duration(sec=int(whole), nanosec=int(part * 1e9))
