"""Fixed virtual cameras, and what is seen through them: exactly, or as a detector would."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.mocap import CameraPoses, Mocap
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17, Skeleton, conversion_matrix

# A clip that walks past the camera is left out where a joint comes nearer than this, metres.
_NEAREST = 0.5
# DET2D-like errors, in sizes of the person (root mean square distance of keypoints from their
# mean, about 0.5 m): a standard deviation of 15 mm, and one joint in fifty far off.
_NOISE, _OUTLIER, _OUTLIER_SHARE = 0.03, 0.4, 0.02
_NOT_DETECTED = ("pelvis", "spine", "thorax", "head_top")


@dataclass(frozen=True, eq=False)
class FixedViews:
    """Poses before the cameras: the same for every model.

    points_in_camera  (F, J, 3) metres
    source            (F,) index of the source of motion capture
    action            (F,) index of the action, as the motion capture counts them
    track             (F,) number of the clip's and camera's own: frames of one person in turn
    up                (F, 3) away from the ground, camera frame
    camera_height     (F,) metres above the ground
    camera_names      of the C cameras, taken in turn
    left_out          poses that came too near a camera or lack a joint
    """

    points_in_camera: NDArray[np.float64]
    source: NDArray[np.int64]
    action: NDArray[np.int64]
    track: NDArray[np.int64]
    up: NDArray[np.float64]
    camera_height: NDArray[np.float64]
    camera_names: tuple[str, ...]
    left_out: int


@dataclass(frozen=True, eq=False)
class Scene:
    """What goes into the model, rays (F, J, 2) and confidence (F, J), and the truth, metres."""

    rays: FloatArray
    confidence: FloatArray
    joints: NDArray[np.float64]
    root: NDArray[np.float64]


def fixed_views(mocap: Mocap, cameras: CameraPoses) -> FixedViews:
    """Each clip with its mean root at the studio's origin, frame f before camera f modulo C.

    Heights above the ground stay as recorded; nothing is turned or scaled. All joints count, also
    those that a camera's image would cut off; a pose that lacks one is left out. Raises InputError
    when no pose is left.
    """
    camera = np.arange(len(mocap)) % len(cameras.names)
    rotation, translation = cameras.rotation_world_to_camera[camera], cameras.translation[camera]
    points = mocap.centred() @ np.swapaxes(rotation, 1, 2) + translation[:, None]
    kept = points[..., 2].min(1) >= _NEAREST
    if not kept.any():
        raise InputError(
            f"none of {len(mocap)} poses has all {len(H36M17)} joints and {_NEAREST} m of room "
            f"before the cameras; choose other sources than {', '.join(mocap.sources)}"
        )
    up = rotation[:, :, 2]
    return FixedViews(
        points[kept],
        mocap.source[kept],
        mocap.action[kept],
        (mocap.clip * len(cameras.names) + camera)[kept],
        up[kept],
        -(up * translation).sum(-1)[kept],
        cameras.names,
        int((~kept).sum()),
    )


def exact_scene(views: FixedViews, generator: Generator) -> Scene:
    """Keypoints where the joints are (GT2D); nothing is drawn."""
    rays = views.points_in_camera[..., :2] / views.points_in_camera[..., 2:]
    return _scene(views, rays, np.ones(rays.shape[:2]))


def detected_scene(views: FixedViews, generator: Generator) -> Scene:
    """Keypoints with noise and outliers, in a layout as detectors have it (like DET2D).

    The detector knows no head top, and pelvis, spine and thorax are derived from hips and
    shoulders, as the estimator does it.
    """
    rays = views.points_in_camera[..., :2] / views.points_in_camera[..., 2:]
    offset = rays - rays.mean(1, keepdims=True)
    size = np.sqrt((offset**2).sum(-1).mean(1))[:, None, None]
    outlier = generator.random((*rays.shape[:2], 1)) < _OUTLIER_SHARE
    level = np.where(outlier, _OUTLIER, _NOISE)
    rays = rays + generator.standard_normal(rays.shape) * level * size
    detected = [i for i, name in enumerate(H36M17.joint_names) if name not in _NOT_DETECTED]
    names = tuple(H36M17.joint_names[i] for i in detected)
    weights = conversion_matrix(Skeleton("detected", names, (-1,) * len(names)), H36M17)
    confidence = np.broadcast_to((weights > 0).any(1).astype(float), rays.shape[:2])
    return _scene(views, np.einsum("ts,nsc->ntc", weights, rays[:, detected]), confidence)


def _scene(views: FixedViews, rays: NDArray[np.float64], confidence: NDArray[np.float64]) -> Scene:
    root = views.points_in_camera[:, 0]
    return Scene(
        rays.astype(np.float32),
        confidence.astype(np.float32),
        views.points_in_camera - root[:, None],
        root,
    )


SCENES = {"exact": exact_scene, "detected": detected_scene}
