"""Fuzzing the estimator: any keypoints, cameras and cues, several persons at once."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmark.fuzz_checks import wrong_with_poses
from benchmark.fuzz_people import (
    Poses,
    View,
    chance,
    draw_camera,
    draw_layout,
    draw_view,
    in_layout,
    odd,
    spoil_keypoints,
)
from benchmark.fuzz_target import Case
from erd_ros.cues import Cues
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.pose import Keypoints2D
from erd_ros.runtime import DEFAULT_MODEL, load
from erd_ros.runtime.estimator import Estimator, EstimatorConfig
from erd_ros.skeleton import COCO17, Skeleton

# A place may depend on who else is in the batch by rounding alone, in parts of the distance.
_BATCH_ROUNDING = 1e-3


class EstimatorTarget:
    """See ``benchmark.fuzz_target.Target``: one camera and layout an episode."""

    def __init__(self) -> None:
        self._estimator, self._poses = Estimator(load(DEFAULT_MODEL)), Poses()

    def episode(self, generator: np.random.Generator) -> Iterator[Case]:
        view, layout = draw_view(generator), draw_layout(generator)
        state = generator.bit_generator.state
        try:
            camera = draw_camera(generator, view)
        except InputError:
            generator.bit_generator.state = state
            yield Case(lambda: f"camera of {view}", partial(_camera, generator, view))
            return
        for _ in range(int(generator.integers(1, 20))):
            if chance(generator, 0.15):
                yield self._neighbours(generator, view)
            else:
                yield self._anything(generator, view, camera, layout)

    def _anything(
        self, generator: np.random.Generator, view: View, camera: Camera, layout: Skeleton
    ) -> Case:
        persons = int(generator.choice([0, 1, 1, 1, 1, 1, 2, 3, 5, 12]))
        pixels, scores = self._odd_persons(generator, view, layout, persons)
        cues = _cue_values(generator, persons)
        config = _config(generator)

        def run() -> list[str]:
            self._estimator.config = EstimatorConfig(**config)
            keypoints = Keypoints2D(layout, pixels, scores)
            known = None if cues is None else [Cues(**values) for values in cues]
            return wrong_with_poses(self._estimator.estimate(keypoints, camera, known))

        return Case(
            lambda: f"{camera} {layout.name} {config} {cues} {pixels.tolist()} {scores.tolist()}",
            run,
        )

    def _neighbours(self, generator: np.random.Generator, view: View) -> Case:
        """Somebody in full view beside others with whom something is wrong."""
        others = int(generator.integers(1, 5))
        pixels, scores = self._odd_persons(generator, view, COCO17, others)
        points = in_layout(self._poses.good(generator, view), COCO17)
        at = int(generator.integers(others + 1))
        good = view.project(points).astype(np.float32)
        pixels, scores = np.insert(pixels, at, good, 0), np.insert(scores, at, 1, 0)
        cues = _cue_values(generator, others)
        if cues is not None:
            cues.insert(at, {})

        def run() -> list[str]:
            self._estimator.config = EstimatorConfig()
            camera = Camera(view.width, view.height, view.matrix)
            known = None if cues is None else [Cues(**values) for values in cues]
            together = Keypoints2D(COCO17, pixels, scores)
            alone = Keypoints2D(COCO17, pixels[at : at + 1], scores[at : at + 1])
            poses = self._estimator.estimate(together, camera, known)
            (expected,) = self._estimator.estimate(alone, camera).root_in_camera
            distance = np.linalg.norm(expected)
            off = np.linalg.norm(poses.root_in_camera[at] - expected) / distance
            wrong = wrong_with_poses(poses)
            if not np.isfinite(distance):
                wrong.append("somebody in full view is not placed")
            elif not off <= _BATCH_ROUNDING:
                wrong.append("somebody in full view is moved or lost by those beside")
            return wrong

        return Case(lambda: f"{view} {at} {cues} {pixels.tolist()} {scores.tolist()}", run)

    def _odd_persons(
        self, generator: np.random.Generator, view: View, layout: Skeleton, persons: int
    ) -> tuple[np.ndarray, np.ndarray]:
        pixels = np.zeros((persons, len(layout), 2))
        scores = generator.random((persons, len(layout))) ** 0.2
        for person in range(persons):
            fine = chance(generator, 0.5)
            points = self._poses.good(generator, view) if fine else self._poses.odd(generator)
            pixels[person] = view.project(in_layout(points, layout))
            spoil_keypoints(generator, pixels[person], scores[person])
        with np.errstate(over="ignore"):
            return pixels.astype(np.float32), scores.astype(np.float32)


def _camera(generator: np.random.Generator, view: View) -> list[str]:
    draw_camera(generator, view)
    return []


def _config(generator: np.random.Generator) -> dict:
    if chance(generator, 0.7):
        return {}
    return {
        "min_keypoints": int(generator.choice([-1, 0, 1, 2, 2, 3, 5, 17, 100])),
        "min_confidence": float(generator.choice([0, 0.0, 0.1, 0.3, 1.0, 2.0, np.nan])),
        "image_margin": float(generator.choice([0, 0.1, 1.0, 10.0, np.inf, np.nan, -1])),
    }


def _cue_values(generator: np.random.Generator, persons: int) -> list[dict] | None:
    if chance(generator, 0.3):
        return None
    return [_cues_of_one(generator) for _ in range(persons)]


def _cues_of_one(generator: np.random.Generator) -> dict:
    values: dict = {}
    if chance(generator, 0.3):
        values |= {"size": generator.uniform(0.2, 3), "size_deviation": _deviation(generator)}
    if chance(generator, 0.4):
        up = generator.normal(size=3) if chance(generator, 0.5) else np.array([0.1, -1, 0.3])
        values |= {
            "up": tuple((up / np.linalg.norm(up)).tolist()),
            "camera_height": float(generator.normal() * 10.0 ** generator.integers(-2, 3)),
            "camera_height_deviation": _deviation(generator),
            "tilt_deviation": float(generator.choice([0.0, 0.005, 0.5, 10.0])),
        }
    if chance(generator, 0.3):
        depth = float(np.exp(generator.uniform(-4, 6)))
        values |= {"depth": depth, "depth_deviation": _deviation(generator)}
    if values and chance(generator, 0.1):
        name = str(generator.choice([name for name in values if name != "up"]))
        values[name] = odd(generator)
    return values


def _deviation(generator: np.random.Generator) -> float:
    return float(10.0 ** generator.uniform(-5, 2))
