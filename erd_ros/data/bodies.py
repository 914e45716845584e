"""Other bodies than those recorded: mirrored, turned, larger or smaller, of other proportions."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from erd_ros.mocap.body_table import read_bodies
from erd_ros.models.sizing import size_of
from erd_ros.skeleton import H36M17

# Of each joint and its mirror image the same one: what is drawn for it goes for both.
ONE_OF_BOTH = [min(joint, mirrored) for joint, mirrored in enumerate(H36M17.flip)]
_ARMS = [
    [H36M17.index(f"{side}_{part}") for side in ("left", "right")]
    for part in ("shoulder", "elbow", "wrist")
]
# Of forearm to upper arm, joint centres: Winter has 0.79 (2009), de Leva 0.95 (1996).
_FOREARM = (0.78, 0.98)


def augmented(
    persons: Tensor,
    person_scale: float,
    bone_scale: float,
    forearm_share: float,
    generator: Generator,
) -> Tensor:
    """Persons (B, J, 3) turned about the vertical at 0, scaled, half of them mirrored.

    person_scale, bone_scale, forearm_share  see ``SimulationConfig``
    """
    size = len(persons)
    mirror = (torch.rand((size, 1, 1), generator=generator) < 0.5).expand_as(persons)
    mirrored = persons[:, list(H36M17.flip)] * torch.tensor([-1.0, 1.0, 1.0])
    persons = torch.where(mirror, mirrored, persons)
    if forearm_share:
        persons = with_anatomical_forearms(persons, forearm_share, generator)
    if bone_scale:
        persons = with_other_bones(persons, bone_scale, generator)
    scale = 1 + person_scale * (2 * torch.rand((size, 1, 1), generator=generator) - 1)
    angle = 2 * math.pi * torch.rand((size,), generator=generator)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros(size)
    turn = torch.stack(
        [
            torch.stack([cos, -sin, zero], -1),
            torch.stack([sin, cos, zero], -1),
            torch.stack([zero, zero, zero + 1], -1),
        ],
        1,
    )
    return scale * (persons @ turn.transpose(1, 2))


@dataclass(frozen=True, eq=False)
class Bodies:
    """Bodies of a table. ``lengths`` has (K, 17) metres for each source, real and modelled."""

    lengths: tuple[Tensor, ...]

    @classmethod
    def read(cls, path: Path, split: str) -> "Bodies":
        """Those of one split. Raises InputError for a file that cannot be used."""
        table = read_bodies(path, split)
        sources = sorted(set(table.source.tolist()))
        return cls(tuple(torch.as_tensor(table[table.source == one].lengths()) for one in sources))

    def given_to(self, persons: Tensor, share: float, generator: Generator) -> Tensor:
        """Persons (B, J, 3), z up, a share of them with a body of the table.

        Every source's bodies are drawn as often as the other's, and all bodies of one alike.
        """
        count = len(persons)
        chosen = torch.rand((count,), generator=generator) < share
        source = torch.randint(len(self.lengths), (count,), generator=generator)
        lengths = torch.zeros((count, len(H36M17)), dtype=persons.dtype)
        for number, bodies in enumerate(self.lengths):
            drawn = torch.randint(len(bodies), (count,), generator=generator)
            lengths = torch.where((source == number)[:, None], bodies[drawn], lengths)
        return torch.where(chosen[:, None, None], with_bones_of(persons, lengths), persons)


def with_bones_of(persons: Tensor, lengths: Tensor) -> Tensor:
    """Persons (B, J, 3), z up, with bones of the lengths (B, J), metres, that lead to each joint.

    Directions of bones stay. Heights above the ground go with the size, as an ankle's does.
    """
    grown = [persons[:, 0]]
    for joint, parent in enumerate(H36M17.parents[1:], start=1):
        direction = torch.nn.functional.normalize(persons[:, joint] - persons[:, parent], dim=-1)
        grown.append(grown[parent] + lengths[:, joint, None] * direction)
    changed = torch.stack(grown, 1)
    ratio = size_of(changed, H36M17) / size_of(persons, H36M17)
    rise = ratio * persons[..., 2].amin(1) - changed[..., 2].amin(1)
    changed[..., 2] += rise[:, None]
    return changed


def with_other_bones(persons: Tensor, bone_scale: float, generator: Generator) -> Tensor:
    """Persons (B, J, 3), z up, with each bone scaled by up to the fraction, left as right.

    Directions of bones stay, and so does the height of whatever joint is lowest.
    """
    draws = 2 * torch.rand((len(persons), len(H36M17)), generator=generator) - 1
    factors = 1 + bone_scale * draws[:, ONE_OF_BOTH, None]
    grown = [persons[:, 0]]
    for joint, parent in enumerate(H36M17.parents[1:], start=1):
        bone = persons[:, joint] - persons[:, parent]
        grown.append(grown[parent] + factors[:, joint] * bone)
    changed = torch.stack(grown, 1)
    rise = persons[..., 2].amin(1) - changed[..., 2].amin(1)
    changed[..., 2] += rise[:, None]
    return changed


def with_anatomical_forearms(persons: Tensor, share: float, generator: Generator) -> Tensor:
    """Persons (B, J, 3), a share of them with wrists as far from the elbows as anatomy has them.

    Sources of motion capture differ: CMU's forearms have 0.63 of the upper arm, ACCAD's 1.0.
    """
    size, (low, high) = len(persons), _FOREARM
    chosen = torch.rand((size, 1, 1), generator=generator) < share
    ratio = low + (high - low) * torch.rand((size, 1, 1), generator=generator)
    shoulders, elbows, wrists = (persons[:, one] for one in _ARMS)
    upper_arms = torch.linalg.vector_norm(elbows - shoulders, dim=-1, keepdim=True)
    directions = torch.nn.functional.normalize(wrists - elbows, dim=-1)
    changed = persons.clone()
    changed[:, _ARMS[-1]] = elbows + ratio * upper_arms * directions
    return torch.where(chosen, changed, persons)
