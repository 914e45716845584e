"""The robot protocol: test subjects as a robot's camera and its detector show them.

docs/training.md says in words what is drawn; ``robot_views`` and ``robot_keypoints`` draw it. The
root is estimated, the person's size unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erd_ros.evaluate.coverage import coverage
from erd_ros.evaluate.robot_keypoints import HIDDEN, LAYOUTS, RobotKeypoints, robot_keypoints
from erd_ros.evaluate.robot_losses import Loss, cost, losses
from erd_ros.evaluate.robot_views import RobotViews, robot_views
from erd_ros.evaluate.scenes import Scene
from erd_ros.evaluate.steps import load_steps
from erd_ros.evaluate.summary import Errors, PoseErrors, means, pose_errors, true_size
from erd_ros.geometry.root import root_from_rays
from erd_ros.mocap import Mocap, read_mocap
from erd_ros.report import file_name

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Figures = dict[str, object]

MEAN_POSE = "mean pose"
_RANGES: dict[str, tuple[float, ...]] = {
    "distance, m": (1, 2, 3, 5, 8),
    "roll, degrees": (0, 5, 15, 25),
    "pitch, degrees": (-40, -20, 0, 20, 40),
    "camera height, m": (0.3, 0.9, 1.5, 2.2),
    "size, m": (0.5, 1.4, 1.5, 1.6, 1.7, 2.5),  # from ankle to head top along the body
}
_JOINTS_SEEN = ((2, 5), (6, 8), (9, 11), (12, 14), (15, 17))
# Every how manieth training frame the mean pose is of.
_MEAN_POSE_STRIDE = 20
_FEWEST_KEYPOINTS = 2  # of less no root can be solved


@dataclass(frozen=True, eq=False)
class RobotScene:
    """F poses of one split: what a model is given, the truth, and under what conditions.

    source      (F,) index of the source of motion capture
    conditions  name of a condition to {label: (F,) the poses it holds for}
    losses      by name: what is lost, before and after
    """

    scene: Scene
    source: NDArray[np.int64]
    conditions: dict[str, dict[str, Mask]]
    losses: dict[str, Loss]
    left_out: int

    @property
    def seen(self) -> Mask:
        """(F, J) which joints the model is given."""
        return np.asarray(self.scene.confidence > 0)


def robot_scene(mocap: Mocap, seed: int) -> RobotScene:
    """The protocol's views and keypoints of a split. Raises InputError when no pose is left."""
    generator = np.random.default_rng(seed)
    views = robot_views(mocap.positions_in_world, generator)
    keypoints = robot_keypoints(views, generator)
    lost = losses(views, generator)
    solvable = (keypoints.confidence > 0).sum(1) >= _FEWEST_KEYPOINTS
    views, keypoints = views.chosen(solvable), keypoints.chosen(solvable)
    root = views.points_in_camera[:, 0]
    joints = views.points_in_camera - root[:, None]
    scene = Scene(keypoints.rays, keypoints.confidence, joints, root)
    return RobotScene(
        scene,
        mocap.source[views.pose],
        _conditions(views, keypoints),
        lost,
        len(mocap) - len(views),
    )


def _conditions(views: RobotViews, keypoints: RobotKeypoints) -> dict[str, dict[str, Mask]]:
    seen = (keypoints.confidence > 0).sum(1)
    values = {
        "distance, m": views.distance,
        "roll, degrees": np.abs(views.roll),
        "pitch, degrees": views.pitch,
        "camera height, m": views.camera_height,
        "size, m": true_size(views.points_in_camera),
    }
    in_image = views.in_image().all(1)
    joints_seen = {f"{low} to {high}": (low <= seen) & (seen <= high) for low, high in _JOINTS_SEEN}
    return {
        "layout": {name: keypoints.layout == i for i, name in enumerate(LAYOUTS)},
        "hidden": {name: keypoints.hidden == i for i, name in enumerate(HIDDEN)},
        "image": {"whole person": in_image, "cut by the border": ~in_image},
        "joints seen": joints_seen,
        **{name: _ranges(values[name], bounds) for name, bounds in _RANGES.items()},
    }


def _ranges(values: Array, bounds: Sequence[float]) -> dict[str, Mask]:
    """Label to the (F,) values in each half-open range between bounds, the last one closed."""
    index = np.digitize(values, bounds[1:-1])
    return {f"{low:g} to {high:g}": index == i for i, (low, high) in enumerate(pairwise(bounds))}


def evaluate_robot(
    models: Mapping[str, Path], data: Path, sources: Sequence[str], split: str, seed: int
) -> Figures:
    """Errors of models, by the name they shall have, and of the mean pose; millimetres.

    The result's "models" maps each name to {"steps": errors of step 0 (the lifter alone), 1, ...,
    "sources": errors of the last step by source, "conditions": the same by condition and label}.
    Its "losses" maps each model to what losses cost it.
    Raises InputError or ArtifactError for unusable files.
    """
    loaded = {name: load_steps(path) for name, path in models.items()}
    examined = robot_scene(read_mocap(data, sources, split), seed)
    mean = mean_pose(read_mocap(data, sources, "train"), seed)
    scene = examined.scene
    summaries = {MEAN_POSE: _summary([_of_mean_pose(mean, scene)], (None, None), examined, sources)}
    covered = {}
    for name, model in loaded.items():
        steps = model(scene.rays, scene.confidence)
        size, sigma = said = model.size_and_sigma(scene.rays, scene.confidence)
        summaries[name] = _summary(steps, said, examined, sources)
        if model.info.deviations and size is not None and sigma is not None:
            covered[name] = coverage(model.info.deviations, steps[-1], (size, sigma), scene)
    files = {
        name: {"file": file_name(models[name]), "sha256": one.sha256}
        for name, one in loaded.items()
    }
    return {
        "protocol": "robot",
        "split": split,
        "poses": {one: int((examined.source == i).sum()) for i, one in enumerate(sources)},
        "poses_left_out": examined.left_out,
        "files": files,
        "losses": {
            name: {what: cost(model, loss) for what, loss in examined.losses.items()}
            for name, model in loaded.items()
        },
        "coverage": covered,
        "models": summaries,
    }


def mean_pose(mocap: Mocap, seed: int) -> Array:
    """(J, 3) the mean of root-relative poses before the protocol's cameras, metres."""
    some = mocap.positions_in_world[::_MEAN_POSE_STRIDE]
    points = robot_views(some, np.random.default_rng(seed)).points_in_camera
    return np.asarray((points - points[:, :1]).mean(0))


def _of_mean_pose(mean: Array, scene: Scene) -> tuple[Array, Array]:
    joints = np.broadcast_to(mean, scene.joints.shape)
    return joints, root_from_rays(scene.rays, joints, scene.confidence)


def _summary(
    steps: Sequence[tuple[Array, Array]],
    said: tuple[Array, Array] | tuple[None, None],
    examined: RobotScene,
    sources: Sequence[str],
) -> Figures:
    """Of steps (joints, root), the last with the size and the sigma of the distance."""
    errors = [pose_errors(*step, examined.scene) for step in steps[:-1]]
    errors.append(pose_errors(*steps[-1], examined.scene, *said))
    everything = np.ones(len(examined.source), bool)
    of_sources = {one: examined.source == i for i, one in enumerate(sources)}
    last = errors[-1]
    return {
        "steps": [_means(one, examined, everything) for one in errors],
        "sources": {one: _means(last, examined, mask) for one, mask in of_sources.items()},
        "conditions": {
            name: {label: _means(last, examined, mask) for label, mask in labels.items()}
            for name, labels in examined.conditions.items()
        },
    }


def _means(errors: PoseErrors, examined: RobotScene, chosen: Mask) -> Errors:
    """Means over the chosen (F,) poses; the last two over their joints, seen and inferred."""
    if not chosen.any():
        return {"poses": 0.0}
    seen, of_joints = examined.seen[chosen], errors.of_joints[chosen]
    return {
        "poses": float(chosen.sum()),
        **means(errors, chosen),
        "mpjpe_seen_mm": _mean(of_joints[seen]),
        "mpjpe_inferred_mm": _mean(of_joints[~seen]),
    }


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")
