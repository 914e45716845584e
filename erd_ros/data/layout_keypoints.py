"""What detectors of several layouts see of a person, brought to the model's layout.

A detector finds the joints of its own layout, each with its error; the estimator builds the model's
from them (``skeleton.conversion_matrix``). A joint that is built errs and is missing with those it
is built from.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from erd_ros.data.bodies import ONE_OF_BOTH
from erd_ros.data.own_joints import OwnJoints
from erd_ros.errors import InputError
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17, SKELETONS, Skeleton, conversion_matrix

# Everything that some layout has and some joint of the model is built from. The motion capture has
# no ears: neck_nose is taken to lie halfway from the shoulders' middle to theirs.
_FOUND = (*H36M17.joint_names, "neck", "left_ear", "right_ear")
_INDEX = {name: index for index, name in enumerate(_FOUND)}
_EAR_ASIDE = 0.075  # metres, half a head's breadth
# In sizes of the person, as the mixture fitted in config/errors/mixture.json has them: trunk and
# head, elbows and knees, wrists and ankles.
_DEVIATION = (0.036, 0.051, 0.065)
_OUTLIER_SHARE = (0.03, 0.06, 0.09)
_OUTLIER_HALF_RANGE = 0.48
# How far along its bone a detector may mean another place than motion capture does, a deviation,
# of the bone: on real video MediaPipe has the hips 9 % wider, the nose 17 to 27 % off the neck.
_OTHER_PLACE = {
    "hip": 0.12,
    "shoulder": 0.08,
    "elbow": 0.03,
    "wrist": 0.08,
    "knee": 0.03,
    "ankle": 0.04,
    "nose": 0.15,
    "top": 0.1,
}
_GROUP_OF_PART = {"elbow": 1, "knee": 1, "wrist": 2, "ankle": 2}
_PART = [name.rpartition("_")[2] for name in _FOUND]  # of the body, left or right
_GROUP = [_GROUP_OF_PART.get(part, 0) for part in _PART]


@dataclass(frozen=True)
class LayoutConfig:
    """How detectors see people. Shares are fractions of samples.

    layouts            of the detectors, each as often as the others
    exact_share        samples without errors
    error_level        lowest and highest factor of the fitted errors in the others
    lowest_confidence  of a keypoint that was found; the lower, the larger its error
    overconfident_share  samples of detectors whose confidence says nothing: one number for all
                       that was found, while errors are as large and as wild as ever
    definition_share   samples of detectors that mean other places by the joints' names than motion
                       capture does, nearer or farther along the bone, left as right
    joint_tables       files of `erd data measure-joints`: detectors whose own joints are drawn
    joint_table_share  samples in which the joints are those of one of these detectors
    scattered_share    samples that lose single joints, and up to which probability each
    scattered
    part_share         samples that lose a part of the body: a side, the legs, an arm, the head
    least_seen         a sample keeps at least so many of the model's joints, or all in the image
    """

    layouts: tuple[str, ...] = tuple(SKELETONS)
    exact_share: float = 0.15
    error_level: tuple[float, float] = (0.3, 1.5)
    lowest_confidence: float = 0.3
    overconfident_share: float = 0.0
    definition_share: float = 0.0
    joint_tables: tuple[str, ...] = ()
    joint_table_share: float = 0.5
    scattered_share: float = 0.25
    scattered: float = 0.5
    part_share: float = 0.3
    least_seen: int = 6

    def __post_init__(self) -> None:
        unknown = [name for name in self.layouts if name not in SKELETONS]
        if unknown or not self.layouts:
            raise InputError(
                f"layouts are {', '.join(self.layouts) or 'none'}; choose of {', '.join(SKELETONS)}"
            )
        low, high = self.error_level
        if not 0 <= low <= high:
            raise InputError(f"error_level is {low} to {high}, expected 0 <= low <= high")
        shares = (
            "exact_share",
            "overconfident_share",
            "definition_share",
            "joint_table_share",
            "scattered_share",
            "scattered",
            "part_share",
        )
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 to 1")
        if not 0 < self.lowest_confidence <= 1:
            raise InputError(f"lowest_confidence is {self.lowest_confidence}, expected 0 to 1")


def detect_in_layouts(
    points_in_camera: Tensor, half_image: Tensor, config: LayoutConfig, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Rays (B, J, 2) and confidence (B, J) in H36M17's order, from a layout drawn for each sample.

    points_in_camera  (B, J, 3) metres, z > 0
    half_image        (B, 2) half width and height of the image in normalised image coordinates
    """
    if config.definition_share:
        points_in_camera = _otherwise_defined(points_in_camera, config, generator)
    points = _found(points_in_camera)
    if config.joint_tables:
        points = _as_detectors_mean(points, config, generator)
    exact = points[..., :2] / points[..., 2:]
    confidence = _confidence((len(exact), len(_FOUND)), config, generator)
    rays = exact + _errors(exact, confidence, config, generator)
    in_image = (rays.abs() < half_image[:, None]).all(-1)
    kept = in_image & ~_hidden(len(points), config, generator)
    weights = _conversions(config.layouts).to(rays)
    weights = weights[torch.randint(len(weights), (len(points),), generator=generator)]  # (B, J, K)
    too_few = (_built(weights, kept).sum(1) < config.least_seen)[:, None]
    seen = _built(weights, torch.where(too_few, in_image, kept))
    worst = torch.where(weights > 0, confidence[:, None], torch.inf).amin(-1)
    if config.overconfident_share:
        worst = _overconfident(worst, config, generator)
    return weights @ rays, torch.where(seen, worst, torch.zeros_like(worst))


def _otherwise_defined(points: Tensor, config: LayoutConfig, generator: Generator) -> Tensor:
    """Joints (B, J, 3), of some samples moved along the bones that lead to them."""
    persons = len(points)
    deviation = torch.tensor([_OTHER_PLACE.get(part, 0.0) for part in _PART[: len(H36M17)]])
    moved = torch.randn((persons, len(H36M17)), generator=generator)[:, ONE_OF_BOTH] * deviation
    moved = torch.where(_chosen(persons, config.definition_share, generator)[:, None], moved, 0.0)
    bones = points - points[:, [max(parent, 0) for parent in H36M17.parents]]
    return points + moved[..., None] * bones


def _as_detectors_mean(points: Tensor, config: LayoutConfig, generator: Generator) -> Tensor:
    """Points (B, K, 3) with limbs' joints as detectors mean them, and the neck between them."""
    own = _own_joints(config.joint_tables)
    joints = own.moved(points[:, : len(H36M17)], config.joint_table_share, generator)
    shoulders = [_INDEX[f"{side}_shoulder"] for side in ("left", "right")]
    neck = joints[:, shoulders].mean(1, keepdim=True)
    return torch.cat([joints, neck, points[:, _INDEX["left_ear"] :]], 1)


@lru_cache
def _own_joints(tables: tuple[str, ...]) -> OwnJoints:
    return OwnJoints.read([Path(table) for table in tables])


def _found(points: Tensor) -> Tensor:
    """Points (B, K, 3) of everything that is found, from the model's joints (B, J, 3)."""
    left, right = (points[:, _INDEX[f"{side}_shoulder"]] for side in ("left", "right"))
    neck = (left + right) / 2
    aside = torch.nn.functional.normalize(left - right, dim=-1) * _EAR_ASIDE
    ears = 2 * points[:, _INDEX["neck_nose"]] - neck
    return torch.cat([points, torch.stack([neck, ears + aside, ears - aside], 1)], 1)


@lru_cache
def _conversions(layouts: tuple[str, ...]) -> Tensor:
    """(L, J, K) the model's joints from what is found, layout by layout; zeros: not given."""
    return torch.from_numpy(np.stack([_conversion(SKELETONS[name]) for name in layouts]))


def _conversion(layout: Skeleton) -> FloatArray:
    of_layout = conversion_matrix(layout, H36M17)
    weights = np.zeros((len(H36M17), len(_FOUND)), np.float32)
    for column, name in enumerate(layout.joint_names):
        if name in _INDEX:
            weights[:, _INDEX[name]] = of_layout[:, column]
    return weights


def _built(weights: Tensor, found: Tensor) -> Tensor:
    """(B, J) which of the model's joints can be built from what was found (B, K)."""
    lacking = ((weights > 0) & ~found[:, None]).any(-1)
    return (weights > 0).any(-1) & ~lacking


def _confidence(shape: tuple[int, ...], config: LayoutConfig, generator: Generator) -> Tensor:
    return 1 - (1 - config.lowest_confidence) * _uniform(shape, generator) ** 2


def _overconfident(confidence: Tensor, config: LayoutConfig, generator: Generator) -> Tensor:
    """Confidence (B, J) that in some samples is one number for all joints."""
    persons = len(confidence)
    chosen = _chosen(persons, config.overconfident_share, generator)[:, None]
    return torch.where(chosen, _confidence((persons, 1), config, generator), confidence)


def _errors(
    exact: Tensor, confidence: Tensor, config: LayoutConfig, generator: Generator
) -> Tensor:
    """Errors (B, K, 2) of the fitted mixture, larger and wilder where confidence is low."""
    persons, found = confidence.shape
    offset = exact[:, : len(H36M17)] - exact[:, : len(H36M17)].mean(1, keepdim=True)
    size = (offset * offset).sum(-1).mean(1).sqrt()[:, None, None]
    low, high = config.error_level
    level = low + (high - low) * _uniform((persons, 1, 1), generator)
    level = torch.where(_chosen(persons, config.exact_share, generator)[:, None, None], 0, level)
    deviation = torch.tensor([_DEVIATION[one] for one in _GROUP]) * 2 * (1.25 - confidence)
    jitter = torch.randn(exact.shape, generator=generator)
    share = torch.tensor([_OUTLIER_SHARE[one] for one in _GROUP]) * 4 * (1 - confidence)
    far = _OUTLIER_HALF_RANGE * (2 * _uniform((persons, found, 2), generator) - 1)
    outlier = _uniform((persons, found), generator) < share
    errors = torch.where(outlier[..., None], far, jitter * deviation[..., None])
    return errors * level * size


def _hidden(persons: int, config: LayoutConfig, generator: Generator) -> Tensor:
    """(B, K) which joints are hidden: single ones, or a part of the body."""
    probability = config.scattered * _uniform((persons, 1), generator)
    scattered = _uniform((persons, len(_FOUND)), generator) < probability
    parts = torch.tensor(_parts())
    parts = parts[torch.randint(len(parts), (persons,), generator=generator)]
    what = _uniform((persons, 1), generator)
    by_part = what < config.part_share
    alone = ~by_part & (what < config.part_share + config.scattered_share)
    return (by_part & parts) | (alone & scattered)


@lru_cache
def _parts() -> list[list[bool]]:
    """(P, K) parts of the body that are hidden together."""
    sides = [[name.startswith(side) for name in _FOUND] for side in ("left", "right")]
    legs = [name.endswith(("knee", "ankle")) for name in _FOUND]
    below = [name.endswith(("hip", "knee", "ankle")) or name == "pelvis" for name in _FOUND]
    arms = [
        [name.startswith(side) and name.endswith(("elbow", "wrist")) for name in _FOUND]
        for side in ("left", "right")
    ]
    head = [name.endswith("ear") or name in ("neck_nose", "head_top") for name in _FOUND]
    return [*sides, legs, legs, below, *arms, head]


def _chosen(persons: int, share: float, generator: Generator) -> Tensor:
    return _uniform((persons,), generator) < share


def _uniform(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator)
