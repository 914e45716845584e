"""Training batches: motion capture, turned, scaled and mirrored, before virtual cameras."""

import math
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from erd_ros.data.cameras import CameraConfig, robot_views, studio_views
from erd_ros.data.keypoints import KeypointConfig, detect
from erd_ros.mocap import CameraPoses
from erd_ros.skeleton import H36M17


@dataclass(frozen=True)
class SimulationConfig:
    """How motion capture becomes what a detector sees.

    person_scale  persons are made larger or smaller by up to this fraction
    """

    cameras: CameraConfig = field(default_factory=CameraConfig)
    keypoints: KeypointConfig = field(default_factory=KeypointConfig)
    person_scale: float = 0.05


@dataclass(frozen=True, eq=False)
class Batch:
    """B samples: rays (B, J, 2) and confidence (B, J) in, the truth out.

    joints  (B, J, 3) metres, relative to the root, camera frame
    root    (B, 3) metres, camera frame
    """

    rays: Tensor
    confidence: Tensor
    joints: Tensor
    root: Tensor


def draw_batch(
    positions_in_world: Tensor,
    cameras: CameraPoses,
    size: int,
    config: SimulationConfig,
    generator: Generator,
) -> Batch:
    """Draw ``size`` samples from poses (F, J, 3) in metres, z up; the generator alone decides."""
    frames = torch.randint(len(positions_in_world), (size,), generator=generator)
    persons = _augmented(positions_in_world[frames], config.person_scale, generator)
    by_robot = round(size * config.cameras.robot_share)
    views = (
        robot_views(persons[:by_robot], config.cameras, generator),
        studio_views(persons[by_robot:], cameras, config.cameras, generator),
    )
    points = torch.cat([view.points_in_camera for view in views])
    half_image = torch.cat([view.half_image for view in views])
    rays, confidence = detect(points, half_image, config.keypoints, generator)
    root = points[:, 0]
    return Batch(rays, confidence, points - root[:, None], root)


def _augmented(persons: Tensor, person_scale: float, generator: Generator) -> Tensor:
    """Persons (B, J, 3) at x = y = 0, turned about the vertical, scaled, half of them mirrored."""
    size = len(persons)
    persons = persons.clone()
    persons[..., :2] -= persons[:, :1, :2].clone()
    mirror = (torch.rand((size, 1, 1), generator=generator) < 0.5).expand_as(persons)
    mirrored = persons[:, list(H36M17.flip)] * torch.tensor([-1.0, 1.0, 1.0])
    persons = torch.where(mirror, mirrored, persons)
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
