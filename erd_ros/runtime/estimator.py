"""From the 2D keypoints of one image to metric 3D poses in the camera frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erd_ros.cues import CUES, Cues
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.pose import FloatArray, Keypoints2D, Pose3D
from erd_ros.runtime import Backend
from erd_ros.runtime.plausible import in_image, possible_places, spread_enough, spread_px
from erd_ros.runtime.roll import run_upright
from erd_ros.runtime.uncertainty import joint_deviations
from erd_ros.skeleton import Skeleton, conversion_matrix

Mask = NDArray[np.bool_]

_FARTHEST_PX = 1e9


@dataclass(frozen=True)
class EstimatorConfig:
    """What counts as seen.

    min_keypoints   a person with fewer usable keypoints, counted as the detector gave them, is not
                    estimated; two keypoints are the least that a root can be solved from
    min_confidence  0..1; a keypoint below it is missing
    image_margin    fraction of the image's longer side; a keypoint that far outside the image, a
                    detector's guess about what it cannot see, is missing
    """

    min_keypoints: int = 5
    min_confidence: float = 0.3
    image_margin: float = 0.1

    def __post_init__(self) -> None:
        if self.min_keypoints < 2:
            raise InputError(f"min_keypoints is {self.min_keypoints}, expected 2 or more")
        if not 0 <= self.min_confidence <= 1:
            raise InputError(f"min_confidence is {self.min_confidence}, expected 0 to 1")
        if not self.image_margin >= 0:
            raise InputError(f"image_margin is {self.image_margin}, expected 0 or more")


class Estimator:
    """Runs a model on the keypoints of any layout; keeps nothing between images."""

    def __init__(self, backend: Backend, config: EstimatorConfig | None = None) -> None:
        self.backend = backend
        self.config = config or EstimatorConfig()
        self._table = np.array(backend.info.deviations, np.float32)

    @property
    def skeleton(self) -> Skeleton:
        """Layout of the poses that come out."""
        return self.backend.info.skeleton

    def estimate(
        self, keypoints: Keypoints2D, camera: Camera, cues: Sequence[Cues] | None = None
    ) -> Pose3D:
        """Poses of the same N persons in the same order, in the camera optical frame, metres.

        cues  what is known of each person besides, for a model that takes them

        A person is NaN throughout (confidence aside) when fewer than ``min_keypoints`` usable
        keypoints were seen or all in one place, or when the answer is impossible: not finite, the
        root or a joint that was seen not in front of the camera, a place, a size or a reprojection
        error that no person has (``plausible``). ``residual_px`` compares with the pixels as they
        were given, lens distortion included.
        Raises InputError when the model cannot use the keypoints' layout, for cues to a model
        that takes none, and for another number of them than of persons.
        """
        rows = _cue_rows(cues, len(keypoints))
        usable = self._usable_columns(keypoints.skeleton)
        keypoints = self._trusted(keypoints, camera)
        enough = (keypoints.confidence[:, usable] > 0).sum(-1) >= self.config.min_keypoints
        keypoints = keypoints.to_layout(self.skeleton)
        enough &= spread_enough(keypoints)
        rays = camera.rays(keypoints.pixels).astype(np.float32)
        known = None if rows is None else rows[enough]
        seen = keypoints.confidence[enough]
        outputs = run_upright(self.backend, self.skeleton, rays[enough], seen, known)
        root = _spread(outputs.root, enough)
        joints = _spread(outputs.joints + outputs.root[:, None], enough)
        _erase_impossible(root, joints, keypoints.confidence > 0)
        residual = _residual_px(camera.project(joints), keypoints)
        impossible = ~possible_places(
            root,
            _of_placed(outputs.size, enough, enough),
            _of_placed(outputs.sigma, enough, enough),
            residual / np.maximum(spread_px(keypoints), 1),
        )
        for values in (root, joints, residual):
            values[impossible] = np.nan
        placed = np.isfinite(root).all(-1)
        size = _of_placed(outputs.size, enough, placed)
        sigma = _of_placed(outputs.sigma, enough, placed)
        confidence = keypoints.confidence
        deviations = self._deviations(confidence > 0, size, sigma)
        return Pose3D(self.skeleton, joints, root, confidence, residual, size, sigma, deviations)

    def _deviations(
        self, seen: Mask, size: FloatArray | None, sigma: FloatArray | None
    ) -> FloatArray | None:
        if not self._table.size or size is None or sigma is None:
            return None
        return joint_deviations(self._table, seen, size[:, 0], sigma)

    def _usable_columns(self, source: Skeleton) -> Mask:
        """Which of the detector's keypoints the model's joints are built from."""
        usable: Mask = (conversion_matrix(source, self.skeleton) > 0).any(0)
        if usable.sum() < self.config.min_keypoints:
            raise InputError(
                f"only {usable.sum()} keypoints of layout '{source.name}' "
                f"({', '.join(source.joint_names)}) mean anything to the model's "
                f"'{self.skeleton.name}' ({', '.join(self.skeleton.joint_names)}), at least "
                f"{self.config.min_keypoints} are needed; name the keypoints as the model does"
            )
        return usable

    def _trusted(self, keypoints: Keypoints2D, camera: Camera) -> Keypoints2D:
        """The keypoints without those of low confidence, far outside, or beyond the lens."""
        trusted = (
            in_image(keypoints.pixels, (camera.width, camera.height), self.config.image_margin)
            & (keypoints.confidence >= self.config.min_confidence)
            & np.isfinite(camera.rays(keypoints.pixels)).all(-1)
        )
        confidence = np.where(trusted, keypoints.confidence, 0)
        return Keypoints2D(keypoints.skeleton, keypoints.pixels, confidence)


def _spread(values: FloatArray, chosen: Mask) -> FloatArray:
    """Values of the chosen persons to their places among all; NaN for the others."""
    spread = np.full((len(chosen), *values.shape[1:]), np.nan, np.float32)
    spread[chosen] = values
    return spread


def _of_placed(values: FloatArray | None, chosen: Mask, placed: Mask) -> FloatArray | None:
    if values is None:
        return None
    spread = _spread(values, chosen)
    spread[~placed] = np.nan
    return spread


def _cue_rows(cues: Sequence[Cues] | None, persons: int) -> FloatArray | None:
    """(N, C) float32, as the graph reads them."""
    if cues is None:
        return None
    if len(cues) != persons:
        raise InputError(f"cues of {len(cues)} persons for {persons}; give one per person")
    return np.array([cue.row() for cue in cues], np.float32).reshape(persons, len(CUES))


def _erase_impossible(root: FloatArray, joints: FloatArray, seen: Mask) -> None:
    """Make NaN, in place, persons who are not finite or whose seen points are not in front."""
    in_front = (root[:, 2] > 0) & ((joints[..., 2] > 0) | ~seen).all(-1)
    possible = in_front & np.isfinite(root).all(-1) & np.isfinite(joints).all((-1, -2))
    root[~possible] = np.nan
    joints[~possible] = np.nan


def _residual_px(projected: NDArray[np.float64], keypoints: Keypoints2D) -> FloatArray:
    """Root mean square distance (N,) of projected (N, J, 2) to seen keypoints; NaN for none."""
    # NaN where either is missing; nobody is as far off as float32 holds.
    offset = np.clip(projected - keypoints.pixels, -_FARTHEST_PX, _FARTHEST_PX)
    squared = (offset**2).sum(-1)
    compared = np.isfinite(squared)
    total = np.where(compared, squared, 0).sum(-1)
    count = compared.sum(-1)
    mean = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return np.asarray(np.sqrt(mean), np.float32)
