"""Why the estimated root is the hard part of ERD: what could be gained without any network."""

from collections.abc import Callable

import numpy as np

from erd_ros.evaluate.scenes import Scene
from erd_ros.geometry.align import best_scale
from erd_ros.geometry.root import root_from_rays
from erd_ros.metrics import Array, mpjpe_mm, n_mpjpe_mm, pa_mpjpe_mm
from erd_ros.reproduce.catalogue import erd_run
from erd_ros.reproduce.page import Grid, Report, row
from erd_ros.reproduce.scoring import Bench

# Joints (F, J, 3) relative to the root to others, by what a scene gives away.
Correction = Callable[[Array, Scene], Array]


def _as_it_is(joints: Array, scene: Scene) -> Array:
    return joints


def _scaled_by_depth(joints: Array, scene: Scene) -> Array:
    """A pose twice as large stands twice as far: the true depth tells its size."""
    depth = root_from_rays(scene.rays, joints)[:, 2]
    return np.asarray(joints * (scene.root[:, 2] / depth)[:, None, None])


def _scaled_best(joints: Array, scene: Scene) -> Array:
    scale: Array = best_scale(joints, scene.joints)
    return joints * scale[:, None, None]


def _on_rays(joints: Array, scene: Scene, root: Array) -> Array:
    """Each joint at its depth, moved sideways until its residual is 0."""
    depth = (joints + root[:, None])[..., 2:]
    points = np.concatenate([scene.rays * depth, depth], -1)
    return np.asarray(points - points[:, :1], np.float64)


def _on_rays_estimated(joints: Array, scene: Scene) -> Array:
    return _on_rays(joints, scene, root_from_rays(scene.rays, joints))


def _on_rays_given(joints: Array, scene: Scene) -> Array:
    return _on_rays(joints, scene, scene.root)


_CORRECTIONS: dict[str, Correction] = {
    "as it is": _as_it_is,
    "joints moved onto their rays, root estimated": _on_rays_estimated,
    "joints moved onto their rays, root given": _on_rays_given,
    "scaled by the true depth of the root": _scaled_by_depth,
    "scaled by the best scale of each pose": _scaled_best,
}
_METRICS = {"MPJPE": mpjpe_mm, "N-MPJPE": n_mpjpe_mm, "PA-MPJPE": pa_mpjpe_mm}


def estimated_root(bench: Bench) -> Report:
    """What the residual tells with the true root, and what it tells with an estimated one."""
    scene = bench.examination.scenes["gt2d"]
    rows: dict[str, list[float]] = {}
    for root, label in (("perspective", "root estimated"), ("given", "root given")):
        run = erd_run("linear", "gt2d", root)
        steps, used = bench.estimates(run, "gt2d"), bench.scores(run, "gt2d").used
        for what, joints in (("lifter", steps[0].joints), (f"ERD, {label}", steps[used].joints)):
            for name, correct in _CORRECTIONS.items():
                rows.setdefault(f"{what}, {name}", _errors(correct(joints, scene), scene))
    lifter, scaled = rows["lifter, as it is"][0], rows[f"lifter, {list(_CORRECTIONS)[3]}"][0]
    estimated, given = (
        rows["ERD, root estimated, as it is"][0],
        rows["ERD, root given, as it is"][0],
    )
    gain = lifter - given
    sideways = [rows[f"lifter, {name}"][0] for name in list(_CORRECTIONS)[1:3]]
    reading = (
        "A residual shows how far a joint lies beside its ray, and ERD gains about what that is "
        "worth: moving the lifter's joints onto their rays, by no network, leaves "
        f"{sideways[1]:.1f} mm with the root given (ERD {given:.1f}) and {sideways[0]:.1f} mm with "
        f"the root estimated (ERD {estimated:.1f}). What remains are errors along the rays.",
        "The true root alone, used by no network but to scale each pose, lowers MPJPE by "
        f"{lifter - scaled:.1f} mm: {100 * (lifter - scaled) / gain:.0f} % of the {gain:.1f} mm "
        "that ERD gains with the root given.",
        f"ERD with the root estimated gains {lifter - estimated:.1f} mm. The estimated root is a "
        "function of pose and rays, and grows with the pose: joints and root scaled together "
        "leave every residual as it is, so no residual can tell the person's size.",
    )
    about = (
        "Linear lifter, exact keypoints, mm, means over all poses of the test subjects. Poses are "
        "corrected with what is known and without any network, to see where an error lies."
    )
    grid = Grid("mm", ("", *_METRICS), tuple(row(name, *errors) for name, errors in rows.items()))
    return Report("Why the estimated root is hard", about, (grid,), reading)


def _errors(joints: Array, scene: Scene) -> list[float]:
    return [round(float(one(joints, scene.joints).mean()), 2) for one in _METRICS.values()]
