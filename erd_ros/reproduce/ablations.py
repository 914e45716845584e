"""What ERD's parts are worth: ablations beyond the papers' tables."""

from erd_ros.reproduce.catalogue import (
    MANY_ROOTS,
    erd_run,
    joint_run,
    many_roots_run,
    root_once_run,
)
from erd_ros.reproduce.page import Grid, Report, change, row
from erd_ros.reproduce.scoring import Bench

# What is compared with what: a label, the usual run, then a label and the other run.
_PAIRS = (
    ("greedy, root given", erd_run("linear", "gt2d", "given"), "joint, root given", joint_run()),
    (
        "root solved in every step", erd_run("linear", "gt2d", "perspective"),
        "root solved once", root_once_run(),
    ),
    (
        "relative to the pelvis, root given", erd_run("linear", "gt2d", "given"),
        f"relative to {len(MANY_ROOTS)} joints, averaged, root given", many_roots_run(),
    ),
)  # fmt: skip
_METRICS = ("mpjpe_mm", "pa_mpjpe_mm")


def ablations(bench: Bench) -> Report:
    """Greedy against joint training, the root every step or once, one root or several."""
    rows, reading = [], []
    for usual, run, other, other_run in _PAIRS:
        pair = bench.scores(run, "gt2d"), bench.scores(other_run, "gt2d")
        for label, scores in zip((usual, other), pair, strict=True):
            errors = [step.all[one] for one in _METRICS for step in (scores.lifter, scores.refined)]
            rows.append(row(label, *errors, scores.refined.all["mrpe_mm"], str(scores.used)))
        one, another = (scores.refined.all["mpjpe_mm"] for scores in pair)
        reading.append(f"{other} {change(one, another)} against {usual}.")
    head = (
        "",
        "MPJPE, lifter",
        "MPJPE, ERD",
        "PA-MPJPE, lifter",
        "PA-MPJPE, ERD",
        "MRPE, ERD",
        "steps",
    )
    about = (
        "Linear lifter, exact keypoints, mm, means over all poses of the test subjects. Joint "
        "training has the lifter and four regressors learn together for as many steps as the "
        f"lifter alone otherwise. Several roots are those of Park et al.: {', '.join(MANY_ROOTS)}."
    )
    return Report("Ablations", about, (Grid("mm", head, tuple(rows)),), tuple(reading))
