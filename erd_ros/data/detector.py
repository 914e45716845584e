"""A simulated 2D detector, for want of images: its errors follow the taxonomy of real ones.

Ronchi and Perona 2017, as AbsPoseLifter section 2.3 reports them: good and jitter (small errors),
inversion (a joint of the same person taken for another) and miss (far from every joint). It is
deliberately not the mixture of AbsPoseLifter eq. 8, which is fitted to what it does, as the paper
fits it to a real detector: the level of jitter differs from person to person, errors hang together
along a limb, whole limbs change sides, and misses lie in a ring.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from erd_ros.errors import InputError
from erd_ros.mocap import TRAINING_CAMERAS, read_human36m_cameras, read_mocap
from erd_ros.skeleton import H36M17

_JOINTS = len(H36M17)
_LIMBS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
_LIMB_OF_PART = {part: index for index, limb in enumerate(_LIMBS) for part in limb}
_PARTS = [name.rpartition("_")[2] for name in H36M17.joint_names]
# What a joint's errors are like: the trunk and head, elbows and knees, wrists and ankles.
_GROUP = torch.tensor(
    [{"elbow": 1, "knee": 1, "wrist": 2, "ankle": 2}.get(part, 0) for part in _PARTS]
)
# (J,) the limb that a joint is of; the last number for none.
_LIMB = torch.tensor([_LIMB_OF_PART.get(part, len(_LIMBS)) for part in _PARTS])
# (2 limbs, 3 joints): a leg and an arm of each side.
_LEFT, _RIGHT = (
    torch.tensor([[H36M17.index(f"{side}_{part}") for part in limb] for limb in _LIMBS])
    for side in ("left", "right")
)


@dataclass(frozen=True)
class DetectorConfig:
    """How a detector errs, in pixels of a Human3.6M image, about 1000 wide.

    Triples are for the trunk and head, for elbows and knees, for wrists and ankles.

    jitter             median over persons of the standard deviation along x and along y
    jitter_spread      standard deviation of the logarithm of a person's level of jitter
    correlation        of the jitter of a joint with that of its parent in the kinematic tree
    inversion_nearest  probability that an arm or a leg changes sides with one it coincides with
    inversion_distance mean distance of the two limbs' joints at which it is 1/e of that
    miss_share         probability of a miss
    miss_distance      nearest and farthest miss from the joint
    """

    jitter: tuple[float, float, float] = (3.4, 5.0, 6.4)
    jitter_spread: float = 0.4
    correlation: float = 0.4
    inversion_nearest: float = 0.04
    inversion_distance: float = 60.0
    miss_share: tuple[float, float, float] = (0.01, 0.02, 0.05)
    miss_distance: tuple[float, float] = (15.0, 50.0)

    def __post_init__(self) -> None:
        if min(*self.jitter, self.jitter_spread) < 0 or self.inversion_distance <= 0:
            raise InputError(
                f"jitter is {self.jitter}, its spread {self.jitter_spread} and inversion_distance "
                f"{self.inversion_distance}, expected 0 or more, and more than 0 for the last"
            )
        for share in (*self.miss_share, self.inversion_nearest):
            if not 0 <= share <= 1:
                raise InputError(f"a probability of miss or inversion is {share}, expected 0 to 1")
        if not -1 < self.correlation < 1:
            raise InputError(f"correlation is {self.correlation}, expected above -1 and below 1")
        near, far = self.miss_distance
        if not 0 <= near <= far:
            raise InputError(f"miss_distance is {near} to {far}, expected 0 <= near <= far")


# On the frames of cmu_14 as error_table shows them: 7.1 pixels from the truth in the mean, 1.2 % of
# the arms and 2.0 % of the legs on the wrong side, 2.2 % of the joints missed.
DETECTOR = DetectorConfig()


def detect_pixels(
    pixels: Tensor, generator: Generator, config: DetectorConfig = DETECTOR
) -> Tensor:
    """Where the detector sees joints that are at ``pixels`` (B, J, 2), H36M17's order.

    Pixels of an image about 1000 wide, from any origin, on the generator's device; NaN stays NaN.
    Raises InputError for another shape.
    """
    if pixels.shape[1:] != (_JOINTS, 2):
        raise InputError(
            f"pixels have shape {tuple(pixels.shape)}, expected (B, {_JOINTS}, 2); "
            "give the joints of Human3.6M"
        )
    seen = _inverted(pixels, config, generator)
    seen = seen + _jitter(len(pixels), config, generator).to(pixels)
    miss, offset = _misses(len(pixels), config, generator)
    return torch.where(miss, pixels + offset.to(pixels), seen)


def _inverted(pixels: Tensor, config: DetectorConfig, generator: Generator) -> Tensor:
    """Pixels with some arms and legs on the wrong side, the more the nearer both are.

    Hips and shoulders count among the limb's joints: from the side they lie close together.
    """
    device = pixels.device
    between = pixels[:, _LEFT.to(device)] - pixels[:, _RIGHT.to(device)]  # (B, 2 limbs, 3, 2)
    distance = between.norm(dim=-1).mean(-1)
    probability = config.inversion_nearest * (-distance / config.inversion_distance).exp()
    swapped = _uniform((len(pixels), 2), generator) < probability
    never = torch.zeros((len(pixels), 1), dtype=torch.bool, device=device)
    of_joint = torch.cat([swapped, never], 1)[:, _LIMB.to(device)]
    return torch.where(of_joint[..., None], pixels[:, list(H36M17.flip)], pixels)


def _jitter(persons: int, config: DetectorConfig, generator: Generator) -> Tensor:
    """Errors (B, J, 2) of joints that were recognised."""
    device = generator.device
    level = torch.randn((persons, 1, 1), generator=generator, device=device)
    level = (config.jitter_spread * level).exp()
    noise = torch.randn((persons, _JOINTS, 2), generator=generator, device=device)
    along = _along_the_tree(config.correlation).to(device) @ noise
    return level * _of_joints(config.jitter, device) * along


@lru_cache
def _along_the_tree(correlation: float) -> Tensor:
    """(J, J) mixes independent normal numbers into ones correlated with the parent joint's."""
    mix = torch.zeros((_JOINTS, _JOINTS))
    for joint, parent in enumerate(H36M17.parents):  # parents come before their children
        mix[joint, joint] = 1.0
        if parent >= 0:
            mix[joint] *= (1 - correlation**2) ** 0.5
            mix[joint] += correlation * mix[parent]
    return mix


def _misses(persons: int, config: DetectorConfig, generator: Generator) -> tuple[Tensor, Tensor]:
    """Which joints are missed (B, J, 1), and how far off they are then (B, J, 2)."""
    miss = _uniform((persons, _JOINTS, 1), generator)
    near, far = config.miss_distance
    distance = near + (far - near) * _uniform((persons, _JOINTS), generator)
    direction = 2 * torch.pi * _uniform((persons, _JOINTS), generator)
    offset = torch.stack([distance * direction.cos(), distance * direction.sin()], -1)
    return miss < _of_joints(config.miss_share, generator.device), offset


def _of_joints(of_groups: tuple[float, float, float], device: torch.device) -> Tensor:
    return torch.tensor(of_groups, device=device)[_GROUP.to(device)][:, None]  # (J, 1)


def _uniform(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)


def error_table(data: Path, subject: str, seed: int) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The detector's errors (N, J, 2), pixels, on every frame of a training subject; joint names.

    Frame f stands before camera f modulo C of Human3.6M's training subjects, each clip with its
    mean root at the studio's origin. ``subject`` is named as in the motion capture, "cmu_14".
    Raises InputError for a subject that is not among those of the split "train".
    """
    points, focal_length = _frames_in_camera(data, subject)
    exact = points[..., :2] / points[..., 2:] * focal_length[:, None, None]
    pixels = torch.from_numpy(exact).float()
    generator = torch.Generator().manual_seed(seed)
    return (detect_pixels(pixels, generator) - pixels).numpy(), H36M17.joint_names


def _frames_in_camera(data: Path, subject: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (N, J, 3) in metres and the focal length (N,) in pixels of their cameras."""
    source = subject.partition("_")[0]
    mocap = read_mocap(data, [source], "train")
    if subject not in mocap.subjects:
        raise InputError(
            f"no training subject '{subject}'; choose one of {', '.join(mocap.subjects)}"
        )
    positions = mocap.centred()[mocap.subject == mocap.subjects.index(subject)]
    cameras = read_human36m_cameras(data, TRAINING_CAMERAS)
    camera = np.arange(len(positions)) % len(cameras.names)
    turned = positions @ np.swapaxes(cameras.rotation_world_to_camera[camera], 1, 2)
    return turned + cameras.translation[camera][:, None], cameras.focal_length[camera]
