"""What a robot may know of a batch of persons besides keypoints, drawn with its errors."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from erd_ros.cues import CUES
from erd_ros.data.cameras import Views
from erd_ros.errors import InputError
from erd_ros.models.known import no_cues
from erd_ros.models.sizing import size_of
from erd_ros.skeleton import H36M17

_COLUMN = {name: index for index, name in enumerate(CUES)}


@dataclass(frozen=True)
class CueConfig:
    """How often each cue is there, and within which bounds its deviation lies (log-uniform).

    size_share, ground_share, depth_share  fractions of samples, each drawn by itself
    size, camera_height, depth             deviations, metres
    tilt                                   deviation, degrees
    """

    size_share: float = 0.3
    ground_share: float = 0.3
    depth_share: float = 0.3
    size: tuple[float, float] = (0.005, 0.08)
    camera_height: tuple[float, float] = (0.005, 0.05)
    tilt: tuple[float, float] = (0.1, 2.0)
    depth: tuple[float, float] = (0.001, 0.3)

    def __post_init__(self) -> None:
        for name in ("size_share", "ground_share", "depth_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 to 1")
        for name in ("size", "camera_height", "tilt", "depth"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise InputError(f"{name} is {low} to {high}, expected 0 < low <= high")


def draw_cues(views: Views, config: CueConfig, generator: Generator) -> Tensor:
    """Cues (B, C) of persons, in the order of ``CUES``; each errs as its variance says."""
    points = views.points_in_camera
    persons = len(points)
    cues = no_cues(persons, points).clone()

    def drawn(share: float) -> Tensor:
        return torch.rand((persons,), generator=generator) < share

    def noisy(exact: Tensor, bounds: tuple[float, float]) -> tuple[Tensor, Tensor]:
        low, high = bounds
        deviation = low * (high / low) ** torch.rand((persons,), generator=generator)
        noise = torch.randn((persons,), generator=generator)
        return exact + deviation * noise, deviation.square()

    def put(name: str, value: Tensor, variance: Tensor, here: Tensor) -> None:
        cues[:, _COLUMN[name]] = value
        absent = torch.full_like(variance, torch.inf)
        cues[:, _COLUMN[f"{name}_variance"]] = torch.where(here, variance, absent)

    put("size", *noisy(size_of(points, H36M17), config.size), drawn(config.size_share))
    here = drawn(config.ground_share) & views.camera_height.isfinite()
    put("camera_height", *noisy(views.camera_height.nan_to_num(), config.camera_height), here)
    up, cues[:, _COLUMN["tilt_variance"]] = _tilted(views.up, config.tilt, generator)
    cues[:, _COLUMN["up_x"] : _COLUMN["up_z"] + 1] = up
    put("depth", *noisy(points[:, 0, 2], config.depth), drawn(config.depth_share))
    return cues


def _tilted(
    up: Tensor, degrees: tuple[float, float], generator: Generator
) -> tuple[Tensor, Tensor]:
    """Unit vectors (B, 3) turned by small angles, and the variances of these (B,), rad^2."""
    low, high = (math.radians(angle) for angle in degrees)
    deviation = low * (high / low) ** torch.rand((len(up),), generator=generator)
    angles = deviation[:, None] * torch.randn(up.shape, generator=generator)
    return torch.nn.functional.normalize(up + torch.linalg.cross(angles, up), dim=-1), (
        deviation.square()
    )
