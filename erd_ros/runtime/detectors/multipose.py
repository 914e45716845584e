"""MoveNet MultiPose Lightning (Google, 2021) as a finder of everybody in an image."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import BackendError, InputError
from erd_ros.pose import Keypoints2D
from erd_ros.runtime.detectors import check_image
from erd_ros.runtime.detectors.graphs import WEIGHTS, Graph
from erd_ros.runtime.detectors.multipose_decode import Maps, People2D, decode
from erd_ros.runtime.detectors.oks import merged
from erd_ros.skeleton import COCO17

_STRIDE = 32
# Pixels of the input by which the network's keypoints lie too far left and above; from real images
# and their mirror images, of which 256 pixels gave 0.30 and 384 gave 0.17.
_SHIFT_PX = 0.25
_HEADS = ("center", "box_scale", "box_offset", "kpt_heatmap", "kpt_regress", "kpt_offset")


@dataclass(frozen=True)
class MultiPoseConfig:
    """How the finder looks.

    sizes       long sides in pixels at which the image is looked at; small ones find near people,
                large ones far people
    min_center  0..1, score of a person's centre below which nobody is there
    min_score   0..1, of a person
    same        0..1, OKS above which two found at different sizes are one person
    most        people at most
    threads     of the processor
    """

    sizes: tuple[int, ...] = (256, 512)
    min_center: float = 0.1
    min_score: float = 0.15
    same: float = 0.4
    most: int = 64
    threads: int = 1

    def __post_init__(self) -> None:
        if not self.sizes or not all(_STRIDE <= size <= 2048 for size in self.sizes):
            raise InputError(f"sizes is {self.sizes}, expected one or more of 32 to 2048 pixels")
        for name in ("min_center", "min_score", "same"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 to 1")
        for name in ("most", "threads"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 1 or more")


class MultiPose:
    """Finds people in single images; see ``MultiPoseConfig``. Raises as ``Graph`` does."""

    def __init__(self, config: MultiPoseConfig | None = None, file: Path | None = None) -> None:
        self.config = config or MultiPoseConfig()
        file = file or WEIGHTS / "movenet_multipose_heads.onnx"
        self._graph = Graph(file, _HEADS, self.config.threads)

    def __call__(self, image_rgb: NDArray[np.uint8]) -> People2D:
        """Everybody in an image (H, W, 3), each once, the best first, in the image's pixels."""
        found = [self._at(image_rgb, size) for size in self.config.sizes]
        people = People2D(
            np.concatenate([people.keypoints for people in found]),
            np.concatenate([people.boxes for people in found]),
            np.concatenate([people.scores for people in found]),
        )
        people = people.chosen(people.scores >= self.config.min_score)
        return merged(people, self.config.same).chosen(np.s_[: self.config.most])

    def _at(self, image_rgb: NDArray[np.uint8], size: int) -> People2D:
        """Everybody who is found at one size."""
        small = letterboxed(image_rgb, size)
        outputs = self._graph(small.image[None].astype(np.int32))
        center, *others = (output[0] for output in outputs)
        people = decode(Maps(center[0], *others), self.config.min_center, self.config.most)
        scale = np.array(small.scale, np.float32)
        keypoints = people.keypoints.copy()
        keypoints[..., :2] = (keypoints[..., :2] + _SHIFT_PX) / scale - 0.5
        return replace(people, keypoints=keypoints, boxes=people.boxes / np.tile(scale, 2) - 0.5)


@dataclass(frozen=True, eq=False)
class Letterboxed:
    """A scaled image, black right and below up to multiples of 32 pixels.

    image  (h, w, 3) uint8
    scale  its pixels for one of the original's, across and down
    """

    image: NDArray[np.uint8]
    scale: tuple[float, float]


def letterboxed(image_rgb: NDArray[np.uint8], size: int) -> Letterboxed:
    """The image with a long side of ``size`` pixels, its aspect ratio kept to half a pixel."""
    height, width = image_rgb.shape[:2]
    ratio = size / max(height, width)
    small_width, small_height = max(round(width * ratio), 1), max(round(height * ratio), 1)
    # The mean over the pixels that fall into one: other ways let fine patterns through.
    small = cv2.resize(image_rgb, (small_width, small_height), interpolation=cv2.INTER_AREA)
    padding = ((0, -small_height % _STRIDE), (0, -small_width % _STRIDE), (0, 0))
    return Letterboxed(np.pad(small, padding), (small_width / width, small_height / height))


class MultiPoseDetector:
    """The finder alone; see ``erd_ros.runtime.detectors.Detector``."""

    skeleton = COCO17

    def __init__(self, config: MultiPoseConfig | None = None) -> None:
        self._finder: MultiPose | None = MultiPose(config)

    def __call__(self, image_rgb: NDArray[np.uint8], stamp_s: float | None = None) -> Keypoints2D:
        """Keypoints of everybody; nothing is kept between images, so the stamp is not needed."""
        check_image(image_rgb)
        if self._finder is None:
            raise BackendError("the multipose detector is closed; make another")
        keypoints = self._finder(image_rgb).keypoints
        return Keypoints2D(self.skeleton, keypoints[..., :2], keypoints[..., 2])

    def close(self) -> None:
        """Free the network."""
        self._finder = None
