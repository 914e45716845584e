"""Errors of a run's model on test subjects: every step, by source and by action."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from erd_ros.data.detector import detect_pixels
from erd_ros.evaluate.scenes import Scene, exact_scene, fixed_views
from erd_ros.evaluate.summary import Errors, PoseErrors, means, pose_errors
from erd_ros.metrics import Array, by_group
from erd_ros.mocap import TEST_CAMERAS, read_human36m_cameras, read_mocap
from erd_ros.models.checkpoint import load_model
from erd_ros.reproduce.kinds import by_kind
from erd_ros.reproduce.runs import Run, Workplace, trained
from erd_ros.train import BEST, FINAL
from erd_ros.train.config import TrainConfig, from_values

INPUTS = ("gt2d", "det2d")
# The detector errs in pixels of images 1000 pixels wide; this is their focal length, pixels.
FOCAL_LENGTH = 1145.0
# The papers refine with four regressors; figure 3 of the ERD paper alone goes further.
MOST_STEPS = 4
AVERAGE = "average"
_BATCH = 4096
_DECIMALS = 2


@dataclass(frozen=True, eq=False)
class Examination:
    """What every model is tested on: F poses of test subjects before fixed cameras.

    scenes            "gt2d" with exact keypoints, "det2d" with those of the simulated detector
    source, action    (F,) index into ``sources`` and ``actions``
    left_out          poses that came too near a camera
    """

    scenes: dict[str, Scene]
    source: NDArray[np.int64]
    sources: tuple[str, ...]
    action: NDArray[np.int64]
    actions: tuple[str, ...]
    left_out: int


@dataclass(frozen=True, eq=False)
class Estimates:
    """A step's joints (F, J, 3), relative to the root, and roots (F, 3); metres, camera frame."""

    joints: Array
    root: Array


@dataclass(frozen=True, eq=False)
class StepScores:
    """Errors of one step, millimetres or percent.

    all             metric to its mean over all poses
    sources         the same by source
    actions, kinds  MPJPE by action and by kind of action, and their mean AVERAGE
    """

    all: Errors
    sources: dict[str, Errors]
    actions: Errors
    kinds: Errors


@dataclass(frozen=True, eq=False)
class Scores:
    """Errors of a run on test subjects.

    steps           metric to its mean over all poses, for every step; the first is the lifter
    lifter, refined more of the lifter alone, and of the steps used
    used            steps that validation finds best, of MOST_STEPS at most
    validation_mm   MPJPE of validation for every step
    """

    run: str
    tested_on: str
    config: TrainConfig
    commit: str
    validation_mm: tuple[float, ...]
    used: int
    steps: list[Errors]
    lifter: StepScores
    refined: StepScores


@dataclass(eq=False)
class Bench:
    """Scores of runs, each computed once, trained where it is missing; for one table at a time.

    used  scores asked for since it was last emptied
    """

    place: Workplace
    seed: int
    sources: tuple[str, ...]
    used: dict[str, Scores] = field(default_factory=dict)
    _scores: dict[tuple[Run, str], Scores] = field(default_factory=dict)
    _examination: Examination | None = None

    @property
    def examination(self) -> Examination:
        """The test subjects, read on first use."""
        if self._examination is None:
            self._examination = examination(self.place.data, self.sources, self.seed)
        return self._examination

    def scores(self, run: Run, tested_on: str) -> Scores:
        """Errors of a run on "gt2d" or "det2d"."""
        key = (run, tested_on)
        if key not in self._scores:
            folder = trained(run, self.place)
            estimates = estimate(folder, self.examination.scenes[tested_on])
            scores = _scored(folder, self.examination, tested_on, estimates)
            self._scores[key] = scores
            print(
                f"{run.name}: {tested_on}, {scores.lifter.all['mpjpe_mm']:.1f} mm by the lifter, "
                f"{scores.refined.all['mpjpe_mm']:.1f} mm after step {scores.used}",
                flush=True,
            )
        self.used[f"{run.name} on {tested_on}"] = self._scores[key]
        return self._scores[key]

    def estimates(self, run: Run, tested_on: str) -> list[Estimates]:
        """What the run's model makes of the poses, every step."""
        return estimate(trained(run, self.place), self.examination.scenes[tested_on])


def examination(data: Path, sources: Sequence[str], seed: int) -> Examination:
    """Read the test split. Raises InputError."""
    mocap = read_mocap(data, sources, "test")
    views = fixed_views(mocap, read_human36m_cameras(data, TEST_CAMERAS))
    exact = exact_scene(views, np.random.default_rng(seed))
    detected = Scene(_detected(exact, seed), exact.confidence, exact.joints, exact.root)
    scenes = dict(zip(INPUTS, (exact, detected), strict=True))
    return Examination(
        scenes, views.source, mocap.sources, views.action, mocap.actions, views.left_out
    )


def _detected(exact: Scene, seed: int) -> NDArray[np.float32]:
    generator = torch.Generator().manual_seed(seed)
    pixels = detect_pixels(torch.from_numpy(exact.rays) * FOCAL_LENGTH, generator)
    return (pixels / FOCAL_LENGTH).numpy()


@torch.no_grad()
def estimate(folder: Path, scene: Scene) -> list[Estimates]:
    """Every step of a finished run's model, with all its regressors, given the true root."""
    model, _ = load_model(folder / BEST)
    parts = []
    for first in range(0, len(scene.root), _BATCH):
        rays, confidence, root = (
            torch.from_numpy(one[first : first + _BATCH].astype(np.float32))
            for one in (scene.rays, scene.confidence, scene.root)
        )
        parts.append(model.trajectory(rays, confidence, root=root))
    return [
        Estimates(
            np.concatenate([part[step].joints.numpy() for part in parts]).astype(np.float64),
            np.concatenate([part[step].root.numpy() for part in parts]).astype(np.float64),
        )
        for step in range(model.config.steps + 1)
    ]


def _scored(
    folder: Path, examined: Examination, tested_on: str, estimates: Sequence[Estimates]
) -> Scores:
    _, artifact = load_model(folder / FINAL)
    errors = [pose_errors(one.joints, one.root, examined.scenes[tested_on]) for one in estimates]
    validation = tuple(round(one, _DECIMALS) for one in artifact.training["validation_mpjpe_mm"])
    used = int(np.argmin(validation[: MOST_STEPS + 1]))
    return Scores(
        run=folder.name,
        tested_on=tested_on,
        config=from_values(TrainConfig, artifact.training["config"], str(folder)),
        commit=artifact.training["commit"],
        validation_mm=validation,
        used=used,
        steps=[_means(one, np.ones_like(examined.source, bool)) for one in errors],
        lifter=_of_step(errors[0], examined),
        refined=_of_step(errors[used], examined),
    )


def _of_step(errors: PoseErrors, examined: Examination) -> StepScores:
    kind, kinds = by_kind(examined.action, examined.actions)
    return StepScores(
        all=_means(errors, np.ones_like(examined.source, bool)),
        sources=_by_source(errors, examined),
        actions=_by(errors, examined.action, examined.actions),
        kinds=_by(errors, kind, kinds),
    )


def _means(errors: PoseErrors, chosen: NDArray[np.bool_]) -> Errors:
    return {name: round(value, _DECIMALS) for name, value in means(errors, chosen).items()}


def _by_source(errors: PoseErrors, examined: Examination) -> dict[str, Errors]:
    chosen = {one: examined.source == index for index, one in enumerate(examined.sources)}
    return {one: _means(errors, mask) for one, mask in chosen.items() if mask.any()}


def _by(errors: PoseErrors, group: NDArray[np.int64], names: Sequence[str]) -> Errors:
    of_groups, average = by_group(errors.of_poses["mpjpe_mm"], group, names)
    return {
        name: round(value, _DECIMALS) for name, value in (of_groups | {AVERAGE: average}).items()
    }
