"""What a robot may know of a person besides keypoints, and how well: the graph's input ``cues``.

Each cue stands with its variance; an infinite one means that the cue is absent, and then its value
has no influence. All of it is in metres and radians, in the camera's frame.
"""

import math
from dataclasses import dataclass

import numpy as np

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray

# Columns of the graph's input.
CUES = (
    "size", "size_variance",
    "up_x", "up_y", "up_z", "camera_height", "camera_height_variance", "tilt_variance",
    "depth", "depth_variance",
)  # fmt: skip
# The joints that lie one above the other in a person who stands upright: their distances along this
# chain add up to the size, the same in every pose. Legs: the mean of both sides.
SPINE = ("pelvis", "spine", "thorax", "neck_nose", "head_top")
LEG = ("hip", "knee", "ankle")
ANKLE_HEIGHT = 0.08  # metres above the ground of a foot that stands on it
# Metres: far beyond what is real, and the graph's float32 holds the square.
_LARGEST = 1e6


@dataclass(frozen=True)
class Cues:
    """What is known of one person; a deviation of infinity: not known.

    size           metres from ankle to head top along the body
    up             unit vector away from the ground, camera frame
    camera_height  metres above the ground
    tilt_deviation radians, of the direction ``up``
    depth          z of the pelvis in the camera frame, metres
    Raises InputError for values that are not finite, beyond a thousand kilometres, or not positive
    where they must be.
    """

    size: float = 1.6
    size_deviation: float = math.inf
    up: tuple[float, float, float] = (0.0, -1.0, 0.0)
    camera_height: float = 1.0
    camera_height_deviation: float = math.inf
    tilt_deviation: float = 0.0
    depth: float = 3.0
    depth_deviation: float = math.inf

    def __post_init__(self) -> None:
        for name in ("size", "depth"):
            if not 0 < getattr(self, name) <= _LARGEST:
                raise InputError(
                    f"{name} is {getattr(self, name)}, expected metres above 0, up to {_LARGEST:g}"
                )
        for name in ("size_deviation", "camera_height_deviation", "depth_deviation"):
            if not getattr(self, name) > 0:
                raise InputError(
                    f"{name} is {getattr(self, name)}, expected above 0; infinity says not known"
                )
        if not (abs(self.camera_height) <= _LARGEST and 0 <= self.tilt_deviation <= _LARGEST):
            raise InputError(
                f"camera_height {self.camera_height}, tilt_deviation {self.tilt_deviation}: "
                f"expected numbers up to {_LARGEST:g}, the deviation 0 or more"
            )
        length = math.hypot(*self.up)
        if not abs(length - 1) < 1e-3:
            raise InputError(f"up {self.up} has length {length:.4g}, expected a unit vector")

    def row(self) -> FloatArray:
        """(C,) float32: one row of the graph's input, in the order of ``CUES``."""
        values = (
            self.size, _variance(self.size_deviation),
            *self.up, self.camera_height, _variance(self.camera_height_deviation),
            _variance(self.tilt_deviation), self.depth, _variance(self.depth_deviation),
        )  # fmt: skip
        return np.array(values, np.float32)


def _variance(deviation: float) -> float:
    """Infinite, as of what is not known, for deviations whose squares float32 does not hold."""
    return deviation**2 if deviation <= _LARGEST else math.inf
