"""Figures of the robot protocol as tables and as a section of a Markdown page."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from erd_ros.evaluate import tables
from erd_ros.evaluate.present import COLUMNS
from erd_ros.evaluate.robot_protocol import MEAN_POSE
from erd_ros.evaluate.tables import Table

# The section of docs/results.md.
SECTION = "erd evaluate, robot protocol"
_COLUMNS = {
    **COLUMNS,
    "mpjpe_seen_mm": "MPJPE, seen",
    "mpjpe_inferred_mm": "MPJPE, inferred",
    "size_error_mm": "size error",
}
_BY_CONDITION = {
    metric: _COLUMNS[metric]
    for metric in ("mpjpe_mm", "mpjpe_seen_mm", "pa_mpjpe_mm", "mrpe_mm", "size_error_mm")
}
_SIGMA_COLUMNS = {
    "sigma_mm": "sigma",
    "within_sigma_percent": "within one, %",
    "within_two_sigma_percent": "within two, %",
}
_COVERAGE_COLUMNS = ("joints", "deviation", "within one, %", "within two, %")
_SIGMA_BY = ("joints seen", "distance, m")
_LOSS_COLUMNS = ("poses", "MPJPE before", "MPJPE after", "grows by %")


def print_tables(figures: Mapping[str, Any]) -> None:
    """Print all models side by side, then the first by source and by condition, in millimetres."""
    tables.print_tables(_tables(figures))


def markdown(figures: Mapping[str, Any], command: str) -> str:
    """The tables as Markdown, with how they came about."""
    poses = ", ".join(f"{source} {count}" for source, count in figures["poses"].items())
    files = "; ".join(
        f"{name}: `{Path(one['file']).name}`, sha256 `{one['sha256'][:16]}`"
        for name, one in figures["files"].items()
    )
    text = (
        f"Written by `{command}`.\n\n"
        f"Models: {files}. Split {figures['split']}; poses by source: {poses}; "
        f"{figures['poses_left_out']} left out because they lack a joint, found no camera or have "
        "fewer than two keypoints.\n\n"
    )
    return text + tables.markdown(_tables(figures))


def _tables(figures: Mapping[str, Any]) -> Iterator[Table]:
    models = figures["models"]
    rows = [
        (_label(name, step, of_model["steps"]), [errors[metric] for metric in _COLUMNS])
        for name, of_model in models.items()
        for step, errors in enumerate(of_model["steps"])
        if step in (0, len(of_model["steps"]) - 1)
    ]
    yield Table("All poses", tuple(_COLUMNS.values()), rows)
    for name, costs in figures["losses"].items():
        lost = [(what, list(one.values())) for what, one in costs.items()]
        yield Table(f"{name}, what losses cost", _LOSS_COLUMNS, lost)
    examined = next(name for name in models if name != MEAN_POSE)
    sources, conditions = models[examined]["sources"], models[examined]["conditions"]
    if any("sigma_mm" in errors for errors in sources.values()):
        labels = {"all": models[examined]["steps"][-1]}
        for condition in _SIGMA_BY:
            labels |= {f"{condition}: {one}": of for one, of in conditions[condition].items()}
        yield _by(f"{examined}, sigma of the distance", labels, _SIGMA_COLUMNS)
    if examined in figures["coverage"]:
        covered = [
            (what, list(one.values())) for what, one in figures["coverage"][examined].items()
        ]
        yield Table(f"{examined}, covariance of the joints", _COVERAGE_COLUMNS, covered)
    yield _by(f"{examined}, by source", sources, _BY_CONDITION)
    for condition, labels in conditions.items():
        yield _by(f"{examined}, by {condition}", labels, _BY_CONDITION)


def _label(name: str, step: int, steps: list[Any]) -> str:
    if len(steps) == 1:
        return name
    return f"{name}, after step {step}" if step else f"{name}, lifter alone"


def _by(title: str, labels: Mapping[str, Any], columns: Mapping[str, str]) -> Table:
    """One row per label that any pose has."""
    rows = [
        (label, [errors["poses"], *(errors[metric] for metric in columns)])
        for label, errors in labels.items()
        if errors["poses"]
    ]
    return Table(title, ("poses", *columns.values()), rows)
