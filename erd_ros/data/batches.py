"""Training batches: motion capture, turned, scaled and mirrored, before virtual cameras."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from erd_ros.data import error_model
from erd_ros.data.bodies import Bodies, augmented
from erd_ros.data.cameras import CameraConfig, Views, robot_views, studio_views
from erd_ros.data.cues import CueConfig, draw_cues
from erd_ros.data.detector import detect_pixels
from erd_ros.data.layout_keypoints import LayoutConfig, detect_in_layouts
from erd_ros.errors import InputError
from erd_ros.mocap import CameraPoses, Mocap
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17

# Rays and confidence of what is in view.
Detector = Callable[[Views, Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class SimulationConfig:
    """How motion capture becomes what a detector sees.

    detector       name in ``DETECTORS``
    cues           what a robot knows besides, for models whose root is "cues"
    error_model    JSON file of `erd data fit-errors`, for the detector "error_model"
    keep_place     persons stay where they are in their clip, whose mean place is the studio's
                   middle, rather than each in the middle; for the studio's cameras alone
    person_scale   persons are made larger or smaller by up to this fraction
    bone_scale     each bone is made longer or shorter by up to this fraction, left as right
    forearm_share  persons whose wrists are put as far from the elbows as anatomy has them; sources
                   of motion capture define them otherwise
    bodies         .npz file of `erd data bodies`; "": bodies as the motion capture has them
    bodies_share   persons who get one of its bodies, of the motion capture's own split; half of
                   these a real body, half a modelled one
    fixed_samples  draw so many samples once and train on them again and again, as a data set
                   recorded with its detections has them; 0 draws anew for every step
    """

    cameras: CameraConfig = field(default_factory=CameraConfig)
    detector: str = "layouts"
    layouts: LayoutConfig = field(default_factory=LayoutConfig)
    cues: CueConfig = field(default_factory=CueConfig)
    error_model: str = ""
    keep_place: bool = False
    person_scale: float = 0.05
    bone_scale: float = 0.0
    forearm_share: float = 0.0
    bodies: str = ""
    bodies_share: float = 0.5
    fixed_samples: int = 0

    def __post_init__(self) -> None:
        if self.detector not in DETECTORS:
            raise InputError(
                f"unknown detector '{self.detector}'; choose one of {', '.join(DETECTORS)}"
            )
        if (self.detector == "error_model") != bool(self.error_model):
            raise InputError(
                f"error_model is '{self.error_model}' with detector '{self.detector}'; "
                "a file goes with detector error_model, and with no other"
            )
        if self.keep_place and self.cameras.robot_share:
            raise InputError(
                f"keep_place with robot_share {self.cameras.robot_share}: cameras of robots look "
                "at persons in the middle; set one of the two to 0"
            )
        for name in ("person_scale", "bone_scale"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 up to 1")
        for name in ("forearm_share", "bodies_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 to 1")
        if self.fixed_samples < 0:
            raise InputError(f"fixed_samples is {self.fixed_samples}, expected 0 (none) or more")


@dataclass(frozen=True, eq=False)
class Batch:
    """B samples: rays (B, J, 2) and confidence (B, J) in, the truth out.

    joints  (B, J, 3) metres, relative to the root, camera frame
    root    (B, 3) metres, camera frame
    cues    (B, C) what a robot knows besides (``cues.py``)
    """

    rays: Tensor
    confidence: Tensor
    joints: Tensor
    root: Tensor
    cues: Tensor

    def __getitem__(self, chosen: Tensor) -> "Batch":
        return Batch(*(getattr(self, one.name)[chosen] for one in fields(self)))

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device."""
        return Batch(*(getattr(self, one.name).to(device) for one in fields(self)))


class Simulation:
    """Motion capture before virtual cameras and a detector.

    Raises InputError when poses lack joints, or the file of an error model or of bodies cannot be
    used.
    """

    def __init__(self, mocap: Mocap, cameras: CameraPoses, config: SimulationConfig) -> None:
        _check_complete(mocap)
        positions = mocap.centred() if config.keep_place else _in_the_middle(mocap)
        self._positions = torch.as_tensor(positions)
        self._cameras = cameras
        self._config = config
        self._bodies = Bodies.read(Path(config.bodies), mocap.split) if config.bodies else None
        self._detector = DETECTORS[config.detector](config)
        self._fixed = None
        if config.fixed_samples:
            generator = Generator(self._positions.device).manual_seed(0)
            self._fixed = self._draw(config.fixed_samples, generator)

    def draw(self, size: int, generator: Generator) -> Batch:
        """Draw ``size`` samples; the generator alone decides."""
        if self._fixed is None:
            return self._draw(size, generator)
        return self._fixed[torch.randint(len(self._fixed.root), (size,), generator=generator)]

    def of_epochs(self, first: int, size: int, seed: int) -> Batch:
        """``size`` fixed samples from the ``first`` on; every epoch has each once, in its order.

        Raises InputError where no samples are fixed.
        """
        if self._fixed is None:
            raise InputError("fixed_samples is 0: samples that are drawn anew have no epochs")
        device, count = self._positions.device, len(self._fixed.root)
        wanted = torch.arange(first, first + size, device=device)
        epochs = range(first // count, (first + size - 1) // count + 1)
        orders = [_epoch_order(count, seed + epoch, device) for epoch in epochs]
        return self._fixed[torch.cat(orders)[wanted - epochs[0] * count]]

    def _draw(self, size: int, generator: Generator) -> Batch:
        config = self._config
        frames = torch.randint(len(self._positions), (size,), generator=generator)
        persons = augmented(
            self._positions[frames],
            config.person_scale,
            config.bone_scale,
            config.forearm_share,
            generator,
        )
        if self._bodies is not None:
            persons = self._bodies.given_to(persons, config.bodies_share, generator)
        by_robot = round(size * config.cameras.robot_share)
        views = _together(
            robot_views(persons[:by_robot], config.cameras, generator),
            studio_views(persons[by_robot:], self._cameras, config.cameras, generator),
        )
        rays, confidence = self._detector(views, generator)
        points, root = views.points_in_camera, views.points_in_camera[:, 0]
        cues = draw_cues(views, config.cues, generator)
        return Batch(rays, confidence, points - root[:, None], root, cues)


@lru_cache(maxsize=2)
def _epoch_order(count: int, seed: int, device: torch.device) -> Tensor:
    generator = Generator(device).manual_seed(seed)
    return torch.randperm(count, generator=generator, device=device)


def _check_complete(mocap: Mocap) -> None:
    missing = np.isnan(mocap.positions_in_world).any(-1)
    if missing.any():
        names = [H36M17.joint_names[joint] for joint in np.flatnonzero(missing.any(0))]
        raise InputError(
            f"{missing.any(1).sum()} of {len(mocap)} frames of {', '.join(mocap.sources)} lack "
            f"{', '.join(names)}; training needs all {len(H36M17)} joints: leave that source out"
        )


def _in_the_middle(mocap: Mocap) -> FloatArray:
    positions = mocap.positions_in_world.copy()
    positions[..., :2] -= mocap.positions_in_world[:, :1, :2]
    return positions


def _together(one: Views, other: Views) -> Views:
    names = [part.name for part in fields(Views)]
    return Views(*(torch.cat([getattr(one, name), getattr(other, name)]) for name in names))


def _exact(views: Views, generator: Generator) -> tuple[Tensor, Tensor]:
    """GT2D: every joint where it is, also outside the image."""
    rays = views.points_in_camera[..., :2] / views.points_in_camera[..., 2:]
    return rays, torch.ones_like(rays[..., 0])


def _simulated(views: Views, generator: Generator) -> tuple[Tensor, Tensor]:
    """DET2D: the simulated detector of ``data/detector.py``."""
    rays, confidence = _exact(views, generator)
    focal_length = _focal_length(views)
    return detect_pixels(rays * focal_length, generator) / focal_length, confidence


def _error_model(config: SimulationConfig) -> Detector:
    """Exact keypoints plus errors drawn from a fitted model (AbsPoseLifter 4.2)."""
    model = error_model.read_error_model(Path(config.error_model))

    def detector(views: Views, generator: Generator) -> tuple[Tensor, Tensor]:
        rays, confidence = _exact(views, generator)
        return rays + error_model.draw_errors(model, len(rays), generator) / _focal_length(
            views
        ), confidence

    return detector


def _layouts(config: SimulationConfig) -> Detector:
    return lambda views, generator: detect_in_layouts(
        views.points_in_camera, views.half_image, config.layouts, generator
    )


def _focal_length(views: Views) -> Tensor:
    """Pixels (B, 1, 1) of images 1000 pixels wide, in which errors are given."""
    return 500 / views.half_image[:, :1, None]


DETECTORS: dict[str, Callable[[SimulationConfig], Detector]] = {
    "exact": lambda config: _exact,
    "simulated": lambda config: _simulated,
    "error_model": _error_model,
    "layouts": _layouts,
}
