"""One record for every source of motion: a clip of one person, in metres, z up, H36M17's joints."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.mocap.text import listed
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17, Skeleton, conversion_matrix

Array = NDArray[np.float64]

# A joint of H36M17 as a weighted sum of a source's joints.
Recipe = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Cameras:
    """C calibrated cameras: point_in_camera = rotation @ point_in_world + translation.

    names                     (C,)
    rotation_world_to_camera  (C, 3, 3)
    translation               (C, 3) metres
    intrinsics                (C, 3, 3) K, pixels
    distortion                (C, 5) k1, k2, p1, p2, k3 as OpenCV has them
    Raises InputError when the shapes disagree.
    """

    names: tuple[str, ...]
    rotation_world_to_camera: Array
    translation: Array
    intrinsics: Array
    distortion: Array

    def __post_init__(self) -> None:
        cameras = len(self.names)
        for name, shape in (
            ("rotation_world_to_camera", (cameras, 3, 3)),
            ("translation", (cameras, 3)),
            ("intrinsics", (cameras, 3, 3)),
            ("distortion", (cameras, 5)),
        ):
            if getattr(self, name).shape != shape:
                raise InputError(
                    f"{name} of {cameras} cameras has the shape {getattr(self, name).shape}, "
                    f"expected {shape}"
                )


@dataclass(frozen=True, eq=False)
class Clip:
    """F frames of one person.

    name, subject, action  as the source names them; action may be empty
    split                  "train", "val", "test", or "" where nobody has decided yet
    positions_in_world     (F, 17, 3) float32, metres, z up; NaN where the source lacks the joint
    frames_per_second      of the positions and the keypoints
    keypoints              (F, C, 17, 2) float32, pixels in each camera's image as a detector found
                           them, NaN = missing; None where the source has none
    cameras                the C cameras; None where the source does not state them
    remarks                what its reader changed or found odd, for people; no file keeps it
    Raises InputError when the shapes disagree, or the frame rate is not positive and finite.
    """

    name: str
    subject: str
    action: str
    split: str
    positions_in_world: FloatArray
    frames_per_second: float
    keypoints: FloatArray | None = None
    cameras: Cameras | None = None
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = self.positions_in_world.shape
        if len(shape) != 3 or shape[1:] != (len(H36M17), 3) or not shape[0]:
            raise InputError(
                f"positions of clip '{self.name}' have the shape {shape}, expected at least one "
                f"frame of ({len(H36M17)}, 3)"
            )
        if not 0 < self.frames_per_second < np.inf:
            raise InputError(
                f"clip '{self.name}' has {self.frames_per_second} frames per second, expected more "
                "than 0"
            )
        if self.keypoints is not None:
            self._check_keypoints(self.keypoints)

    def _check_keypoints(self, keypoints: FloatArray) -> None:
        cameras = keypoints.shape[1] if self.cameras is None else len(self.cameras.names)
        expected = (len(self.positions_in_world), cameras, len(H36M17), 2)
        if keypoints.shape != expected:
            raise InputError(
                f"keypoints of clip '{self.name}' have the shape {keypoints.shape}, "
                f"expected {expected}"
            )


def measured_joints(positions: FloatArray | Array, layout: Skeleton) -> FloatArray:
    """Points (..., J, D) of ``layout`` as H36M17's (..., 17, D) float32, by joint name.

    A joint that is not in the layout under its name or another is NaN: unlike for a detector, a
    mean of other joints is no measurement.
    """
    matrix = conversion_matrix(layout, H36M17)
    chosen = np.full((*positions.shape[:-2], len(H36M17), positions.shape[-1]), np.nan, np.float32)
    for joint, row in enumerate(matrix):
        if np.count_nonzero(row) == 1:
            chosen[..., joint, :] = positions[..., int(row.argmax()), :]
    return chosen


# Joints that some sources never measure, between two that all do.
BETWEEN = {"spine": ("pelvis", "thorax"), "neck_nose": ("thorax", "head_top")}


def with_derived_joints(clip: Clip) -> Clip:
    """The clip with every joint of BETWEEN that is missing in all its frames put midway."""
    positions, keypoints = clip.positions_in_world.copy(), clip.keypoints
    keypoints = None if keypoints is None else keypoints.copy()
    for name, (one, other) in BETWEEN.items():
        joint, ends = H36M17.index(name), [H36M17.index(one), H36M17.index(other)]
        if np.isnan(positions[:, joint]).all():
            positions[:, joint] = positions[:, ends].mean(1)
            if keypoints is not None:
                keypoints[..., joint, :] = keypoints[..., ends, :].mean(-2)
    return replace(clip, positions_in_world=positions, keypoints=keypoints)


def combined_joints(positions: Mapping[str, Array], recipes: Mapping[str, Recipe]) -> FloatArray:
    """Named points (F, 3) combined to H36M17's (F, 17, 3) float32; NaN where there is no recipe.

    Raises InputError for a recipe that names a joint which is not there.
    """
    frames = len(next(iter(positions.values())))
    combined = np.full((frames, len(H36M17), 3), np.nan, np.float32)
    for name, recipe in recipes.items():
        unknown = [part for part in recipe if part not in positions]
        if unknown:
            raise InputError(
                f"joint '{name}' is to be made of '{unknown[0]}', which the skeleton lacks; it has "
                f"{listed(positions)}"
            )
        with np.errstate(over="ignore", invalid="ignore"):  # who reads files checks what comes out
            total = sum(weight * positions[part] for part, weight in recipe.items())
            combined[:, H36M17.index(name)] = total
    return combined


def turned_up(positions: Array, up_axis: str) -> Array:
    """Points (..., 3) of a world whose vertical is ``up_axis``, in a world with z up.

    y up: (x, y, z) becomes (x, -z, y), a quarter turn about x. Raises InputError for another axis.
    """
    if up_axis == "z":
        return positions
    if up_axis == "y":
        return np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], -1)
    raise InputError(f"the up axis is '{up_axis}', expected y or z")
