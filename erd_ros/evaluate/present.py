"""Figures of an evaluation as tables, a plot and a section of a Markdown page."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from erd_ros.evaluate import step_errors, tables
from erd_ros.evaluate.summary import AVERAGE, BY_ACTION
from erd_ros.evaluate.tables import Table
from erd_ros.files import write_whole
from erd_ros.report import empty_figure

# Millimetres, the last two percent.
COLUMNS = {
    "mpjpe_mm": "MPJPE",
    "pa_mpjpe_mm": "PA-MPJPE",
    "n_mpjpe_mm": "N-MPJPE",
    "mrpe_mm": "MRPE",
    "mrpe_x_mm": "x",
    "mrpe_y_mm": "y",
    "mrpe_z_mm": "z",
    "absolute_mpjpe_mm": "absolute MPJPE",
    "mrpe_size_known_mm": "MRPE, size known",
    "pck_3d": "3DPCK %",
    "auc_3d": "AUC %",
}
TITLES = {
    "exact": "Exact 2D keypoints",
    "detected": "2D keypoints with a detector's errors and joints",
}
# The section of docs/results.md.
SECTION = "erd evaluate"
# The paper's figure 3 in miniature: what the steps change, with and without errors in 2D.
_PLOTTED = ("mpjpe_mm", "mrpe_mm")
# What `--by` of the command adds to the tables.
BY = ("action", "joint")


def print_tables(
    figures: Mapping[str, Any], by: Sequence[str] = (), console: Console | None = None
) -> None:
    """Print one table per scene, and one for each of ``by``, in millimetres."""
    tables.print_tables(_tables(figures, by), console)


def markdown(figures: Mapping[str, Any], command: str, by: Sequence[str] = ()) -> str:
    """The tables as Markdown, with how they came about."""
    poses = ", ".join(f"{source} {count}" for source, count in figures["poses"].items())
    model = figures["model"]
    lines = [
        f"Written by `{command}`.",
        "",
        f"Model `{Path(model['file']).name}`, sha256 `{model['sha256'][:16]}`. Split "
        f"{figures['split']}: {len(figures['subjects'])} subjects. Poses by source: {poses}; "
        f"{figures['poses_left_out']} left out because they came within 0.5 m of a camera or lack "
        f'a joint. "all" are the sources trained on: {", ".join(figures["sources_trained_on"])}.',
    ]
    return "\n".join(lines) + "\n\n" + tables.markdown(_tables(figures, by))


def plot(figures: Mapping[str, Any], path: Path) -> None:
    """Error against steps, one panel per metric, one line per scene. Raises InputError."""
    figure = empty_figure(8, 3.2)
    for index, metric in enumerate(_PLOTTED):
        axes = figure.add_subplot(1, len(_PLOTTED), index + 1)
        for scene, title in TITLES.items():
            values = [errors[metric] for errors in step_errors(figures, scene)]
            axes.plot(range(len(values)), values, marker="o", label=title)
        axes.set(xlabel="ERD steps (0: lifter alone)", ylabel=f"{COLUMNS[metric]} (mm)")
        axes.set_xticks(range(len(values)))
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=8, loc="lower left")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: figure.savefig(partial, dpi=120))


def _tables(figures: Mapping[str, Any], by: Sequence[str]) -> Iterator[Table]:
    for scene, title in TITLES.items():
        yield Table(title, tuple(COLUMNS.values()), _rows(figures, scene))
        if "action" in by:
            yield _table_by_action(figures["actions"][scene], f"{title}, by action")
        if "joint" in by:
            yield _table_by_joint(figures["joints"][scene], f"{title}, by joint")


def _rows(figures: Mapping[str, Any], scene: str) -> list[tuple[str, list[float]]]:
    """Every step of all sources together, then the lifter and the last step of each source."""
    rows = []
    for group, errors in figures["scenes"][scene].items():
        for step, of_step in enumerate(errors):
            if group == "all" or step in (0, len(errors) - 1):
                after = f"after step {step}" if step else "lifter alone"
                rows.append((f"{group}, {after}", [of_step[name] for name in COLUMNS]))
    return rows


def _table_by_action(groups: Mapping[str, Any], title: str) -> Table:
    """The actions of each source, the lifter and the last step side by side; all in the mean."""
    columns = [f"{COLUMNS[metric]}, {when}" for metric in BY_ACTION for when in ("lifter", "last")]
    rows = []
    for group, steps in groups.items():
        actions = [] if group == "all" else sorted(set(steps[0]) - {AVERAGE})
        for action in (*actions, AVERAGE):
            values = [
                step[action][metric] for metric in BY_ACTION for step in (steps[0], steps[-1])
            ]
            rows.append((f"{group}, {action}", values))
    return Table(title, columns, rows)


def _table_by_joint(groups: Mapping[str, Any], title: str) -> Table:
    """A joint's error in every group, the lifter and the last step side by side."""
    columns = [f"{group}, {when}" for group in groups for when in ("lifter", "last")]
    ends = [step for steps in groups.values() for step in (steps[0], steps[-1])]
    return Table(title, columns, [(joint, [end[joint] for end in ends]) for joint in ends[0]])
