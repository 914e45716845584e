"""What the demo can play has a camera and frames; the synthetic sequence. (Files: capture.py.)"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from erd_ros.demo.drawing import Image, draw_keypoints
from erd_ros.geometry.camera import Camera
from erd_ros.pose import Keypoints2D
from erd_ros.synthetic import SyntheticConfig, synthesise


@dataclass(frozen=True, eq=False)
class Frame:
    """One image, RGB (H, W, 3) uint8, and its keypoints where the source knows them.

    time_s  seconds after the first frame
    """

    time_s: float
    image: Image
    keypoints: Keypoints2D | None = None


class Source(Protocol):
    """A camera and its frames.

    rate_hz      at which the frames were, or would be, taken, on average
    description  of the source and its camera, assumptions included
    live         frames come when they come: not paced, not repeated
    """

    camera: Camera
    rate_hz: float
    description: str
    live: bool

    def frames(self) -> Iterator[Frame]:
        """Every frame once, from the start."""
        ...


class SyntheticSource:
    """Two adults that the package makes up; ``rate_hz`` 0 = its own."""

    live = False

    def __init__(self, rate_hz: float = 0.0) -> None:
        config = SyntheticConfig(rate_hz=rate_hz) if rate_hz else SyntheticConfig()
        self._sequence = synthesise(config)
        self.camera = self._sequence.camera
        self.rate_hz = config.rate_hz
        self.description = "synthetic sequence of two adults"

    def frames(self) -> Iterator[Frame]:
        """One period, with a drawing of the keypoints as image."""
        size = self.camera.width, self.camera.height
        for index in range(len(self._sequence)):
            keypoints = self._sequence.keypoints(index)
            time_s = index / self.rate_hz
            yield Frame(time_s, draw_keypoints(size, keypoints), keypoints)
