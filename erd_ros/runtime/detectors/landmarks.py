"""Networks that look at one person in a square crop: BlazePose's and MoveNet Thunder's."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray
from erd_ros.runtime.detectors.graphs import WEIGHTS, Graph
from erd_ros.runtime.detectors.regions import Region
from erd_ros.skeleton import BLAZEPOSE33, COCO17, Skeleton

_CROP_PX = 256
_MARGIN = 1.25  # of a region around a person's circle, as MediaPipe's pose_landmarks_to_roi
_LEAST_PX = 4.0  # of a region's side: nobody is smaller
_HEAT_REACH = 3  # cells
_HEAT_SEEN = 0.5


@dataclass(frozen=True, eq=False)
class Landmarks:
    """One person in a region.

    keypoints  (J, 3) float32: column, row in pixels of the image, confidence 0..1
    presence   0..1: that a person is in the region
    world      (J, 3) float32, metres from the middle of the hips, x right, y down, z away from the
               camera; NaN from a network that gives none
    follows    the region in which the network expects the person next; None from one that does not
    """

    keypoints: FloatArray
    presence: float
    world: FloatArray
    follows: Region | None


class LandmarkNetwork(Protocol):
    """Looks at one person.

    skeleton  layout of the keypoints that come out
    """

    skeleton: Skeleton

    def __call__(self, image_rgb: NDArray[np.uint8], region: Region) -> Landmarks:
        """The person in a region of an image (H, W, 3)."""
        ...


class BlazePose:
    """BlazePose's landmarks (Bazarevsky et al. 2020); regions as MediaPipe's graphs lay them."""

    skeleton = BLAZEPOSE33

    def __init__(self, file: Path, threads: int = 1) -> None:
        self._graph = Graph(file, ("landmarks", "presence", "heatmaps", "world"), threads)

    def __call__(self, image_rgb: NDArray[np.uint8], region: Region) -> Landmarks:
        """See ``LandmarkNetwork``."""
        crop = region.crop(image_rgb, _CROP_PX).astype(np.float32)[None] / 255
        landmarks, presence, heatmaps, world = self._graph(crop)
        rows = landmarks.reshape(39, 5)
        places = region.from_crop(refined(rows[:, :2] / _CROP_PX, heatmaps[0]))
        visible = _sigmoid(rows[:33, 3])
        return Landmarks(
            np.asarray(np.concatenate([places[:33], visible[:, None]], -1), np.float32),
            float(presence[0, 0]),
            _turned(world.reshape(39, 3)[:33], region.angle),
            circle_region(places[33], places[34]),
        )


class Thunder:
    """MoveNet SinglePose Thunder (Google, 2021)."""

    skeleton = COCO17

    def __init__(self, file: Path, threads: int = 1) -> None:
        self._graph = Graph(file, ("keypoints",), threads)

    def __call__(self, image_rgb: NDArray[np.uint8], region: Region) -> Landmarks:
        """See ``LandmarkNetwork``; presence is the mean confidence of the better half."""
        crop = region.crop(image_rgb, _CROP_PX).astype(np.int32)[None]
        keypoints = self._graph(crop)[0][0, 0][:, [1, 0, 2]]
        keypoints[:, :2] = region.from_crop(keypoints[:, :2])
        presence = float(np.sort(keypoints[:, 2])[len(keypoints) // 2 :].mean())
        return Landmarks(keypoints, presence, np.full((17, 3), np.nan, np.float32), None)


def refined(places: FloatArray, heatmaps: FloatArray) -> FloatArray:
    """Places (39, 2), 0..1 of the crop, moved to the mean of the heat around them.

    heatmaps  (64, 64, 39), logits
    As MediaPipe's RefineLandmarksFromHeatmapCalculator, with its settings for poses.
    """
    cells = np.array(heatmaps.shape[1::-1])
    moved = places.copy()
    middle = np.floor(places * cells).astype(int)
    for joint, (column, row) in enumerate(middle):
        if not (0 <= column < cells[0] and 0 <= row < cells[1]):
            continue
        left, top = max(column - _HEAT_REACH, 0), max(row - _HEAT_REACH, 0)
        part = heatmaps[top : row + _HEAT_REACH + 1, left : column + _HEAT_REACH + 1, joint]
        heat = _sigmoid(part)
        if heat.max() >= _HEAT_SEEN:
            columns = np.arange(left, left + heat.shape[1])
            rows = np.arange(top, top + heat.shape[0])
            mean = np.array([(heat * columns).sum(), (heat * rows[:, None]).sum()]) / heat.sum()
            moved[joint] = mean / cells
    return moved


def circle_region(hips: FloatArray, top: FloatArray) -> Region:
    """Region around the circle whose centre lies between the hips and whose top is given."""
    across, down = (top - hips).astype(float)
    side = max(2 * np.hypot(across, down) * _MARGIN, _LEAST_PX)
    return Region(float(hips[0]), float(hips[1]), float(side), float(np.arctan2(across, -down)))


def _turned(world: FloatArray, angle: float) -> FloatArray:
    """Points of an upright crop as the camera sees them."""
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return np.asarray(world @ turn.T, np.float32)


def _sigmoid(values: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -80, 80))), np.float32)


def landmark_network(name: str) -> LandmarkNetwork:
    """A landmark network by its name. Raises InputError that lists the choices."""
    if name not in NETWORKS:
        raise InputError(f"unknown landmark network '{name}'; choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name]()


NETWORKS: dict[str, Callable[[], LandmarkNetwork]] = {
    "blazepose_heavy": lambda: BlazePose(WEIGHTS / "blazepose_landmark_heavy.onnx"),
    "blazepose_full": lambda: BlazePose(WEIGHTS / "blazepose_landmark_full.onnx"),
    "thunder": lambda: Thunder(WEIGHTS / "movenet_thunder.onnx"),
}
