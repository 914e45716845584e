"""Virtual cameras, drawn in batches: the Human3.6M studio's, and those of robots."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from erd_ros.errors import InputError
from erd_ros.mocap import CameraPoses

_NEAREST = 0.3  # metres; no joint of a training pose comes closer to the camera


@dataclass(frozen=True)
class CameraConfig:
    """Where virtual cameras stand. Angles in degrees, lengths in metres.

    robot_share         fraction of samples seen by robot cameras; the others by the studio's
    studio_jitter       standard deviation of a turn of the studio's cameras
    studio_area         half side of the square of the studio where persons stand
    robot_height        lowest and highest camera
    robot_distance      nearest and farthest, horizontally; the logarithm is uniform
    robot_pitch         bound either side of the horizontal
    robot_roll          bound either side of upright, at two standard deviations
    robot_field_of_view narrowest and widest, across an image of 4:3
    """

    robot_share: float = 0.6
    studio_jitter: float = 3.0
    studio_area: float = 1.5
    robot_height: tuple[float, float] = (0.3, 2.5)
    robot_distance: tuple[float, float] = (1.0, 10.0)
    robot_pitch: float = 40.0
    robot_roll: float = 15.0
    robot_field_of_view: tuple[float, float] = (45.0, 110.0)

    def __post_init__(self) -> None:
        if not 0 <= self.robot_share <= 1:
            raise InputError(f"robot_share is {self.robot_share}, expected 0 to 1")
        for name in ("robot_height", "robot_distance", "robot_field_of_view"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise InputError(f"{name} is {low} to {high}, expected 0 < low <= high")


@dataclass(frozen=True, eq=False)
class Views:
    """Poses as B cameras have them in view.

    points_in_camera  (B, J, 3) metres
    half_image        (B, 2) half width and height of the image in normalised image coordinates
    up                (B, 3) away from the ground, unit vectors in the camera frame
    camera_height     (B,) metres above the ground; NaN where persons do not stand on it
    """

    points_in_camera: Tensor
    half_image: Tensor
    up: Tensor
    camera_height: Tensor


def studio_views(
    points: Tensor, cameras: CameraPoses, config: CameraConfig, generator: Generator
) -> Views:
    """Poses (B, J, 3) of persons at x = y = 0, z up, before random cameras of the studio."""
    draw = _uniform(generator, points)
    persons = len(points)
    chosen = torch.randint(len(cameras.names), (persons,), generator=generator)
    rotation = torch.as_tensor(cameras.rotation_world_to_camera, dtype=points.dtype)[chosen]
    translation = torch.as_tensor(cameras.translation, dtype=points.dtype)[chosen]
    place = (2 * draw(persons, 3) - 1) * config.studio_area
    place[:, 2] = 0
    in_camera = (points + place[:, None]) @ rotation.transpose(1, 2) + translation[:, None]
    angles = torch.randn((persons, 3), generator=generator) * math.radians(config.studio_jitter)
    turn = _euler(angles)
    in_camera = in_camera @ turn.transpose(1, 2)
    focal_length = torch.as_tensor(cameras.focal_length, dtype=points.dtype)[chosen]
    half_image = (500 / focal_length)[:, None].expand(-1, 2)  # the images are 1000 pixels wide
    up = (turn @ rotation[:, :, 2:]).squeeze(-1)
    camera_height = -(rotation[:, :, 2] * translation).sum(-1)
    return _views(in_camera, half_image, up, camera_height)


def robot_views(points: Tensor, config: CameraConfig, generator: Generator) -> Views:
    """Poses (B, J, 3) of persons at x = y = 0, z up, before random cameras of robots.

    The camera looks so that some height of the person, drawn at random, is in the image.
    """
    draw = _uniform(generator, points)
    persons = len(points)
    low, high = config.robot_height
    height = low + (high - low) * draw(persons)
    near, far = config.robot_distance
    distance = near * (far / near) ** draw(persons)
    narrow, wide = (math.radians(angle) for angle in config.robot_field_of_view)
    half_width = torch.tan((narrow + (wide - narrow) * draw(persons)) / 2)
    half_image = torch.stack([half_width, 0.75 * half_width], -1)
    # Persons turn about the vertical at random, so the camera may always look along +y.
    target = points[..., 2].amin(1) + draw(persons) * (
        points[..., 2].amax(1) - points[..., 2].amin(1)
    )
    elevation = torch.atan2(target - height, distance)
    aside = (2 * draw(persons, 2) - 1) * 0.9 * torch.atan(half_image)
    bound = math.radians(config.robot_pitch)
    pitch = (elevation + aside[:, 1]).clamp(-bound, bound)
    bound = math.radians(config.robot_roll)
    roll = (torch.randn((persons,), generator=generator) * bound / 2).clamp(-bound, bound)
    # World x right, y forward, z up becomes camera x right, y down, z forward.
    zero = torch.zeros_like(height)
    seen_from = points + torch.stack([zero, distance, -height], -1)[:, None]
    level = torch.stack([seen_from[..., 0], -seen_from[..., 2], seen_from[..., 1]], -1)
    rotation = _euler(torch.stack([-pitch, aside[:, 0], roll], -1))
    return _views(level @ rotation.transpose(1, 2), half_image, -rotation[:, :, 1], height)


def _uniform(generator: Generator, like: Tensor) -> Callable[..., Tensor]:
    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=like.dtype)

    return draw


def _euler(angles: Tensor) -> Tensor:
    """Rotations (B, 3, 3): about y first, then x, then z, by angles (B, 3) about x, y, z."""
    x, y, z = (_axis_rotation(axis, angles[:, axis]) for axis in range(3))
    return z @ x @ y


def _axis_rotation(axis: int, angle: Tensor) -> Tensor:
    rotation = torch.eye(3).repeat(len(angle), 1, 1)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation[:, first, first] = rotation[:, second, second] = angle.cos()
    rotation[:, second, first] = angle.sin()
    rotation[:, first, second] = -angle.sin()
    return rotation


def _views(points: Tensor, half_image: Tensor, up: Tensor, camera_height: Tensor) -> Views:
    """Persons moved along z until none of their joints is nearer than the bound."""
    missing = (_NEAREST - points[..., 2].amin(1)).clamp(min=0)
    moved = points.clone()
    moved[..., 2] += missing[:, None]
    nowhere = torch.full_like(camera_height, torch.nan)
    return Views(moved, half_image, up, torch.where(missing > 0, nowhere, camera_height))
