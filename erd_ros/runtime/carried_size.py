"""A person's size, carried from frame to frame with its variance.

Frames of one track share their errors: a camera that is tilted a little otherwise than thought, a
person on tiptoe. Information that many frames repeat must not count as often as it is said, so
they are joined by covariance intersection (Julier and Uhlmann 1997), whose variance holds however
the errors depend on each other. Each frame's share is its information: the sure ones decide.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erd_ros.cues import CUES

_COLUMN = {name: index for index, name in enumerate(CUES)}
_OF_GROUND = [_COLUMN["camera_height_variance"], _COLUMN["tilt_variance"]]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CarriedSize:
    """What the frames so far say of the sizes of N persons.

    information  (N,) sum over frames, 1/m^2
    squared      (N,) sum of the squares, 1/m^4
    of_size      (N,) sum of the squares times the frame's size, 1/m^3
    """

    information: Array
    squared: Array
    of_size: Array

    @classmethod
    def unknown(cls, persons: int) -> "CarriedSize":
        """Before the first frame."""
        return cls(*(np.zeros(persons) for _ in range(3)))

    @property
    def size(self) -> Array:
        """(N,) metres; 1 where nothing is known."""
        known = self.squared > 0
        return np.divide(self.of_size, self.squared, out=np.ones_like(self.of_size), where=known)

    @property
    def variance(self) -> Array:
        """(N,) m^2; infinite where nothing is known."""
        nothing = np.full_like(self.information, np.inf)
        return np.divide(self.information, self.squared, out=nothing, where=self.squared > 0)

    def with_frame(
        self, persons: NDArray[np.int64], size: ArrayLike, deviation: ArrayLike
    ) -> "CarriedSize":
        """After one more frame.

        persons          (P,) indices of those who were seen, each once
        size, deviation  (P,) metres, what the frame itself measures: the graph's ``size[:, 2:]``
        """
        information = 1 / np.square(np.asarray(deviation, np.float64))
        squared = information**2
        sums = np.stack([self.information, self.squared, self.of_size])
        sums[:, persons] += np.stack([information, squared, squared * np.asarray(size)])
        return CarriedSize(*sums)

    def as_cue(self, persons: NDArray[np.int64], cues: ArrayLike) -> Array:
        """Rows (P, C) of the graph's cues with the size of these persons as the known one.

        Where the ground is known too, the size came from it in part: both count half.
        """
        rows = np.array(cues, np.float64)
        both = np.isfinite(self.variance[persons]) & np.isfinite(rows[:, _OF_GROUND[0]])
        discount = np.where(both, 2.0, 1.0)
        rows[:, _COLUMN["size"]] = self.size[persons]
        rows[:, _COLUMN["size_variance"]] = discount * self.variance[persons]
        rows[:, _OF_GROUND] *= discount[:, None]
        return rows
