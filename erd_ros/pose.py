"""What the parts of the robot arm hand to each other: persons in 2D and 3D, checked when made."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erd_ros.errors import InputError
from erd_ros.skeleton import Skeleton, conversion_matrix

FloatArray = NDArray[np.float32]
# Pixels from the first one, beyond any image: squares of what a message may hold are infinite.
_FARTHEST_PX = 1e6


def _check_shape(what: str, array: NDArray[np.generic], expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise InputError(f"{what} has shape {array.shape}, expected {expected}")


@dataclass(frozen=True, eq=False)
class Keypoints2D:
    """2D keypoints of the N persons in one image; N may be 0.

    pixels      (N, J, 2) float32, column and row in pixels of the image as published, the centre of
                the first pixel at (0, 0); NaN where missing.
    confidence  (N, J) float32 in 0..1; 0 = missing. A keypoint that is not finite, or farther than
                a million pixels from the first one, is made missing.
    Raises InputError when a shape does not fit the skeleton.
    """

    skeleton: Skeleton
    pixels: FloatArray
    confidence: FloatArray

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):
            pixels = np.array(self.pixels, np.float32)
            confidence = np.array(self.confidence, np.float32)
        persons, joints = len(pixels), len(self.skeleton)
        _check_shape(f"pixels of layout '{self.skeleton.name}'", pixels, (persons, joints, 2))
        _check_shape(f"confidence of layout '{self.skeleton.name}'", confidence, (persons, joints))
        # Written so that NaN is missing.
        missing = ~((np.abs(pixels) <= _FARTHEST_PX).all(-1) & (confidence > 0))
        pixels[missing] = np.nan
        confidence[missing] = 0
        object.__setattr__(self, "pixels", pixels)
        object.__setattr__(self, "confidence", np.minimum(confidence, 1))

    def __len__(self) -> int:
        return len(self.pixels)

    def of(self, persons: ArrayLike) -> "Keypoints2D":
        """Those of some persons, by their indices."""
        rows = np.asarray(persons, np.int64)
        return Keypoints2D(self.skeleton, self.pixels[rows], self.confidence[rows])

    def to_layout(self, target: Skeleton) -> "Keypoints2D":
        """The same persons in another layout, by joint name; what cannot be built is missing."""
        weights = conversion_matrix(self.skeleton, target)
        # NaN * 0 is NaN: missing joints are zeroed for the product, then masked by confidence.
        pixels = np.einsum("ts,nsc->ntc", weights, np.nan_to_num(self.pixels))
        used = weights > 0
        worst = np.where(used, self.confidence[:, None, :], np.inf).min(-1)
        confidence = np.where(used.any(-1), worst, 0).astype(np.float32)
        return Keypoints2D(target, pixels, confidence)


@dataclass(frozen=True, eq=False)
class Pose3D:
    """3D poses of N persons in the camera optical frame (x right, y down, z forward), metres.

    joints_in_camera  (N, J, 3) float32, absolute; NaN for a person whose root could not be solved.
    root_in_camera    (N, 3) float32; NaN likewise.
    confidence        (N, J) float32 in 0..1 of the 2D keypoint behind each joint; 0 = the joint was
                      not seen and its position is inferred from the others.
    residual_px       (N,) float32, root mean square reprojection error over the joints seen,
                      pixels; NaN likewise.
    size              (N, 4) float32, metres from ankle to head top along the body and its standard
                      deviation; both again for what this image alone measures; NaN
                      likewise. None from a model without cues.
    sigma             (N,) float32, standard deviation of the root along the ray to the person,
                      metres; NaN likewise. None from a model without cues.
    deviations        (N, J, 2) float32, standard deviations of the joints across the ray to the
                      person and along it, metres; NaN likewise. None where the model's were not
                      measured.
    Raises InputError when a shape does not fit the skeleton.
    """

    skeleton: Skeleton
    joints_in_camera: FloatArray
    root_in_camera: FloatArray
    confidence: FloatArray
    residual_px: FloatArray
    size: FloatArray | None = None
    sigma: FloatArray | None = None
    deviations: FloatArray | None = None

    def __post_init__(self) -> None:
        persons, joints = len(self.joints_in_camera), len(self.skeleton)
        _check_shape("joints_in_camera", self.joints_in_camera, (persons, joints, 3))
        _check_shape("root_in_camera", self.root_in_camera, (persons, 3))
        _check_shape("confidence", self.confidence, (persons, joints))
        _check_shape("residual_px", self.residual_px, (persons,))
        if self.size is not None:
            _check_shape("size", self.size, (persons, 4))
        if self.sigma is not None:
            _check_shape("sigma", self.sigma, (persons,))
        if self.deviations is not None:
            _check_shape("deviations", self.deviations, (persons, joints, 2))

    def __len__(self) -> int:
        return len(self.joints_in_camera)

    @classmethod
    def unplaced(cls, keypoints: Keypoints2D, skeleton: Skeleton) -> "Pose3D":
        """The persons of the keypoints, somewhere."""
        persons, joints = len(keypoints), len(skeleton)

        def unknown(*shape: int) -> FloatArray:
            return np.full((persons, *shape), np.nan, np.float32)

        confidence = keypoints.to_layout(skeleton).confidence
        return cls(skeleton, unknown(joints, 3), unknown(3), confidence, unknown())

    def of(self, persons: ArrayLike) -> "Pose3D":
        """Those of some persons, by their indices."""
        rows = np.asarray(persons, np.int64)
        chosen: dict[str, Any] = {}
        for one in fields(self)[1:]:  # all but the skeleton
            array = getattr(self, one.name)
            chosen[one.name] = None if array is None else array[rows]
        return replace(self, **chosen)
