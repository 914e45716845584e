"""Figures of the cues' protocol as tables and as a section of a Markdown page."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from erd_ros.evaluate import tables
from erd_ros.evaluate.tables import Table
from erd_ros.files import write_whole
from erd_ros.report import empty_figure

# The section of docs/results.md.
SECTION = "erd evaluate, cues"
_COLUMNS = {
    "mpjpe_mm": "MPJPE",
    "closed_percent": "closed %",
    "n_mpjpe_mm": "N-MPJPE",
    "mrpe_mm": "MRPE",
    "size_error_mm": "size error",
    "size_within_deviation_percent": "size within 1 sigma %",
    "sigma_mm": "sigma",
    "within_sigma_percent": "within 1 sigma %",
}
_PLOTTED = ("mpjpe_mm", "mrpe_mm")
_TITLES = {"exact": "Exact 2D keypoints (GT2D)", "detected": "Detector-like keypoints (DET2D)"}


def print_tables(figures: Mapping[str, Any]) -> None:
    """Print what each cue is worth, in millimetres."""
    tables.print_tables(_tables(figures))


def markdown(figures: Mapping[str, Any], model: Path, command: str) -> str:
    """The tables as Markdown, with how they came about."""
    text = (
        f"Written by `{command}`. Model `{model.name}`.\n\n"
        'How much of the MPJPE between "none" and the exact root each cue closes. Sigma is the '
        "root's standard deviation along the ray, as the model gives it; where it is honest, 68 % "
        "of the errors lie within one.\n\n"
    )
    return text + tables.markdown(_tables(figures))


def plot(figures: Mapping[str, Any], path: Path) -> None:
    """A bar for what each cue leaves of the errors, a panel per scene and metric."""
    figure = empty_figure(11, 1.5 + 0.5 * sum(len(settings) for settings in figures.values()) / 2)
    panels = [(scene, metric) for scene in figures for metric in _PLOTTED]
    first: Any = None
    for index, (scene, metric) in enumerate(panels):
        first = figure.add_subplot(len(figures), len(_PLOTTED), index + 1, sharey=first)
        labels = list(figures[scene])
        values = [errors[metric] for errors in figures[scene].values()]
        bars = first.barh(labels, values, color="#0072B2")
        first.bar_label(bars, fmt="%.0f", padding=2, fontsize=8)
        first.set(xlabel=f"{_COLUMNS[metric]} (mm)", title=_TITLES[scene], xmargin=0.1)
        first.tick_params(labelleft=index % len(_PLOTTED) == 0, labelsize=8)
    first.invert_yaxis()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: figure.savefig(partial, dpi=120))


def _tables(figures: Mapping[str, Any]) -> Iterator[Table]:
    for scene, settings in figures.items():
        rows = [
            (label, [errors[metric] for metric in _COLUMNS]) for label, errors in settings.items()
        ]
        yield Table(_TITLES[scene], tuple(_COLUMNS.values()), rows)
