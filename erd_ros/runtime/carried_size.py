"""A person's size, carried from frame to frame with its variance.

Frames of one track share their errors: a camera that is tilted a little otherwise than thought, a
person on tiptoe. Information that many frames repeat must not count as often as it is said, so
they are joined by covariance intersection (Julier and Uhlmann 1997), whose variance holds however
the errors depend on each other. Each frame's share is its information: the sure ones decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erd_ros.cues import CUES, Cues
from erd_ros.runtime.plausible import SIZE_M

_COLUMN = {name: index for index, name in enumerate(CUES)}
_OF_GROUND = [_COLUMN["camera_height_variance"], _COLUMN["tilt_variance"]]
_JOINED = [_COLUMN["size"], _COLUMN["size_variance"], *_OF_GROUND]
_ONE = np.array([0])
# Metres of standard deviation: an image that says less of a size says nothing, and none says more.
_SUREST, _WORTH_CARRYING = 1e-4, 1.0

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
        """Rows (P, C) of the graph's cues with what is carried joined to the size in them.

        Where the ground is known too, the size came from it in part: both count half.
        """
        rows = np.array(cues, np.float64)
        carried, told = 1 / self.variance[persons], 1 / rows[:, _COLUMN["size_variance"]]
        both = (carried > 0) & np.isfinite(rows[:, _OF_GROUND[0]])
        carried = np.where(both, carried / 2, carried)
        known = carried + told > 0
        information = np.where(known, carried + told, 1)
        mean = (carried * self.size[persons] + told * rows[:, _COLUMN["size"]]) / information
        rows[:, _COLUMN["size"]] = np.where(known, mean, rows[:, _COLUMN["size"]])
        rows[:, _COLUMN["size_variance"]] = np.where(known, 1 / information, np.inf)
        rows[:, _OF_GROUND] *= np.where(both, 2.0, 1.0)[:, None]
        return rows


class SizesByPerson:
    """What is carried of everyone who has an id."""

    def __init__(self) -> None:
        self._carried: dict[str, CarriedSize] = {}

    def told(self, ids: Sequence[str], cues: Sequence[Cues]) -> list[Cues]:
        """The cues of these persons, with the sizes that images before have measured."""
        return [self._of_one(name, of_one) for name, of_one in zip(ids, cues, strict=True)]

    def learn(self, ids: Sequence[str], size: ArrayLike) -> None:
        """After an image; ``size`` (N, 4) as the graph gives it, NaN for who was not estimated.

        A size that nobody has is not learned.
        """
        smallest, largest = SIZE_M
        for name, (found, deviation) in zip(ids, np.asarray(size)[:, 2:], strict=True):
            sure = _SUREST < deviation < _WORTH_CARRYING
            if name and sure and smallest <= found <= largest:
                before = self._carried.get(name, CarriedSize.unknown(1))
                self._carried[name] = before.with_frame(_ONE, [found], [deviation])

    def forget(self, ids: Sequence[str]) -> None:
        """Of persons who are gone."""
        for name in ids:
            self._carried.pop(name, None)

    def _of_one(self, name: str, cues: Cues) -> Cues:
        if name not in self._carried:
            return cues
        row = self._carried[name].as_cue(_ONE, cues.row()[None])[0]
        size, size_variance, height_variance, tilt_variance = row[_JOINED]
        return replace(
            cues,
            size=float(size),
            size_deviation=float(np.sqrt(size_variance)),
            camera_height_deviation=float(np.sqrt(height_variance)),
            tilt_deviation=float(np.sqrt(tilt_variance)),
        )
