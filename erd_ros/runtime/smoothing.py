"""Smoothing of positions with a lag that is bounded and can be stated: the One-Euro filter.

Casiez, Roussel and Vogel, 1 Euro filter, CHI 2012: a low-pass filter whose cutoff rises with speed,
calm where nothing moves and quick where something does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError

Array = NDArray[np.float64]

# Time constant of the velocity, seconds: 1 / (2 pi 0.8 Hz), near the 1 Hz that the paper uses.
_VELOCITY_TIME_S = 0.2


@dataclass(frozen=True)
class SmoothingConfig:
    """How much positions may lag.

    lag_s     seconds, at most and reached at rest; 0 = no smoothing
    offset_m  metres by which a point in steady motion lags at most, whatever its speed
    The filter's time constant is 1 / (1 / lag_s + speed / offset_m): in the paper's terms a
    minimal cutoff of 1 / (2 pi lag_s) and a slope beta of 1 / (2 pi offset_m).
    """

    lag_s: float = 0.1
    offset_m: float = 0.03

    def __post_init__(self) -> None:
        if not 0 <= self.lag_s < np.inf:
            raise InputError(f"smoothing lag_s is {self.lag_s}, expected 0 or more")
        if not 0 < self.offset_m < np.inf:
            raise InputError(f"smoothing offset_m is {self.offset_m}, expected above 0")


class OneEuro:
    """Points (n, d), each smoothed by its own speed; metres and seconds.

    velocity  (n, d), of the points as they came, smoothed over 0.2 s; 0 at first
    """

    def __init__(self, points: Array) -> None:
        self.position = np.array(points, np.float64)
        self.velocity = np.zeros_like(self.position)
        self._last = self.position

    def update(self, points: Array, elapsed_s: float, config: SmoothingConfig) -> Array:
        """Smoothed points (n, d), ``elapsed_s`` above 0 after the last ones."""
        measured = (points - self._last) / elapsed_s
        self.velocity = self.velocity + _weight(_VELOCITY_TIME_S, elapsed_s) * (
            measured - self.velocity
        )
        self._last = np.asarray(points, np.float64)
        speed = np.linalg.norm(self.velocity, axis=-1, keepdims=True)
        # Multiplied out, so that a lag of 0 is no division by 0.
        time_s = config.lag_s / (1 + config.lag_s * speed / config.offset_m)
        self.position = self.position + _weight(time_s, elapsed_s) * (points - self.position)
        return self.position


def _weight(time_s: float | Array, elapsed_s: float) -> float | Array:
    """Share of a new value in a low-pass filter of this time constant."""
    return elapsed_s / (elapsed_s + time_s)
