"""Bodies of the body model Anny, from children of three years to elders.

Anny (Bregier et al.) is published under Apache-2.0, MakeHuman's assets in it under CC0. Its heights
follow the WHO's growth tables. It is needed to make a table of bodies, and never after.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.mocap.body_table import LANDMARKS
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17

# From Anny's axes (left, back, up) to ours (front, left, up).
_TO_OURS = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
_CENTRES = {
    "hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot",
    "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist",
}  # fmt: skip
# The rig's hips lie wider and higher than hips of people do: of the way from one to the other, and
# of the trunk; so that grown-ups' hips are as wide and as high as ``mocap/ansur.py`` has them.
_HIPS_NEARER, _HIPS_LOWER = 0.735, 0.0275
_AT_ONCE = 64
YOUNGEST, GROWN_UP, OLDEST = 3.0, 18.0, 90.0


@dataclass(frozen=True, eq=False)
class Modelled:
    """B bodies in Anny's rest pose: metres, x to the front, y to the left, z up.

    sex        (B,) f or m
    age        (B,) years
    height     (B,) from the lowest to the highest point
    joints     (B, 17, 3) in H36M17's order
    landmarks  (B, 6, 3) in the order of ``LANDMARKS``
    """

    sex: NDArray[np.str_]
    age: FloatArray
    height: FloatArray
    joints: FloatArray
    landmarks: FloatArray


def load_anny() -> Any:
    """The package. Raises InputError where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import anny
    except ImportError as error:
        raise InputError(
            f"bodies come from the body model Anny, which cannot be imported ({error}): "
            "pip install anny==0.6.2, into an environment of its own if need be"
        ) from error
    return anny


def modelled_bodies(count: int, seed: int) -> Modelled:
    """Draw bodies, half of them of 3 to 18 years, half of them older; as many women as men.

    Raises InputError where Anny is not installed, or the count is not 2 or more.
    """
    if count < 2:
        raise InputError(f"{count} bodies, expected 2 or more")
    anny = load_anny()
    model = anny.Anny()
    torch.manual_seed(seed)
    return _rest(anny, model, *drawn_phenotypes(model, count))


def drawn_phenotypes(model: Any, count: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Ages (count,) and what the model takes, of PyTorch's own generator; half are children."""
    children = count // 2
    parts = [(children, YOUNGEST, GROWN_UP), (count - children, GROWN_UP, OLDEST)]
    drawn = [_drawn(model, *part) for part in parts]
    age = torch.cat([one[0] for one in drawn])
    phenotypes = {name: torch.cat([one[1][name] for one in drawn]) for name in drawn[0][1]}
    order = torch.randperm(count)
    return age[order], {name: one[order] for name, one in phenotypes.items()}


def _drawn(
    model: Any, count: int, youngest: float, oldest: float
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    from anny.shape_distribution import SimpleShapeDistribution

    kind: Any = {"dtype": model.dtype, "device": model.device}
    low, high = (torch.tensor(one, **kind) for one in (youngest, oldest))
    distribution = SimpleShapeDistribution(model, torch.distributions.Uniform(low, high))
    age, phenotypes = distribution.sample(count)
    return age, phenotypes


def _rest(anny: Any, model: Any, age: torch.Tensor, phenotypes: Mapping[str, Any]) -> Modelled:
    find = anny.KeypointsRegressor.coco(model)
    heights, joints, landmarks = [], [], []
    for first in range(0, len(age), _AT_ONCE):
        part = {name: one[first : first + _AT_ONCE] for name, one in phenotypes.items()}
        with torch.no_grad():
            body = model(phenotype_kwargs=part)
            keypoints = find({"vertices": body["rest_vertices"]})
        vertices = ours(body["rest_vertices"])
        heights.append(np.ptp(vertices[..., 2], axis=1))
        found = dict(zip(find.labels, ours(keypoints).swapaxes(0, 1), strict=True))
        heads = dict(
            zip(model.bone_labels, ours(body["rest_bone_heads"]).swapaxes(0, 1), strict=True)
        )
        highest = vertices[np.arange(len(vertices)), vertices[..., 2].argmax(1)]
        joints.append(rig_joints(heads, found, highest))
        landmarks.append(np.stack([found[name] for name in LANDMARKS], 1))
    women = phenotypes["gender"].numpy() > 0.5
    return Modelled(
        np.where(women, "f", "m"),
        age.numpy().astype(np.float32),
        np.concatenate(heights),
        np.concatenate(joints),
        np.concatenate(landmarks),
    )


def ours(points: torch.Tensor) -> FloatArray:
    """Points (..., 3) of Anny in our axes."""
    turned: FloatArray = points.numpy().astype(np.float32) @ _TO_OURS.T
    return turned


def rig_joints(
    heads: Mapping[str, FloatArray], found: Mapping[str, FloatArray], top: FloatArray
) -> FloatArray:
    """(B, 17, 3) from where the rig's bones begin, the ears, and the top (B, 3) of the head."""
    points = {
        f"{side}_{part}": heads[f"{bone}.{side[0].upper()}"]
        for side in ("left", "right")
        for part, bone in _CENTRES.items()
    }
    points["thorax"] = (points["left_shoulder"] + points["right_shoulder"]) / 2
    middle = (points["left_hip"] + points["right_hip"]) / 2
    points["pelvis"] = middle + _HIPS_LOWER * (middle - points["thorax"])
    for side in ("left_hip", "right_hip"):
        points[side] = points["pelvis"] + _HIPS_NEARER * (points[side] - middle)
    points["spine"] = (points["pelvis"] + points["thorax"]) / 2
    ears = (found["left_ear"] + found["right_ear"]) / 2
    points["neck_nose"] = (points["thorax"] + ears) / 2
    points["head_top"] = top
    return np.stack([points[name] for name in H36M17.joint_names], 1)
