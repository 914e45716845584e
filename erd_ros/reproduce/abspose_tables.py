"""Tables 1 to 3 and figures 5 and 6 of the AbsPoseLifter paper."""

from functools import partial
from pathlib import Path

import numpy as np

from erd_ros.data.error_model import read_error_model
from erd_ros.evaluate.scenes import Scene
from erd_ros.geometry.root import ROOT_SOLVERS
from erd_ros.metrics import Array, mrpe_mm, root_error_xyz_mm
from erd_ros.reproduce.catalogue import abspose_error_run, abspose_fixed_run, abspose_run
from erd_ros.reproduce.page import Grid, Picture, Report, change, row
from erd_ros.reproduce.pictures import draw_depth, draw_errors
from erd_ros.reproduce.scoring import FOCAL_LENGTH, Bench, Scores
from erd_ros.skeleton import H36M17

_METRICS = ("mpjpe_mm", "pa_mpjpe_mm", "mrpe_mm")
_HEAD = ("MPJPE", "PA-MPJPE", "MRPE", "paper: MPJPE", "paper: PA-MPJPE", "paper: MRPE")
_BOTH = ("location", "scale")
_SIZE = (
    "The lifter is {width} wide with dropout {dropout}, the paper's 4096 with 0.5. Means over all "
    "poses of the test subjects, mm; the paper's numbers are of Human3.6M."
)
_TABLE_1 = {
    (): ("baseline", (44.86, 29.24, 510.88)),
    ("location",): ("+ location", (39.04, 29.09, 368.89)),
    ("scale",): ("+ scale", (44.29, 28.90, 113.38)),
    _BOTH: ("+ location and scale", (38.38, 28.78, 98.84)),
}
_TABLE_2 = (
    ("exact, without location and scale", abspose_run(()), (64.97, 45.47, 680.38)),
    ("exact", abspose_run(_BOTH), (61.53, 45.45, 239.35)),
    ("detections made once", abspose_fixed_run(), (58.90, 43.54, 209.44)),
    ("single Gaussian", abspose_error_run("gaussian"), (56.01, 44.78, 164.51)),
    ("mixture model", abspose_error_run("mixture"), (53.14, 42.63, 144.24)),
)
# MRPE and its parts along x, y and z.
_TABLE_3 = {
    "weak_perspective": (163.96, 20.42, 20.23, 157.53),
    "learned": (144.24, 20.35, 20.97, 137.03),
}
_SOLVERS = {
    "weak_perspective": "weak perspective (Mehta et al.)",
    "perspective": "full perspective, least squares",
}
_PLOTTED_JOINT = "right_wrist"


def table_1(bench: Bench) -> Report:
    """Location and scale of the person beside normalised exact keypoints."""
    scores = {c: bench.scores(abspose_run(c), "gt2d") for c in _TABLE_1}
    rows = tuple(
        row(label, *_errors(scores[context]), *paper)
        for context, (label, paper) in _TABLE_1.items()
    )
    reading = tuple(
        f"{_TABLE_1[c][0]}: {change(_errors(scores[()])[2], _errors(scores[c])[2], 'MRPE')}, "
        f"{change(_errors(scores[()])[0], _errors(scores[c])[0])}; in the paper "
        f"{change(_TABLE_1[()][1][2], _TABLE_1[c][1][2], 'MRPE')}, "
        f"{change(_TABLE_1[()][1][0], _TABLE_1[c][1][0])}."
        for c in list(_TABLE_1)[1:]
    )
    caption = (
        "As figure 6 of the paper: scale of the 2D pose in the image against the canonical root "
        "depth that the lifter predicts, test subjects, exact keypoints. The line is their "
        "median product over the scale; the largest 0.5 % of the scales are left out."
    )

    def draw(path: Path) -> None:
        rays = bench.examination.scenes["gt2d"].rays.astype(np.float64)
        offset = rays - rays.mean(1, keepdims=True)
        scale = np.sqrt((offset**2).sum(-1).mean(1))  # AbsPoseLifter eq. 4
        depth = bench.estimates(abspose_run(_BOTH), "gt2d")[0].root[:, 2]
        draw_depth(path, scale * FOCAL_LENGTH, 1000 * depth / FOCAL_LENGTH)

    return Report(
        "AbsPoseLifter, table 1: location and scale",
        _about(scores[()], "Trained and tested on exact keypoints."),
        (Grid("mm", ("input", *_HEAD), rows),),
        reading,
        (Picture("-figure-6", caption, draw),),
    )


def table_2(bench: Bench) -> Report:
    """What the lifter is trained on where detections come in."""
    scores = {label: bench.scores(run, "det2d") for label, run, _ in _TABLE_2}
    rows = tuple(row(label, *_errors(scores[label]), *paper) for label, _, paper in _TABLE_2)
    of_exact, of_exact_in_paper = _errors(scores["exact"]), _TABLE_2[1][2]
    reading = tuple(
        f"{label} against exact: {change(of_exact[0], _errors(scores[label])[0])}, "
        f"{change(of_exact[2], _errors(scores[label])[2], 'MRPE')}; in the paper "
        f"{change(of_exact_in_paper[0], paper[0])}, "
        f"{change(of_exact_in_paper[2], paper[2], 'MRPE')}."
        for label, _, paper in _TABLE_2[2:]
    )
    caption = (
        f"As figure 5 of the paper: error of the {_PLOTTED_JOINT.replace('_', ' ')} along x on the "
        "test subjects, and the two models fitted to a training subject's errors."
    )
    about = (
        "All tested on the simulated detector's keypoints. Error models were fitted to that "
        "detector's errors on one training subject (`erd data fit-errors`, `config/errors/`)."
    )
    return Report(
        "AbsPoseLifter, table 2: training against errors of the detector",
        _about(scores["exact"], about),
        (Grid("mm", ("trained on", *_HEAD), rows),),
        reading,
        (Picture("-figure-5", caption, partial(_draw_errors, bench)),),
    )


def table_3(bench: Bench) -> Report:
    """Roots of the mixture model's poses, and of true poses, by several solvers."""
    run = abspose_error_run("mixture")
    scores = bench.scores(run, "det2d")
    scenes = bench.examination.scenes
    estimates = bench.estimates(run, "det2d")[0]
    roots = {name: _solved(name, estimates.joints, scenes["det2d"]) for name in _SOLVERS}
    errors = {name: _root_errors(root, scenes["det2d"].root) for name, root in roots.items()}
    errors["learned"] = _root_errors(estimates.root, scenes["det2d"].root)
    rows = [
        row(label, *errors[name], *_TABLE_3.get(name, (None,) * 4))
        for name, label in {**_SOLVERS, "learned": "learned depth (AbsPoseLifter)"}.items()
    ]
    for name, label in _SOLVERS.items():
        for scene, what in (("gt2d", "exact"), ("det2d", "detected")):
            root = _solved(name, scenes[scene].joints, scenes[scene])
            of_truth = _root_errors(root, scenes[scene].root)
            rows.append(row(f"true pose, {what} keypoints: {label}", *of_truth, *(None,) * 4))
    head = ("root", "MRPE", "x", "y", "z", *(f"paper: {one}" for one in ("MRPE", "x", "y", "z")))
    weak = errors["weak_perspective"][0]
    reading = (
        f"Learned depth {change(weak, errors['learned'][0], 'MRPE')} against weak perspective; in "
        f"the paper it {change(_TABLE_3['weak_perspective'][0], _TABLE_3['learned'][0], 'MRPE')}.",
        f"Full perspective {change(weak, errors['perspective'][0], 'MRPE')} against weak.",
    )
    about = (
        "Roots of the poses that the lifter trained on the mixture model's errors gives, on the "
        "simulated detector's keypoints. Below, for reference, roots of the true poses."
    )
    grids = (Grid("mm", head, tuple(rows)),)
    return Report("AbsPoseLifter, table 3: root", _about(scores, about), grids, reading)


def _about(scores: Scores, text: str) -> str:
    size = scores.config.model.lifter_size
    return f"{text} {_SIZE.format(width=size.width, dropout=size.dropout)}"


def _errors(scores: Scores) -> tuple[float, ...]:
    return tuple(scores.lifter.all[metric] for metric in _METRICS)


def _solved(name: str, joints: Array, scene: Scene) -> Array:
    """Roots (F, 3) of joints (F, J, 3) by a solver, metres."""
    solved = ROOT_SOLVERS[name](scene.rays.astype(np.float64), joints, scene.confidence)
    return np.stack(solved, -1)


def _root_errors(root: Array, truth: Array) -> tuple[float, ...]:
    """MRPE, and its parts along x, y and z, millimetres."""
    parts = root_error_xyz_mm(root, truth).mean(0)
    return tuple(round(float(one), 2) for one in (mrpe_mm(root, truth).mean(), *parts))


def _draw_errors(bench: Bench, path: Path) -> None:
    scenes, joint = bench.examination.scenes, H36M17.index(_PLOTTED_JOINT)
    pixels = (scenes["det2d"].rays - scenes["gt2d"].rays)[:, joint, 0] * FOCAL_LENGTH
    folder = bench.place.configs.parent / "errors"
    models = {kind: read_error_model(folder / f"{kind}.json") for kind in ("gaussian", "mixture")}
    draw_errors(path, pixels, models, joint)
