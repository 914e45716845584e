"""Where a 2D detector puts each joint on bodies whose joints are known, and how sure it is.

An image shows two coordinates of an error. Many images from all sides together give the mean
offset in the axes of the body (``mocap/body_frames.py``): it is solved for, robustly, from all of
them. What is left is the spread.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.mocap.body_frames import SIDES, body_frames
from erd_ros.mocap.landmarks import BOTH_SIDES
from erd_ros.skeleton import H36M17, Skeleton

Array = NDArray[np.float64]

# Each joint of a detector, both sides as one: the part of the body in whose axes it is measured,
# and its true place where that has another name.
PARTS = {
    "nose": "head", "eye": "head", "ear": "head",
    "shoulder": "chest", "elbow": "{}_upper_arm", "wrist": "{}_forearm",
    "hip": "pelvis", "knee": "{}_thigh", "ankle": "{}_shank",
    "heel": "{}_foot", "big_toe": "{}_foot", "small_toe": "{}_foot", "foot_index": "{}_foot",
}  # fmt: skip
_TRUE_NAME = {"foot_index": "big_toe"}
_BEFORE = {"elbow": "shoulder", "wrist": "elbow", "hip": "shoulder", "knee": "hip", "ankle": "knee"}
# A person without all of these was not found.
_BODY = ("shoulder", "hip", "knee", "ankle")
SCORES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
# Of the size on the image: a person who is not where the keypoints are, and how much nearer the
# keypoints have to come when left and right are exchanged.
_LOST, _EXCHANGED = 0.12, 0.03
_OUTLIER = 4.0  # standard deviations
_FEWEST = 30  # keypoints that a figure is worth giving from
_ROUNDS = 30
_RAYLEIGH_MEDIAN = 1.1774  # median length of a 2D Gaussian of standard deviation 1


@dataclass(frozen=True, eq=False)
class Truth:
    """N images of one person each.

    joints      (N, 17, 3) camera frame, metres, in H36M17's order
    landmarks   (N, 11, 3) likewise, in the order of ``BOTH_SIDES``
    intrinsics  (N, 3, 3) pixels
    image_size  width and height, pixels
    """

    joints: Array
    landmarks: Array
    intrinsics: Array
    image_size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.joints)


@dataclass(frozen=True, eq=False)
class JointPlace:
    """One joint, both sides together; lengths in sizes of the person.

    keypoints  how many were used: where the truth is in the image
    offset     (3,) mean, to the front, to the outside (of the nose: to the left), along the part
    error      (3,) standard deviation of that mean
    std        of what is left, along each axis of the image, most of it (robust)
    outliers   fraction farther off than 4 of these
    scores     by bin of ``SCORES``: fraction of keypoints, std, fraction of outliers; NaN: too few
    sides      correlation of what is left, left with right; NaN for the nose
    before     with the joint before, towards the trunk; NaN where there is none
    """

    keypoints: int
    offset: Array
    error: Array
    std: float
    outliers: float
    scores: Array
    sides: float
    before: float


@dataclass(frozen=True, eq=False)
class DetectorJoints:
    """A detector as measured: fractions of images, and each joint by its name."""

    images: int
    found: float
    lost: float
    exchanged: float
    places: dict[str, JointPlace]


@dataclass(frozen=True, eq=False)
class _Seen:
    """A joint of one side in N images. ``design`` (N, 2, 3) @ offset = ``errors`` (N, 2)."""

    design: Array
    errors: Array
    score: Array
    used: NDArray[np.bool_]


def measured_joints(truth: Truth, keypoints: Array, layout: Skeleton) -> DetectorJoints:
    """Measure a detector by its keypoints (N, J, 3): pixels and score, NaN where nothing was found.

    Images in which it lost the person, or exchanged left and right, are counted and left out of
    the joints' figures. Raises InputError where numbers do not fit or too little was found.
    """
    if keypoints.shape != (len(truth), len(layout), 3):
        raise InputError(
            f"keypoints have shape {keypoints.shape}, expected {(len(truth), len(layout), 3)} of "
            f"layout '{layout.name}'"
        )
    body = [layout.index(f"{side}_{part}") for side in SIDES for part in _BODY]
    found = np.isfinite(keypoints[:, body]).all((1, 2))
    lost, exchanged = _lost_and_exchanged(truth, keypoints, layout)
    good = found & ~lost & ~exchanged
    if good.sum() < _FEWEST:
        raise InputError(
            f"the person was found in {good.sum()} of {len(truth)} images, expected {_FEWEST} or "
            "more"
        )
    sides = {name: _seen(truth, keypoints, layout, name, good) for name in _names(layout)}
    offsets = {part: _offset(_of_part(sides, part)) for part in PARTS if _of_part(sides, part)}
    return DetectorJoints(
        len(truth),
        float(found.mean()),
        float(lost[found].mean()),
        float(exchanged[found].mean()),
        {part: _place(sides, offsets, part) for part in offsets},
    )


def sizes(joints: Array) -> Array:
    """(N,) metres from ankle to head top along the body, legs as the mean of both."""
    bones = np.linalg.norm(np.diff(joints[:, _chain("pelvis", "head_top")], axis=1), axis=-1)
    legs = [
        np.linalg.norm(np.diff(joints[:, _chain(f"{side}_hip", f"{side}_ankle")], axis=1), axis=-1)
        for side in SIDES
    ]
    total: Array = bones.sum(1) + np.mean(legs, 0).sum(1)
    return total


def _chain(first: str, last: str) -> list[int]:
    chain = [H36M17.index(last)]
    while chain[-1] != H36M17.index(first):
        chain.append(H36M17.parents[chain[-1]])
    return chain


def _names(layout: Skeleton) -> list[str]:
    return [name for name in layout.joint_names if _part(name) in PARTS]


def _part(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")


def _of_part(sides: dict[str, _Seen], part: str) -> list[_Seen]:
    return [seen for name, seen in sides.items() if _part(name) == part]


def _true_points(truth: Truth, name: str) -> Array:
    part = _part(name)
    name = name.replace(part, _TRUE_NAME.get(part, part))
    if name in BOTH_SIDES:
        return truth.landmarks[:, BOTH_SIDES.index(name)]
    return truth.joints[:, H36M17.index(name)]


def _pixels(truth: Truth, points: Array) -> Array:
    image: Array = np.einsum("nij,nj->ni", truth.intrinsics, points / points[:, 2:])[:, :2]
    return image


def _pixels_of_size(truth: Truth) -> Array:
    """(N,) how many pixels the person's size has on the image, at the depth of the pelvis."""
    scale: Array = truth.intrinsics[:, 0, 0] * sizes(truth.joints) / truth.joints[:, 0, 2]
    return scale


def _lost_and_exchanged(
    truth: Truth, keypoints: Array, layout: Skeleton
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    distances = []
    for named in (SIDES, SIDES[::-1]):
        apart = [
            np.abs(
                keypoints[:, layout.index(f"{side}_{part}"), :2]
                - _pixels(truth, _true_points(truth, f"{other}_{part}"))
            ).sum(-1)
            for part in _BODY
            for side, other in zip(SIDES, named, strict=True)
        ]
        distances.append(np.mean(apart, 0) / _pixels_of_size(truth))
    # NaN, where nobody was found, is neither.
    lost = np.minimum(*distances) > _LOST
    return lost, distances[1] < distances[0] - _EXCHANGED


def _seen(
    truth: Truth, keypoints: Array, layout: Skeleton, name: str, good: NDArray[np.bool_]
) -> _Seen:
    points = _true_points(truth, name)
    exact, found = _pixels(truth, points), keypoints[:, layout.index(name)]
    # Pixels that a move of one size along each axis of the part makes, by the size in pixels.
    toes = truth.landmarks[:, [BOTH_SIDES.index(f"{side}_big_toe") for side in SIDES]]
    side = "right" if name.startswith("right_") else "left"
    frames = body_frames(truth.joints.astype(np.float32), toes.astype(np.float32))
    axes = frames[PARTS[_part(name)].format(side)].astype(np.float64)
    if side == "right":
        axes = axes * np.array([1, -1, 1])  # y to the outside
    rays = points[:, :2] / points[:, 2:]
    design = axes[:, :2] - rays[..., None] * axes[:, 2:]
    scale = truth.intrinsics[:, 0, 0] * sizes(truth.joints) / points[:, 2]
    inside = ((exact >= 0) & (exact <= np.array(truth.image_size) - 1)).all(-1)
    errors = (found[:, :2] - exact) / scale[:, None]
    used = good & inside & np.isfinite(design).all((1, 2)) & np.isfinite(errors).all(1)
    return _Seen(design, errors, found[:, 2], used)


def _offset(sides: list[_Seen]) -> Array:
    """(3,) by least squares, reweighted so that outliers count little (Cauchy's weights)."""
    design = np.concatenate([seen.design[seen.used] for seen in sides])
    errors = np.concatenate([seen.errors[seen.used] for seen in sides])
    weight = np.ones(len(errors))
    for _ in range(_ROUNDS):
        rows = (design * weight[:, None, None]).reshape(-1, 3)
        offset: Array = np.linalg.lstsq(rows, (errors * weight[:, None]).reshape(-1), rcond=None)[0]
        lengths = np.linalg.norm(errors - design @ offset, axis=-1)
        weight = 1 / np.sqrt(1 + (lengths / (2 * _std(lengths))) ** 2)
    return offset


def _std(lengths: Array) -> float:
    """Standard deviation along one axis of 2D errors of these lengths, robust."""
    return max(float(np.median(lengths)) / _RAYLEIGH_MEDIAN, 1e-12)


def _place(sides: dict[str, _Seen], offsets: dict[str, Array], part: str) -> JointPlace:
    seen, offset = _of_part(sides, part), offsets[part]
    design = np.concatenate([one.design[one.used] for one in seen])
    left = np.concatenate([(one.errors - one.design @ offset)[one.used] for one in seen])
    score = np.concatenate([one.score[one.used] for one in seen])
    lengths = np.linalg.norm(left, axis=-1)
    std = _std(lengths)
    information = np.einsum("nij,nik->jk", design, design) / std**2
    before = _BEFORE.get(part)
    return JointPlace(
        len(left),
        offset,
        np.sqrt(np.diag(np.linalg.inv(information))),
        std,
        float((lengths > _OUTLIER * std).mean()),
        _by_score(lengths, score, std),
        _correlation(sides, offsets, *(f"{side}_{part}" for side in SIDES)),
        float(
            np.mean([_correlation(sides, offsets, f"{s}_{part}", f"{s}_{before}") for s in SIDES])
        ),
    )


def _by_score(lengths: Array, score: Array, std: float) -> Array:
    """(bins, 3) fraction, std, fraction of outliers."""
    figures = np.full((len(SCORES) - 1, 3), np.nan)
    bins = np.clip(np.digitize(score, SCORES) - 1, 0, len(figures) - 1)
    for number, row in enumerate(figures):
        chosen = lengths[bins == number]
        row[0] = len(chosen) / len(lengths)
        if len(chosen) >= _FEWEST:
            row[1:] = _std(chosen), (chosen > _OUTLIER * std).mean()
    return figures


def _correlation(sides: dict[str, _Seen], offsets: dict[str, Array], one: str, other: str) -> float:
    """Of what is left of two joints' errors, without outliers; NaN where one is lacking."""
    if one not in sides or other not in sides:
        return float("nan")
    both = sides[one].used & sides[other].used
    left = []
    for name in (one, other):
        rest = (sides[name].errors - sides[name].design @ offsets[_part(name)])[both]
        lengths = np.linalg.norm(rest, axis=-1)
        both_small = lengths <= _OUTLIER * _std(lengths)
        left.append((rest, both_small))
    small = left[0][1] & left[1][1]
    first, second = (rest[small].reshape(-1) for rest, _ in left)
    return float(np.corrcoef(first, second)[0, 1]) if len(first) >= _FEWEST else float("nan")
