"""Joints of people as real detectors mean them: moved by what was measured on drawn people.

The tables are those of ``config/detectors/`` (``data/joint_table.py``). The twelve joints of the
limbs are moved; what a detector gives of face and feet the model does not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from erd_ros.data.joint_table import read_offsets
from erd_ros.models.sizing import size_of
from erd_ros.skeleton import H36M17

_SIDES = ("left", "right")
_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
# As ``mocap/body_frames.py`` has them.
_KNEE_BENT, _ELBOW_BENT, _KNEE_WEIGHT = 0.2, 0.12, 2.0


@dataclass(frozen=True, eq=False)
class OwnJoints:
    """Offsets (T, 6, 3) of T detectors, in sizes of the person: front, outside, along the part."""

    offsets: Tensor

    @classmethod
    def read(cls, paths: Sequence[Path]) -> "OwnJoints":
        """Of the files' joints. Raises InputError for a file that cannot be used."""
        tables = [read_offsets(path, _LIMBS) for path in paths]
        rows = [[list(table[part]) for part in _LIMBS] for table in tables]
        return cls(torch.tensor(rows, dtype=torch.float32))

    def moved(self, points: Tensor, share: float, generator: Generator) -> Tensor:
        """Joints (B, 17, 3) of people, of a share of them as one of the detectors means them."""
        people = len(points)
        chosen = torch.rand((people,), generator=generator) < share
        table = torch.randint(len(self.offsets), (people,), generator=generator)
        offsets = self.offsets.to(points)[table] * size_of(points, H36M17)[:, None, None]
        offsets = torch.where(chosen[:, None, None], offsets, torch.zeros_like(offsets))
        moved = points.clone()
        for side in _SIDES:
            outside = torch.tensor([1.0, 1.0 if side == "left" else -1.0, 1.0])
            for number, (part, axes) in enumerate(zip(_LIMBS, _axes(points, side), strict=True)):
                along = (axes @ (offsets[:, number] * outside)[..., None]).squeeze(-1)
                joint = H36M17.index(f"{side}_{part}")
                moved[:, joint] = points[:, joint] + along
        return moved


def _axes(points: Tensor, side: str) -> list[Tensor]:
    """Axes (B, 3, 3) in which each of ``_LIMBS`` is moved, as ``mocap/body_frames.py`` has them."""

    def at(name: str) -> Tensor:
        return points[:, H36M17.index(name)]

    trunk = at("thorax") - at("pelvis")
    chest = _frame(trunk, at("left_shoulder") - at("right_shoulder"))
    pelvis = _frame(trunk, at("left_hip") - at("right_hip"))
    shoulder, elbow, wrist, hip, knee, ankle = (at(f"{side}_{part}") for part in _LIMBS)
    upper, fore = normalize(shoulder - elbow, dim=-1), normalize(elbow - wrist, dim=-1)
    thigh, shank = normalize(hip - knee, dim=-1), normalize(knee - ankle, dim=-1)
    across = torch.linalg.cross(fore, upper)
    straight = torch.linalg.vector_norm(across, dim=-1, keepdim=True) < _ELBOW_BENT
    arm_y = torch.where(straight, chest[..., 1], across)
    across = torch.linalg.cross(thigh, shank)
    bent = torch.linalg.vector_norm(across, dim=-1, keepdim=True)
    left = pelvis[..., 1]
    same_way = (across * left).sum(-1, keepdim=True).sign()
    leg_y = left + _KNEE_WEIGHT * (bent - _KNEE_BENT).clamp(min=0) * same_way * across
    return [
        chest,
        _frame(upper, arm_y),
        _frame(fore, arm_y),
        pelvis,
        _frame(thigh, leg_y),
        _frame(shank, leg_y),
    ]


def _frame(along_z: Tensor, near_y: Tensor) -> Tensor:
    z = normalize(along_z, dim=-1)
    x = normalize(torch.linalg.cross(near_y, z), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], -1)
