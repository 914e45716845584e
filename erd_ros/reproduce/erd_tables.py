"""Tables 1 to 3 and figure 3 of the ERD paper, and the PCA variant of its authors' code."""

from functools import partial
from pathlib import Path

from erd_ros.reproduce.catalogue import PCA, ROOTS, erd_run, pca_run
from erd_ros.reproduce.page import Grid, Picture, Report, change, row
from erd_ros.reproduce.pictures import draw_poses, draw_steps
from erd_ros.reproduce.scoring import AVERAGE, INPUTS, MOST_STEPS, Bench, Scores

_NAMES = {"gt2d": "GT2D", "det2d": "DET2D"}
_LIFTERS = {"linear": "Martinez et al.", "lcn": "Ci et al.", "semgcn": "Zhao et al."}
# Table 3, mm: (lifter, root, input) to the lifter's error and ERD's.
_TABLE_3 = {
    ("linear", "given", "gt2d"): (37.5, 33.9),
    ("linear", "given", "det2d"): (53.4, 49.4),
    ("lcn", "given", "gt2d"): (39.1, 35.3),
    ("lcn", "given", "det2d"): (53.5, 50.0),
    ("semgcn", "given", "gt2d"): (39.9, 36.3),
    ("semgcn", "given", "det2d"): (57.2, 53.3),
    ("linear", "perspective", "gt2d"): (37.5, 35.8),
    ("linear", "perspective", "det2d"): (53.4, 53.0),
    ("lcn", "perspective", "gt2d"): (39.1, 37.2),
    ("lcn", "perspective", "det2d"): (53.5, 53.2),
    ("semgcn", "perspective", "gt2d"): (39.9, 38.1),
    ("semgcn", "perspective", "det2d"): (57.2, 56.8),
}
# Table 2, mm: feature to the error of ERD on GT2D and on DET2D; the lifter's are 37.5 and 53.4.
_TABLE_2 = {
    "init2d": (37.3, 53.4),
    "proj2d": (37.4, 53.4),
    "concat": (35.2, 50.5),
    "residual": (33.9, 49.3),
}
_SETTINGS = [(trained_on, root) for trained_on in INPUTS for root in ROOTS]
# Errors of the authors' code with PCA (its README), root given: the lifter's and ERD's.
_PCA = {"gt2d": (37.6, 32.6), "det2d": (53.5, 50.0)}
_ABOUT = (
    "Means over all poses of the test subjects, MPJPE in mm. GT2D: exact keypoints; DET2D: those "
    "of the simulated detector, in training and in testing. ERD has as many of the paper's four "
    "regressors as validation finds best. The paper's numbers are of Human3.6M."
)


def _label(trained_on: str, root: str) -> str:
    return f"{_NAMES[trained_on]}, root {ROOTS[root]}"


def table_1(bench: Bench) -> Report:
    """MPJPE by action. Ours are other actions than the paper's: averages alone compare."""
    scores = {one: bench.scores(erd_run("linear", *one), one[0]) for one in _SETTINGS}
    ends = [end for one in scores.values() for end in (one.lifter, one.refined)]
    rows = [row(kind, *(end.kinds[kind] for end in ends)) for kind in ends[0].kinds]
    paper = [error for one in _SETTINGS for error in _TABLE_3["linear", one[1], one[0]]]
    rows.append(row("paper, average over its actions", *paper))
    by_source = [
        row(source, *(end.sources[source]["mpjpe_mm"] for end in ends))
        for source in ends[0].sources
    ]
    head = ("", *(f"{_label(*one)}, {what}" for one in _SETTINGS for what in ("lifter", "ERD")))
    reading = tuple(
        f"{_label(*one)}: ERD {change(s.lifter.kinds[AVERAGE], s.refined.kinds[AVERAGE])} in the "
        f"average over kinds; in the paper it {change(*_TABLE_3['linear', one[1], one[0]])}."
        for one, s in scores.items()
    )
    about = (
        f"{_ABOUT} Here by kind of action, as names of actions in the motion capture tell it "
        "(`erd_ros/reproduce/kinds.py`); the JSON file has every action."
    )
    grids = Grid("By kind of action", head, tuple(rows)), Grid("By source", head, tuple(by_source))
    return Report("ERD paper, table 1: error by action", about, grids, reading)


def table_2(bench: Bench) -> Report:
    """What a regressor reads, root given."""
    rows = []
    reading = []
    for index, trained_on in enumerate(INPUTS):
        lowered = {}
        for feature, paper in _TABLE_2.items():
            scores = bench.scores(erd_run("linear", trained_on, "given", feature), trained_on)
            before, after = _ends(scores)
            lowered[feature] = round(before - after, 2)
            of_paper = _TABLE_3["linear", "given", trained_on][0]
            label = f"{feature}, {_NAMES[trained_on]}"
            gain = round(of_paper - paper[index], 2)
            rows.append(row(label, before, after, lowered[feature], of_paper, paper[index], gain))
        best = max(lowered, key=lambda name: lowered[name])
        reading.append(
            f"{_NAMES[trained_on]}: most is gained with {best}; in the paper with residual."
        )
    head = ("feature", "lifter", "ERD", "gain", "paper: lifter", "paper: ERD", "paper: gain")
    return Report(
        "ERD paper, table 2: what a regressor reads",
        f"{_ABOUT} Linear lifter, root given.",
        (Grid("MPJPE, mm", head, tuple(rows)),),
        tuple(reading),
    )


def table_3(bench: Bench) -> Report:
    """Three lifters, with given and with estimated root."""
    rows = []
    reading = []
    for (lifter, root, trained_on), paper in _TABLE_3.items():
        scores = bench.scores(erd_run(lifter, trained_on, root), trained_on)
        name = f"{_LIFTERS[lifter]} (`{lifter}`), {_label(trained_on, root)}"
        rows.append(row(name, *_ends(scores), str(scores.used), *paper))
        reading.append(f"{name}: ERD {change(*_ends(scores))}; in the paper it {change(*paper)}.")
    head = ("lifter", "lifter alone", "ERD", "steps", "paper: lifter", "paper: ERD")
    run = erd_run("linear", "gt2d", "given")

    def draw(path: Path) -> None:
        steps = bench.estimates(run, "gt2d")
        used = bench.scores(run, "gt2d").used
        draw_poses(path, bench.examination.scenes["gt2d"], steps[0], steps[used])

    caption = (
        "Poses of test subjects from the front and from the side: the truth, the linear lifter and "
        "ERD, GT2D, root given. In every column the lifter errs as in the quantile of its errors "
        "that stands above it."
    )
    return Report(
        "ERD paper, table 3: lifters",
        _ABOUT,
        (Grid("MPJPE, mm", head, tuple(rows)),),
        tuple(reading),
        (Picture("-poses", caption, draw),),
    )


def figure_3(bench: Bench) -> Report:
    """Error against the number of regressors."""
    scores = {one: bench.scores(erd_run("linear", *one), one[0]) for one in _SETTINGS}
    lines = {one: [step["mpjpe_mm"] for step in s.steps] for one, s in scores.items()}
    steps = range(len(next(iter(lines.values()))))
    head = ("", *(f"step {step}" if step else "lifter" for step in steps))
    reading = tuple(
        f"{_label(*one)}: step 1 {change(line[0], line[1])}, ERD with all {len(line) - 1} "
        f"regressors {change(line[0], line[-1], 'it')}. Least after step {line.index(min(line))}; "
        f"validation chose {scores[one].used} of {MOST_STEPS}."
        for one, line in lines.items()
    )
    panels = {
        _NAMES[trained_on]: {f"root {ROOTS[root]}": lines[trained_on, root] for root in ROOTS}
        for trained_on in INPUTS
    }
    caption = "Error of test subjects against the number of residual regressors, linear lifter."
    return Report(
        "ERD paper, figure 3: number of regressors",
        f"{_ABOUT} Here all regressors are shown. In the paper the error converges within four.",
        (Grid("MPJPE, mm", head, tuple(row(_label(*one), *lines[one]) for one in _SETTINGS)),),
        reading,
        (Picture("", caption, partial(draw_steps, panels=panels)),),
    )


def pca(bench: Bench) -> Report:
    """Keypoints and features reduced by PCA, as the authors' code has it."""
    rows = []
    reading = []
    for trained_on in INPUTS:
        without = bench.scores(erd_run("linear", trained_on, "given"), trained_on)
        reduced = bench.scores(pca_run(trained_on), trained_on)
        for label, scores, paper in (
            ("without PCA", without, _TABLE_3["linear", "given", trained_on]),
            (f"{PCA} components", reduced, _PCA[trained_on]),
        ):
            rows.append(row(f"{_NAMES[trained_on]}, {label}", *_ends(scores), *paper))
        reading.append(
            f"{_NAMES[trained_on]}: PCA "
            f"{change(_ends(without)[1], _ends(reduced)[1], 'the error of ERD')}; for the authors "
            f"it {change(_TABLE_3['linear', 'given', trained_on][1], _PCA[trained_on][1], 'it')}."
        )
    head = ("", "lifter", "ERD", "authors: lifter", "authors: ERD")
    return Report(
        "ERD, authors' code: PCA of the keypoints",
        f"{_ABOUT} Linear lifter, root given. With PCA the authors' column is that of their "
        "repository's README, without it the paper's table 3.",
        (Grid("MPJPE, mm", head, tuple(rows)),),
        tuple(reading),
    )


def _ends(scores: Scores) -> tuple[float, float]:
    return scores.lifter.all["mpjpe_mm"], scores.refined.all["mpjpe_mm"]
