"""Keypoints and cameras for fuzzing: real poses, and all that can go wrong with them."""

from typing import NamedTuple

import numpy as np

from erd_ros.geometry.camera import DISTORTION_MODELS, Camera
from erd_ros.skeleton import H36M17, SKELETONS, Skeleton, conversion_matrix
from erd_ros.synthetic import SyntheticConfig, synthesise

ODD_NUMBERS = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, -1e-30, 1e-12, -1e-6, 1e-3, 255.0, 65535.0, 1e6, -1e9,
     2.0**31, 2.0**63, 3.4e38, -3.4e38, 1e300, -1e300, np.inf, -np.inf, np.nan]
)  # fmt: skip
_SIZES = ((640, 480), (1280, 720), (1920, 1080), (320, 240), (64, 64), (4000, 3000), (480, 640))
_OWN_NAMES = (*H36M17.joint_names, "tail", "left_wing", "", "pelvis2")
_COEFFICIENTS = {"": 0, "plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}


def odd(generator: np.random.Generator) -> float:
    """A number that nobody expects, or one near some that somebody does."""
    if generator.random() < 0.6:
        return float(generator.choice(ODD_NUMBERS))
    return float(generator.normal() * 10.0 ** generator.integers(-4, 6))


def chance(generator: np.random.Generator, probability: float) -> bool:
    return bool(generator.random() < probability)


class View(NamedTuple):
    """A camera's size and intrinsics, pixels, before anything is wrong with them."""

    width: int
    height: int
    focal: float

    @property
    def matrix(self) -> np.ndarray:
        """(3, 3)."""
        across, down = (self.width - 1) / 2, (self.height - 1) / 2
        return np.array([[self.focal, 0, across], [0, self.focal, down], [0, 0, 1]])

    def project(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) metres to (..., 2) pixels."""
        depth = np.where(np.abs(points[..., 2:]) < 1e-6, 1e-6, points[..., 2:])
        return points[..., :2] / depth * self.focal + self.matrix[:2, 2]


def draw_view(generator: np.random.Generator) -> View:
    width, height = _SIZES[int(generator.integers(len(_SIZES)))]
    return View(width, height, width * float(generator.uniform(0.5, 1.6)))


def draw_distortion(generator: np.random.Generator) -> tuple[str, tuple[float, ...]]:
    """A lens as there are some; one time in five with odd coefficients, models or numbers."""
    model = str(generator.choice(list(DISTORTION_MODELS)))
    count = _COEFFICIENTS.get(model, 5)
    coefficients = list(generator.normal(size=count) * 0.05)
    if chance(generator, 0.2):
        if chance(generator, 0.3):
            count = int(generator.choice([0, 1, 4, 5, 8, 12, 14, 30]))
        coefficients = [odd(generator) for _ in range(count)]
    if chance(generator, 0.05):
        model = str(generator.choice(["fisheye", "plumb bob", "x" * 1000, "\u00e4", "pinhole"]))
    return model, tuple(coefficients)


def draw_camera(generator: np.random.Generator, view: View) -> Camera:
    """Raises InputError for what is no camera."""
    width, height, matrix = view.width, view.height, view.matrix
    if chance(generator, 0.15):
        for _ in range(int(generator.integers(1, 4))):
            row, column = generator.integers(0, 3, 2)
            matrix[row, column] = odd(generator)
    if chance(generator, 0.05):
        with np.errstate(invalid="ignore", over="ignore"):
            matrix = matrix * odd(generator)
    if chance(generator, 0.05):
        width, height = (int(side) for side in generator.choice([-1, 0, 1, 2**31, 2**63 - 1], 2))
    model, coefficients = ("", ())
    if chance(generator, 0.4):
        model, coefficients = draw_distortion(generator)
    return Camera(width, height, matrix, coefficients, model)


class Poses:
    """Of synthetic adults, one joint after another as in H36M17; metres, root at 0."""

    def __init__(self) -> None:
        truth = synthesise(SyntheticConfig()).truth_in_camera.astype(np.float64)
        self._poses = (truth - truth[:, :, :1]).reshape(-1, len(H36M17), 3)

    def good(self, generator: np.random.Generator, view: View) -> np.ndarray:
        """(17, 3) metres in the camera frame: somebody in full view."""
        depth = float(generator.uniform(2.5, 6.0)) * max(1.0, view.focal / view.height)
        across = float(generator.uniform(-0.15, 0.15)) * depth * view.width / view.focal
        return self._pose(generator) + np.array([across, 0.0, depth])

    def _pose(self, generator: np.random.Generator) -> np.ndarray:
        return self._poses[int(generator.integers(len(self._poses)))]

    def odd(self, generator: np.random.Generator) -> np.ndarray:
        """(17, 3) metres in the camera frame: anybody anywhere, upside down as well."""
        pose = self._pose(generator) * float(np.exp(generator.uniform(-2, 1)))
        turn = float(generator.choice([0.0, 0.0, np.pi / 2, np.pi, generator.uniform(0, 6.3)]))
        sine, cosine = np.sin(turn), np.cos(turn)
        pose = pose @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
        depth = float(np.exp(generator.uniform(np.log(0.05), np.log(200))))
        across = depth * generator.uniform(-1, 1, 2)
        return pose + np.array([*across, depth])


def draw_layout(generator: np.random.Generator) -> Skeleton:
    """One of the package's, or some joint names that a sender made up."""
    if chance(generator, 0.9):
        return SKELETONS[str(generator.choice(list(SKELETONS)))]
    count = int(generator.integers(1, len(_OWN_NAMES)))
    names = [str(name) for name in generator.choice(_OWN_NAMES, count, replace=False)]
    return Skeleton("own", tuple(names), (-1,) * count)


def in_layout(points: np.ndarray, layout: Skeleton) -> np.ndarray:
    """(17, 3) of H36M17 as (J, 3); what it does not have lies in the pelvis."""
    weights = conversion_matrix(H36M17, layout).astype(np.float64)
    placed = weights @ points
    placed[~weights.any(1)] = points[0]
    return placed


def spoil_keypoints(generator: np.random.Generator, pixels: np.ndarray, scores: np.ndarray) -> None:
    """Do something to one person's pixels (J, 2) and scores (J,), in place."""
    change = _CHANGES[int(generator.integers(len(_CHANGES)))]
    change(generator, pixels, scores)


def _nothing(generator, pixels, scores) -> None:
    pixels += generator.normal(size=pixels.shape) * generator.uniform(0, 8)


def _all_zero(generator, pixels, scores) -> None:
    pixels[:] = 0


def _some_zero(generator, pixels, scores) -> None:
    pixels[generator.random(len(pixels)) < 0.4] = 0


def _one_place(generator, pixels, scores) -> None:
    pixels[:] = pixels[0] + generator.normal(size=pixels.shape) * generator.choice([0, 0.1, 1, 3])


def _on_a_line(generator, pixels, scores) -> None:
    along = generator.random((len(pixels), 1))
    pixels[:] = pixels[0] + along * generator.normal(size=2) * 200


def _odd_numbers(generator, pixels, scores) -> None:
    for _ in range(int(generator.integers(1, 6))):
        pixels[int(generator.integers(len(pixels))), int(generator.integers(2))] = odd(generator)


def _odd_scores(generator, pixels, scores) -> None:
    for _ in range(int(generator.integers(1, 6))):
        scores[int(generator.integers(len(scores)))] = odd(generator)


def _few_seen(generator, pixels, scores) -> None:
    scores[generator.random(len(scores)) < generator.random()] = 0


def _far_off(generator, pixels, scores) -> None:
    chosen = generator.random(len(pixels)) < 0.3
    pixels[chosen] += generator.normal(size=(int(chosen.sum()), 2)) * 1000


def _scaled(generator, pixels, scores) -> None:
    pixels *= generator.choice([0.001, 0.01, 0.1, 3, 100, 1e6, -1])


def _stretched(generator, pixels, scores) -> None:
    pixels[:, int(generator.integers(2))] *= generator.choice([0, 0.01, 0.3, 4])


def _anywhere(generator, pixels, scores) -> None:
    pixels[:] = generator.uniform(0, 1000, pixels.shape)


def _shuffled(generator, pixels, scores) -> None:
    pixels[:] = generator.permutation(pixels)


def _everything_odd(generator, pixels, scores) -> None:
    pixels[:] = generator.choice(ODD_NUMBERS, pixels.shape)


_CHANGES = (
    _nothing, _nothing, _nothing, _all_zero, _some_zero, _one_place, _on_a_line, _odd_numbers,
    _odd_scores, _few_seen, _far_off, _scaled, _stretched, _anywhere, _shuffled, _everything_odd,
)  # fmt: skip
