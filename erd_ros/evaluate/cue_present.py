"""Figures of the cues' protocol as tables and as a section of a Markdown page."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from erd_ros.evaluate import tables
from erd_ros.evaluate.tables import Table

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


def _tables(figures: Mapping[str, Any]) -> Iterator[Table]:
    for scene, settings in figures.items():
        rows = [
            (label, [errors[metric] for metric in _COLUMNS]) for label, errors in settings.items()
        ]
        yield Table(_TITLES[scene], tuple(_COLUMNS.values()), rows)
