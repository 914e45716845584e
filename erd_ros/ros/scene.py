"""What one image said, ready to be published."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from erd_ros.errors import ErdError
from erd_ros.msg import Person3DArray
from erd_ros.pose import Keypoints2D
from erd_ros.ros.images import ImageArray
from erd_ros.runtime.people import People
from erd_ros.skeleton import Skeleton, conversion_matrix

Mask = NDArray[np.bool_]


class FrameError(ErdError):
    """A frame could not be used; ``cause`` is counted, the message says what to do."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True)
class Scene:
    """The persons of one image.

    source     header of the input, untouched
    header     of the outputs: the same stamp, and the frame that the persons stand in
    people     those seen, in the order of the keypoints, then those predicted or ended
    possible   (J,) joints that the detector's layout can give
    keypoints  as they were seen
    size       (width, height) of the image in pixels; None = not known
    image      (height, width, 3) uint8 RGB; None = only its keypoints came
    state      of the node, a constant of Person3DArray
    problem    why nobody could be placed
    origin     (3,) of the camera in the frame of the persons, metres
    """

    source: Header
    header: Header
    people: People
    possible: Mask
    keypoints: Keypoints2D
    size: tuple[int, int] | None = None
    image: ImageArray | None = None
    state: int = Person3DArray.FULL
    problem: FrameError | None = None
    origin: Sequence[float] | NDArray[np.float64] = (0.0, 0.0, 0.0)


def possible_joints(source: Skeleton, target: Skeleton) -> Mask:
    """(J,) joints of ``target`` that keypoints in the layout ``source`` can give."""
    return np.asarray(conversion_matrix(source, target).any(axis=1))
