"""The robot protocol's 2D keypoints: six detectors' layouts, their errors, joints not seen."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from erd_ros.evaluate.robot_views import RobotViews
from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.skeleton import H36M17, SKELETONS, Skeleton, conversion_matrix

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LAYOUTS = tuple(SKELETONS)
# What hides joints: kind to its share of the poses.
HIDDEN = {"nothing": 0.5, "scattered": 0.2, "one side": 0.1, "legs": 0.1, "one arm": 0.1}
LEAST_SEEN = 6  # of the model's joints; a person of whom less would be left is not hidden
# AbsPoseLifter's mixture (eq. 8) as config/errors/mixture.json has it, in sizes of the person (root
# mean square distance of the keypoints from their mean; 104.5 pixels in the median there): trunk
# and head, elbows and knees, wrists and ankles.
DEVIATION = (0.036, 0.051, 0.065)
OUTLIER_SHARE = (0.03, 0.06, 0.09)
OUTLIER_HALF_RANGE = 0.48
# Confidence is 1 - 0.7 u^2, u uniform. Where it is low the Gaussian is wider and outliers are more
# frequent; the divisors keep both as above in the mean over all keypoints.
_CONFIDENCE_RANGE = 0.7
_WIDER, _WIDER_MEAN = 1.5, 0.7625
_OUTLIERS_MEAN = _CONFIDENCE_RANGE / 3
_SCATTERED = (0.1, 0.4)  # lowest and highest probability of a joint to be hidden
# The motion capture has no ears. They are where `skeleton.conversion_matrix` takes them to be, as
# far from neck_nose as that from the shoulders' middle, half a head's breadth to either side.
_EAR_ASIDE = 0.075  # metres


@dataclass(frozen=True, eq=False)
class RobotKeypoints:
    """What goes into the model for F poses, in H36M17's order.

    rays        (F, J, 2), 0 where not seen
    confidence  (F, J), 0 where not seen
    layout      (F,) index into LAYOUTS: of the detector that the keypoints come from
    hidden      (F,) index into the keys of HIDDEN
    """

    rays: FloatArray
    confidence: FloatArray
    layout: NDArray[np.int64]
    hidden: NDArray[np.int64]

    def chosen(self, mask: Mask) -> "RobotKeypoints":
        """The poses of a (F,) mask."""
        return RobotKeypoints(*(getattr(self, one.name)[mask] for one in fields(self)))


def robot_keypoints(views: RobotViews, generator: Generator) -> RobotKeypoints:
    """Each pose by a detector of one of the layouts, brought to H36M17 as the estimator does it."""
    persons = len(views)
    layout = generator.integers(len(LAYOUTS), size=persons)
    hidden = generator.choice(len(HIDDEN), size=persons, p=list(HIDDEN.values()))
    rays = np.zeros((persons, len(H36M17), 2), np.float32)
    confidence = np.zeros((persons, len(H36M17)), np.float32)
    for index, name in enumerate(LAYOUTS):
        chosen = np.flatnonzero(layout == index)
        seen = _seen_by(SKELETONS[name], views, chosen, hidden[chosen], generator)
        rays[chosen], confidence[chosen] = np.nan_to_num(seen.pixels), seen.confidence
    return RobotKeypoints(rays, confidence, layout, hidden)


def whole_body(views: RobotViews, generator: Generator) -> tuple[FloatArray, FloatArray]:
    """Rays (F, J, 2) and confidence (F, J) by a detector of H36M17's layout, nothing hidden."""
    everyone = np.arange(len(views))
    seen = _seen_by(H36M17, views, everyone, np.zeros_like(everyone), generator)
    return np.nan_to_num(seen.pixels), seen.confidence


def _seen_by(
    skeleton: Skeleton,
    views: RobotViews,
    chosen: NDArray[np.int64],
    hidden: NDArray[np.int64],
    generator: Generator,
) -> Keypoints2D:
    """The chosen poses in H36M17's layout; rays take the place of pixels."""
    points = _joints_of(skeleton, views.points_in_camera[chosen])
    exact = points[..., :2] / points[..., 2:]
    confidence = 1 - _CONFIDENCE_RANGE * generator.random(exact.shape[:2]) ** 2
    size = _size(views.points_in_camera[chosen])
    errors = _errors(skeleton, confidence, generator) * size[:, None, None]
    rays = np.asarray(exact + errors, np.float64)
    # NaN, for joints that the motion capture lacks, is never inside.
    inside = (np.abs(rays) < views.half_image[chosen][:, None]).all(-1)
    hiding = _hiding(skeleton, hidden, generator)
    hidden_too = _to_model(skeleton, rays, np.where(inside & ~hiding, confidence, 0))
    in_image = _to_model(skeleton, rays, np.where(inside, confidence, 0))
    too_few = (hidden_too.confidence > 0).sum(1) < LEAST_SEEN
    return Keypoints2D(
        H36M17,
        np.where(too_few[:, None, None], in_image.pixels, hidden_too.pixels),
        np.where(too_few[:, None], in_image.confidence, hidden_too.confidence),
    )


def _to_model(skeleton: Skeleton, rays: Array, confidence: Array) -> Keypoints2D:
    given = Keypoints2D(skeleton, rays.astype(np.float32), confidence.astype(np.float32))
    return given.to_layout(H36M17)


def _joints_of(skeleton: Skeleton, points: Array) -> Array:
    """A layout's joints (F, K, 3) from H36M17's (F, J, 3); NaN where nothing is known of one."""
    weights = conversion_matrix(H36M17, skeleton).astype(np.float64)
    joints = np.einsum("ks,fsc->fkc", weights, points)
    joints[:, ~weights.any(1)] = np.nan
    left, right = (points[:, H36M17.index(f"{side}_shoulder")] for side in ("left", "right"))
    aside = (left - right) / np.linalg.norm(left - right, axis=-1, keepdims=True) * _EAR_ASIDE
    middle = 2 * points[:, H36M17.index("neck_nose")] - (left + right) / 2
    for name, ear in (("left_ear", middle + aside), ("right_ear", middle - aside)):
        if name in skeleton.joint_names:
            joints[:, skeleton.index(name)] = ear
    return np.asarray(joints)


def _size(points_in_camera: Array) -> Array:
    """(F,) root mean square distance of the true keypoints from their mean."""
    rays = points_in_camera[..., :2] / points_in_camera[..., 2:]
    offset = rays - rays.mean(1, keepdims=True)
    return np.asarray(np.sqrt((offset**2).sum(-1).mean(1)))


def _errors(skeleton: Skeleton, confidence: Array, generator: Generator) -> Array:
    """Errors (F, K, 2) of keypoints of such confidence (F, K), in sizes of the person."""
    parts = [name.rpartition("_")[2] for name in skeleton.joint_names]
    group = [{"elbow": 1, "knee": 1, "wrist": 2, "ankle": 2}.get(part, 0) for part in parts]
    deviation = np.array(DEVIATION)[group] * (_WIDER - confidence) / _WIDER_MEAN
    share = np.array(OUTLIER_SHARE)[group] * (1 - confidence) / _OUTLIERS_MEAN
    jitter = generator.standard_normal((*confidence.shape, 2)) * deviation[..., None]
    far = generator.uniform(-OUTLIER_HALF_RANGE, OUTLIER_HALF_RANGE, jitter.shape)
    outlier = generator.random(confidence.shape) < share
    return np.where(outlier[..., None], far, jitter)


def _hiding(skeleton: Skeleton, hidden: NDArray[np.int64], generator: Generator) -> Mask:
    """(F, K) which joints are hidden; ``hidden`` (F,) says by what."""
    persons, names = len(hidden), skeleton.joint_names
    probability = generator.uniform(*_SCATTERED, (persons, 1))
    side = np.where(generator.random(persons) < 0.5, "left", "right")
    of_side = np.array([[name.startswith(one) for name in names] for one in side])
    masks = {
        "nothing": np.zeros((persons, len(names)), bool),
        "scattered": generator.random((persons, len(names))) < probability,
        "one side": of_side,
        "legs": np.broadcast_to(_named(names, ("knee", "ankle")), of_side.shape),
        "one arm": of_side & _named(names, ("elbow", "wrist")),
    }
    stacked = np.stack([masks[kind] for kind in HIDDEN])
    return np.asarray(stacked[hidden, np.arange(persons)])


def _named(names: tuple[str, ...], parts: tuple[str, ...]) -> Mask:
    return np.array([name.endswith(parts) for name in names])
