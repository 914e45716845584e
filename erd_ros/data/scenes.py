"""Images of one drawn body each, in a pose of motion capture, and the truth of every joint."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from erd_ros.data.drawing import Drawing
from erd_ros.data.dress import dressed
from erd_ros.data.figures import Figures
from erd_ros.errors import InputError
from erd_ros.mocap.archive import read_clips
from erd_ros.mocap.landmarks import unit
from erd_ros.npz_arrays import read_npz_arrays
from erd_ros.pose import FloatArray

SIDE = 640  # pixels, of an image
_FOCAL = (0.7, 1.4)  # of the side
_EXTENT = (0.5, 0.95)  # of the side, what a body reaches over
_ELEVATION = (-0.15, 0.45)  # radians that the camera looks down by
_ROLL = 0.05  # radians, standard deviation
_MOST_NOISE = 0.02


@dataclass(frozen=True, eq=False)
class Poses:
    """Joints (F, 17, 3) and toes (F, 2, 3) of motion capture, metres, z up."""

    joints: FloatArray
    toes: FloatArray


@dataclass(frozen=True, eq=False)
class Shot:
    """An image (S, S, 3) uint8, red first, and its truth in the camera frame, metres.

    body        number of the body
    joints      (17, 3)
    landmarks   (11, 3) in the order of ``BOTH_SIDES``
    intrinsics  (3, 3) pixels
    """

    image: NDArray[np.uint8]
    body: int
    joints: FloatArray
    landmarks: FloatArray
    intrinsics: FloatArray


def read_poses(folder: Path, source: str, split: str = "train") -> Poses:
    """Poses of one split whose toes are known: ``SOURCE.npz`` and ``SOURCE_toes.npz``.

    Raises InputError for files that are missing, do not fit or have no such pose.
    """
    clips = read_clips(folder / f"{source}.npz")
    path = folder / f"{source}_toes.npz"
    if not path.is_file():
        raise InputError(f"{path} does not exist: toes of the poses of {source}.npz, row by row")
    toes = read_npz_arrays(path, "file of toes", ("toes",)).get("toes")
    frames = sum(len(clip.positions_in_world) for clip in clips)
    if toes is None or toes.shape != (frames, 2, 3):
        raise InputError(f"{path}: expected toes ({frames}, 2, 3), a row for each pose")
    joints = np.concatenate([clip.positions_in_world for clip in clips])
    of_split = np.repeat(
        [clip.split == split for clip in clips], [len(clip.positions_in_world) for clip in clips]
    )
    numbers = toes.astype(np.float32)
    known = np.isfinite(numbers).all((1, 2)) & np.isfinite(joints).all((1, 2)) & of_split
    if not known.any():
        raise InputError(f"{path}: no pose of split '{split}' has all joints and toes")
    return Poses(joints[known], numbers[known])


class Scenes:
    """Draws shots; the generator alone decides. Raises as ``Figures`` and ``Drawing`` do."""

    def __init__(self, figures: Figures, poses: list[Poses]) -> None:
        self._figures, self._poses = figures, poses
        self._draw = Drawing(figures.faces, SIDE)

    def shot(self, generator: Generator) -> Shot:
        """One body, one pose, one camera, one background."""
        number = int(generator.integers(len(self._figures.bodies)))
        rest = self._figures.bodies[number]
        poses = self._poses[generator.integers(len(self._poses))]
        frame = generator.integers(len(poses.joints))
        body = self._figures.posed(rest, poses.joints[frame], poses.toes[frame])
        rotation, translation, intrinsics = _camera(body.vertices, generator)

        def seen(points: FloatArray) -> FloatArray:
            return (points @ rotation.T + translation).astype(np.float32)

        colours = dressed(self._figures, rest, generator)
        light = unit(np.array([0, -0.5, -1.0]) + generator.normal(0, 0.6, 3))
        ambient = float(generator.uniform(0.35, 0.7))
        drawn = self._draw(seen(body.vertices), colours, intrinsics, light, ambient)
        return Shot(
            _composed(drawn, generator), number, seen(body.joints), seen(body.landmarks), intrinsics
        )

    def close(self) -> None:
        """Free what drawing holds."""
        self._draw.close()


def _camera(
    vertices: FloatArray, generator: Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rotation and translation from the world to the camera, and intrinsics."""
    middle = (vertices.max(0) + vertices.min(0)) / 2
    reach = np.linalg.norm(vertices - middle, axis=1).max()
    focal, extent = (SIDE * generator.uniform(*bounds) for bounds in (_FOCAL, _EXTENT))
    azimuth, elevation = generator.uniform(0, 2 * np.pi), generator.uniform(*_ELEVATION)
    towards = np.array(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
        ]
    )
    place = middle + towards * 2 * reach * focal / extent
    right = unit(np.cross(-towards, [0.0, 0.0, 1.0]))
    level = np.stack([right, np.cross(-towards, right), -towards])
    rotation = Rotation.from_euler("z", generator.normal(0, _ROLL)).as_matrix() @ level
    aside = generator.uniform(-0.3, 0.3, 2) * (SIDE - extent)
    centre = (SIDE - 1) / 2 + aside
    intrinsics = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    return rotation, -rotation @ place, intrinsics.astype(np.float32)


def _composed(drawn: NDArray[np.uint8], generator: Generator) -> NDArray[np.uint8]:
    """The drawn body before a background, with noise."""
    covered = cv2.GaussianBlur((drawn[..., 3] > 0).astype(np.float32), (3, 3), 0)[..., None]
    image = covered * drawn[..., :3] / 255 + (1 - covered) * _background(generator)
    image = image * generator.uniform(0.75, 1.1)
    image += generator.normal(0, generator.uniform(0, _MOST_NOISE), image.shape)
    return np.asarray(np.rint(255 * np.clip(image, 0, 1)), np.uint8)


def _background(generator: Generator) -> FloatArray:
    """(S, S, 3) fields of colour, a floor, and some boxes."""
    fields = int(generator.integers(2, 9))
    ways = (cv2.INTER_CUBIC, cv2.INTER_NEAREST, cv2.INTER_LINEAR)
    colours = generator.uniform(0, 1, (fields, fields, 3)).astype(np.float32)
    way = ways[generator.integers(len(ways))]
    smooth: FloatArray = np.asarray(
        cv2.resize(colours, (SIDE, SIDE), interpolation=way), np.float32
    )
    image = np.clip(smooth * generator.uniform(0.2, 0.7) + generator.uniform(0.1, 0.5), 0, 1)
    image[int(SIDE * generator.uniform(0.45, 0.8)) :] *= generator.uniform(0.5, 1.3)
    for _ in range(generator.integers(0, 6)):
        left, top = generator.integers(0, SIDE, 2)
        wide, high = generator.integers(20, 250, 2)
        image[top : top + high, left : left + wide] = generator.uniform(0, 1, 3)
    blurred = cv2.GaussianBlur(image, (0, 0), generator.uniform(0.5, 3))
    return np.asarray(np.clip(blurred, 0, 1), np.float32)
