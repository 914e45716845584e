"""Evaluation of the file that ships: every step's error on subjects never trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.evaluate.scenes import SCENES, FixedViews, Scene, fixed_views
from erd_ros.evaluate.steps import StepModel, load_steps
from erd_ros.evaluate.summary import (
    Errors,
    PoseErrors,
    means,
    means_by_action,
    means_by_joint,
    pose_errors,
)
from erd_ros.mocap import TEST_CAMERAS, read_human36m_cameras, read_mocap
from erd_ros.report import file_name

Figures = dict[str, object]


def evaluate(
    model: Path, data: Path, sources: Sequence[str], split: str = "test", seed: int = 0
) -> Figures:
    """Errors by scene, source and step, in millimetres; see docs/results.md for what is done.

    The result's "scenes" maps a scene ("exact", "detected") to {source or "all": [errors of step
    0 (the lifter alone), 1, ...]}; "all" are the sources that the model was trained on, or every
    one where the file does not say. "joints" and "actions" have the same form with the errors by
    joint and by action. Raises InputError or ArtifactError for unusable files.
    """
    steps = load_steps(model)
    mocap = read_mocap(data, sources, split)
    views = fixed_views(mocap, read_human36m_cameras(data, TEST_CAMERAS))
    trained_on = steps.info.training.get("sources", list(sources))
    groups = _groups(views, sources, trained_on)
    scenes, joints, actions = {}, {}, {}
    for name, make_scene in SCENES.items():
        errors = _errors_of_steps(steps, make_scene(views, np.random.default_rng(seed)))
        scenes[name] = {g: [means(e, mask) for e in errors] for g, mask in groups.items()}
        joints[name] = {g: [means_by_joint(e, mask) for e in errors] for g, mask in groups.items()}
        actions[name] = {
            group: [means_by_action(e, mask, views.action, mocap.actions) for e in errors]
            for group, mask in groups.items()
        }
    return {
        "model": {"file": file_name(model), "sha256": steps.sha256, "steps": steps.info.steps},
        "split": split,
        "subjects": list(mocap.subjects),
        "sources_trained_on": list(trained_on),
        "cameras": list(views.camera_names),
        "poses": {one: int((views.source == i).sum()) for i, one in enumerate(sources)},
        "poses_left_out": views.left_out,
        "scenes": scenes,
        "joints": joints,
        "actions": actions,
    }


def step_errors(figures: Mapping[str, object], scene: str, group: str = "all") -> list[Errors]:
    """Errors of every step from figures. Raises InputError when they hold no such group."""
    scenes = figures["scenes"]
    assert isinstance(scenes, dict)
    if scene not in scenes or group not in scenes[scene]:
        raise InputError(f"no figures of '{group}' in scene '{scene}'")
    errors: list[Errors] = scenes[scene][group]
    return errors


def _groups(
    views: FixedViews, sources: Sequence[str], trained_on: Sequence[str]
) -> dict[str, NDArray[np.bool_]]:
    """Which poses (F,) belong to "all" and to each source that has any."""
    seen = np.isin(views.source, [i for i, one in enumerate(sources) if one in trained_on])
    of_sources = {one: views.source == index for index, one in enumerate(sources)}
    return {g: mask for g, mask in {"all": seen, **of_sources}.items() if mask.any()}


def _errors_of_steps(steps: StepModel, scene: Scene) -> list[PoseErrors]:
    estimates = steps(scene.rays, scene.confidence)
    return [pose_errors(joints, root, scene) for joints, root in estimates]
