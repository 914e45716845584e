"""Figures of an evaluation as tables, a plot and a section of a Markdown page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from erd_ros.errors import InputError
from erd_ros.evaluate import Errors, step_errors

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
}
TITLES = {
    "exact": "Exact 2D keypoints",
    "detected": "2D keypoints with a detector's errors and joints",
}
BEGIN, END = "<!-- erd evaluate: begin -->", "<!-- erd evaluate: end -->"
# The paper's figure 3 in miniature: what the steps change, with and without errors in 2D.
_PLOTTED = ("mpjpe_mm", "mrpe_mm")
_WIDTH = 140


def print_tables(figures: Mapping[str, Any], console: Console | None = None) -> None:
    """Print one table per scene, in millimetres."""
    console = console or Console()
    if not console.is_terminal:  # a pipe has no width of its own, and 80 columns cut the numbers
        console.width = _WIDTH
    for scene, title in TITLES.items():
        table = Table("", *COLUMNS.values(), title=f"{title}, mm")
        for label, errors in _rows(figures, scene):
            table.add_row(label, *_cells(errors))
        console.print(table)


def markdown(figures: Mapping[str, Any], command: str) -> str:
    """The tables as Markdown, with how they came about."""
    poses = ", ".join(f"{source} {count}" for source, count in figures["poses"].items())
    model = figures["model"]
    lines = [
        f"Written by `{command}`.",
        "",
        f"Model `{Path(model['file']).name}`, sha256 `{model['sha256'][:16]}`. Split "
        f"{figures['split']}: {len(figures['subjects'])} subjects. Poses by source: {poses}; "
        f"{figures['poses_left_out']} left out because they came within 0.5 m of a camera. "
        f'"all" are the sources trained on: {", ".join(figures["sources_trained_on"])}.',
    ]
    for scene, title in TITLES.items():
        lines += ["", f"### {title}", "", "| mm | " + " | ".join(COLUMNS.values()) + " |"]
        lines.append("|---" * (len(COLUMNS) + 1) + "|")
        lines += [f"| {label} | {' | '.join(_cells(e))} |" for label, e in _rows(figures, scene)]
    return "\n".join(lines) + "\n"


def replace_section(path: Path, text: str) -> None:
    """Put the text between the markers of a Markdown page. Raises InputError without them."""
    page = path.read_text() if path.is_file() else ""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{path} has no section between '{BEGIN}' and '{END}'; add the two lines")
    path.write_text(f"{before}{BEGIN}\n{text}{END}{after}")


def plot(figures: Mapping[str, Any], path: Path) -> None:
    """Error against steps, one panel per metric, one line per scene. Raises InputError."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            f"a plot needs matplotlib ({error}); install it with `pip install erd_ros[demo]`"
        ) from error
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
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
    figure.savefig(path, dpi=120)


def _rows(figures: Mapping[str, Any], scene: str) -> list[tuple[str, Errors]]:
    """Every step of all sources together, then the lifter and the last step of each source."""
    rows = []
    for group, errors in figures["scenes"][scene].items():
        for step, of_step in enumerate(errors):
            if group == "all" or step in (0, len(errors) - 1):
                after = f"after step {step}" if step else "lifter alone"
                rows.append((f"{group}, {after}", of_step))
    return rows


def _cells(errors: Errors) -> list[str]:
    return [f"{errors[name]:.1f}" for name in COLUMNS]
