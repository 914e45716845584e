"""The robot protocol's cameras: low or high, near or far, tilted, rolled, the person anywhere."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray

Array = NDArray[np.float64]

# Metres and degrees. The protocol is frozen: figures of other numbers do not compare.
CAMERA_HEIGHT = (0.3, 2.2)
DISTANCE = (1.0, 8.0)  # horizontally, to the pelvis; its logarithm is uniform
FIELD_OF_VIEW = (45.0, 110.0)  # across an image of 4:3
LARGEST_PITCH = 40.0
LARGEST_ROLL = 25.0
# A person of whom less is in the image is not one that a detector reports.
LEAST_IN_IMAGE = 6
NEAREST = 0.3  # metres along the optical axis, of any joint
_ASPECT = 0.75
_AIMED_WITHIN = 0.9  # of half the image, either side
_MOST_TRIES = 50


@dataclass(frozen=True, eq=False)
class RobotViews:
    """F poses, each before a camera of its own.

    pose              (F,) which frame of the motion capture
    points_in_camera  (F, J, 3) metres
    half_image        (F, 2) half width and height of the image in normalised image coordinates
    camera_height     (F,) metres above the ground
    distance          (F,) metres, horizontally
    pitch, roll       (F,) degrees; pitch is positive where the camera looks up
    """

    pose: NDArray[np.int64]
    points_in_camera: Array
    half_image: Array
    camera_height: Array
    distance: Array
    pitch: Array
    roll: Array

    def __len__(self) -> int:
        return len(self.pose)

    def in_image(self) -> NDArray[np.bool_]:
        """(F, J) which joints the image holds."""
        depth = self.points_in_camera[..., 2:]
        inside = np.abs(self.points_in_camera[..., :2]) < self.half_image[:, None] * depth
        return np.asarray(inside.all(-1))  # a joint behind the camera is never inside

    def chosen(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> "RobotViews":
        """The poses of a (F,) mask, or in the order of (F,) indices."""
        return RobotViews(*(getattr(self, one.name)[mask] for one in fields(self)))


def robot_views(positions_in_world: FloatArray, generator: Generator) -> RobotViews:
    """Poses (F, J, 3), metres, z up, turned about the vertical, each before a camera of its own.

    A camera is drawn again until it pitches within the bound and has enough of the person in its
    image; a pose that lacks a joint, or finds no camera, is left out. Raises InputError when none
    is left.
    """
    pending = np.flatnonzero(np.isfinite(positions_in_world).all((1, 2)))
    found: list[RobotViews] = []
    for _ in range(_MOST_TRIES):
        views = _drawn(pending, positions_in_world[pending].astype(np.float64), generator)
        good = _acceptable(views)
        found.append(views.chosen(good))
        pending = pending[~good]
        if not len(pending):
            break
    if not sum(map(len, found)):
        raise InputError(
            f"none of {len(positions_in_world)} poses has all its joints and a place before a "
            "robot's camera; choose other sources"
        )
    together = RobotViews(
        *(np.concatenate([getattr(one, each.name) for one in found]) for each in fields(RobotViews))
    )
    return together.chosen(np.argsort(together.pose))


def _drawn(pose: NDArray[np.int64], positions: Array, generator: Generator) -> RobotViews:
    persons = len(positions)
    height = generator.uniform(*CAMERA_HEIGHT, persons)
    near, far = DISTANCE
    distance = near * (far / near) ** generator.random(persons)
    half_width = np.tan(np.radians(generator.uniform(*FIELD_OF_VIEW, persons)) / 2)
    half_image = np.stack([half_width, _ASPECT * half_width], -1)
    # The level camera: x right, y down, z forward to the person.
    level = _turned(positions, generator) @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    level += np.stack([np.zeros(persons), height, distance], -1)[:, None]
    # It looks so that some joint, drawn at random, comes to be anywhere in the image.
    target = level[np.arange(persons), generator.integers(positions.shape[1], size=persons)]
    elevation = np.arctan2(-target[:, 1], np.hypot(target[:, 0], target[:, 2]))
    aside = generator.uniform(-1, 1, (persons, 2)) * _AIMED_WITHIN * np.arctan(half_image)
    yaw = aside[:, 0] - np.arctan2(target[:, 0], target[:, 2])
    pitch = np.degrees(elevation + aside[:, 1])
    roll = generator.uniform(-LARGEST_ROLL, LARGEST_ROLL, persons)
    angles = np.stack([np.degrees(yaw), -pitch, roll], -1)
    rotation = Rotation.from_euler("yxz", angles, degrees=True).as_matrix()
    # Nanometres: the last bits depend on where the arrays lie in memory, and so on the run.
    points = np.round(level @ np.swapaxes(rotation, 1, 2), 9)
    return RobotViews(pose, points, half_image, height, distance, pitch, roll)


def _turned(positions: Array, generator: Generator) -> Array:
    """Persons with the pelvis over x = y = 0, facing any way."""
    offset = positions[:, :1] * [1, 1, 0]
    angle = generator.uniform(0, 2 * np.pi, len(positions))
    turn = Rotation.from_rotvec(angle[:, None] * [0, 0, 1]).as_matrix()
    return np.asarray((positions - offset) @ np.swapaxes(turn, 1, 2))


def _acceptable(views: RobotViews) -> NDArray[np.bool_]:
    in_front = (views.points_in_camera[..., 2] >= NEAREST).all(1)
    enough = views.in_image().sum(1) >= LEAST_IN_IMAGE
    return np.asarray(in_front & enough & (np.abs(views.pitch) <= LARGEST_PITCH))
