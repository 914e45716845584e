"""What stands on the topics of a body, after REP-155: box, 2D skeleton, joint angles, image."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image, JointState

from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.ros.bodies import body_rotations
from erd_ros.ros.foreign import SKELETON2D
from erd_ros.ros.human_model import human_joint_angles
from erd_ros.ros.images import image_from_rgb
from erd_ros.ros.parameters import IMAGE_INPUTS, NodeParameters
from erd_ros.ros.scene import Scene


class Bodies:
    """The persons of a scene as the topics need them, computed when first asked for."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    @cached_property
    def _normalised(self) -> FloatArray:
        """(n, 18, 3) of those seen, in the order of Skeleton2D."""
        assert self.scene.size is not None
        return normalised(self.scene.keypoints, self.scene.size)

    @cached_property
    def rotations(self) -> NDArray[np.float64]:
        """(N, 3, 3), see ``body_rotations``."""
        return body_rotations(self.scene.people)

    def points(self, row: int) -> FloatArray | None:
        """(18, 3) x and y as parts of the image, and confidence; None for who is not in it."""
        if self.scene.size is None or row >= len(self.scene.keypoints):
            return None
        return np.asarray(self._normalised[row])

    def box(self, row: int) -> FloatArray | None:
        """(2, 2) upper left and lower right corner of the points seen, likewise."""
        points = self.points(row)
        if points is None or not (points[:, 2] > 0).any():
            return None
        seen = points[points[:, 2] > 0, :2]
        return np.asarray(np.stack([seen.min(0), seen.max(0)]))


# From the bodies of a scene and the row of one to a message, or None when there is nothing to say.
Writer = Callable[[Bodies, int], Any]


def topics_of_body(messages: Any, parameters: NodeParameters) -> dict[str, tuple[type, Writer]]:
    """The topics that are offered for each body: type and what fills them.

    messages  the module hri_msgs.msg
    """

    def roi(bodies: Bodies, row: int) -> Any:
        return _roi(messages, bodies, row)

    def skeleton(bodies: Bodies, row: int) -> Any:
        return _skeleton2d(messages, bodies, row)

    topics: dict[str, tuple[type, Writer]] = {
        "roi": (messages.NormalizedRegionOfInterest2D, roi),
        "skeleton2d": (messages.Skeleton2D, skeleton),
    }
    if parameters.publish_joint_states:
        topics["joint_states"] = (JointState, _joint_states)
    if parameters.publish_cropped and parameters.input in IMAGE_INPUTS:
        topics["cropped"] = (Image, _cropped)
    return topics


def _roi(messages: Any, bodies: Bodies, row: int) -> Any:
    points, box = bodies.points(row), bodies.box(row)
    if points is None or box is None:
        return None
    (xmin, ymin), (xmax, ymax) = box.tolist()
    confidence = float(points[points[:, 2] > 0, 2].mean())
    return messages.NormalizedRegionOfInterest2D(
        header=bodies.scene.source, xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax, c=confidence
    )


def _skeleton2d(messages: Any, bodies: Bodies, row: int) -> Any:
    points = bodies.points(row)
    if points is None:
        return None
    point = messages.NormalizedPointOfInterest2D
    skeleton = [point(x=x, y=y, c=c) for x, y, c in points.tolist()]
    return messages.Skeleton2D(header=bodies.scene.source, skeleton=skeleton)


def _joint_states(bodies: Bodies, row: int) -> JointState | None:
    people, rotation = bodies.scene.people, bodies.rotations[row]
    if not np.isfinite(rotation).all():
        return None
    angles = human_joint_angles(people.skeleton, people.joints[row], rotation)
    return JointState(
        header=bodies.scene.source,
        name=[f"{name}_{people.ids[row]}" for name in angles],
        position=list(angles.values()),
    )


def _cropped(bodies: Bodies, row: int) -> Image | None:
    image, box = bodies.scene.image, bodies.box(row)
    if image is None or box is None:
        return None
    height, width = image.shape[:2]
    last = np.array([width, height]) - 1
    # A point on the right or lower edge of the image belongs to the last pixel.
    (left, top), (right, bottom) = np.minimum(box * (width, height), last).astype(int).tolist()
    return image_from_rgb(image[top : bottom + 1, left : right + 1], bodies.scene.source)


def normalised(keypoints: Keypoints2D, size: tuple[int, int]) -> FloatArray:
    """(N, 18, 3) in the order of Skeleton2D; 0, 0, 0 for what was not seen.

    size  (width, height) of the image in pixels
    """
    known = keypoints.to_layout(SKELETON2D)
    # Their (0, 0) is the corner of the image, where our pixels begin at -0.5.
    places = np.clip((known.pixels + 0.5) / np.array(size, np.float32), 0, 1)
    seen = known.confidence[..., None]
    return np.asarray(np.concatenate([np.where(seen > 0, places, 0), seen], -1), np.float32)
