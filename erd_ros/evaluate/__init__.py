"""Evaluation of the file that ships: every step's error on subjects never trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from erd_ros.errors import InputError
from erd_ros.evaluate.scenes import SCENES, Scene, fixed_views
from erd_ros.evaluate.steps import StepModel, load_steps
from erd_ros.geometry.align import best_scale
from erd_ros.metrics import (
    Array,
    absolute_mpjpe_mm,
    mpjpe_mm,
    mrpe_mm,
    n_mpjpe_mm,
    pa_mpjpe_mm,
    root_error_xyz_mm,
)
from erd_ros.mocap import read_human36m_cameras, read_mocap

# Human3.6M's own test subjects.
CAMERA_SUBJECTS = ("S9", "S11")
_BATCH = 1024

Errors = dict[str, float]  # metric to millimetres
Figures = dict[str, object]


def evaluate(
    model: Path, data: Path, sources: Sequence[str], split: str = "test", seed: int = 0
) -> Figures:
    """Errors in millimetres by scene, source and step; see docs/results.md for what is done.

    The result's "scenes" maps a scene ("exact", "detected") to {source or "all": [errors of step
    0 (the lifter alone), 1, ...]}; "all" are the sources that the model was trained on, or every
    one where the file does not say. Raises InputError or ArtifactError for unusable files.
    """
    steps = load_steps(model)
    mocap = read_mocap(data, sources, split)
    views = fixed_views(mocap, read_human36m_cameras(data, CAMERA_SUBJECTS))
    trained_on = steps.info.training.get("sources", list(sources))
    scenes = {}
    for name, make_scene in SCENES.items():
        scene = make_scene(views, np.random.default_rng(seed))
        errors = _errors_of_poses(steps, scene)
        seen = np.isin(scene.source, [i for i, one in enumerate(sources) if one in trained_on])
        chosen = {"all": seen} if seen.any() else {}
        chosen |= {one: scene.source == index for index, one in enumerate(sources)}
        scenes[name] = {
            group: [{metric: float(v[mask].mean()) for metric, v in e.items()} for e in errors]
            for group, mask in chosen.items()
        }
    return {
        "model": {"file": str(model), "sha256": steps.sha256, "steps": steps.info.steps},
        "split": split,
        "subjects": list(mocap.subjects),
        "sources_trained_on": list(trained_on),
        "cameras": list(views.camera_names),
        "poses": {one: int((views.source == i).sum()) for i, one in enumerate(sources)},
        "poses_left_out": views.left_out,
        "scenes": scenes,
    }


def step_errors(figures: Mapping[str, object], scene: str, group: str = "all") -> list[Errors]:
    """Errors of every step from figures. Raises InputError when they hold no such group."""
    scenes = figures["scenes"]
    assert isinstance(scenes, dict)
    if scene not in scenes or group not in scenes[scene]:
        raise InputError(f"no figures of '{group}' in scene '{scene}'")
    errors: list[Errors] = scenes[scene][group]
    return errors


def _errors_of_poses(steps: StepModel, scene: Scene) -> list[dict[str, Array]]:
    """For every step, metric to errors (F,)."""
    parts = [
        steps(scene.rays[first : first + _BATCH], scene.confidence[first : first + _BATCH])
        for first in range(0, len(scene.rays), _BATCH)
    ]
    return [
        _errors(
            np.concatenate([part[step][0] for part in parts]),
            np.concatenate([part[step][1] for part in parts]),
            scene,
        )
        for step in range(steps.info.steps + 1)
    ]


def _errors(joints: Array, root: Array, scene: Scene) -> dict[str, Array]:
    truth, root_truth = scene.joints, scene.root
    x, y, z = np.moveaxis(root_error_xyz_mm(root, root_truth), -1, 0)
    # A person twice as large and twice as far looks the same: joints and root scale together.
    scale = best_scale(joints, truth)[:, None]
    return {
        "mpjpe_mm": mpjpe_mm(joints, truth),
        "pa_mpjpe_mm": pa_mpjpe_mm(joints, truth),
        "n_mpjpe_mm": n_mpjpe_mm(joints, truth),
        "mrpe_mm": mrpe_mm(root, root_truth),
        "mrpe_x_mm": x,
        "mrpe_y_mm": y,
        "mrpe_z_mm": z,
        "absolute_mpjpe_mm": absolute_mpjpe_mm(joints, root, truth, root_truth),
        "mrpe_size_known_mm": mrpe_mm(root * scale, root_truth),
    }
