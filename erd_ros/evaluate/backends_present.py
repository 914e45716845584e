"""The accuracy of backends and precisions as a table and as a section of a Markdown page."""

from collections.abc import Iterator, Mapping
from typing import Any

from erd_ros import report
from erd_ros.report import Table, markdown_tables

# The section of docs/results.md.
SECTION = "erd evaluate, backends"
_ERRORS = {"mpjpe_mm": "MPJPE", "pa_mpjpe_mm": "PA-MPJPE", "mrpe_mm": "MRPE"}
_DIFFERENCES = {
    "mean_difference_mm": "joints differ by, mean",
    "largest_difference_mm": "at most",
}


def print_tables(figures: Mapping[str, Any]) -> None:
    """Print one row per file and backend; then what could not be run."""
    report.print_tables(_tables(figures))
    for label, reason in figures["missing"].items():
        print(f"not here: {label}: {reason}")


def markdown(figures: Mapping[str, Any], command: str) -> str:
    """The table as Markdown, with how it came about and what could not be run."""
    files = {row["sha256"][:16]: label.partition(",")[0] for label, row in figures["rows"].items()}
    names = "; ".join(f"{name}: sha256 `{sha256}`" for sha256, name in files.items())
    lines = [
        f"Written by `{command}`.",
        "",
        f"{names}. Split {figures['split']}, {figures['poses']} poses.",
        "",
        markdown_tables(_tables(figures)),
    ]
    lines += [f"- Could not be run: {what}: {why}" for what, why in figures["missing"].items()]
    return "\n".join(lines).rstrip() + "\n"


def _tables(figures: Mapping[str, Any]) -> Iterator[Table]:
    rows = [
        (
            label, row["precision"], *(f"{row[name]:.2f}" for name in _ERRORS),
            *(f"{row[name]:.4f}" for name in _DIFFERENCES),
        )
        for label, row in figures["rows"].items()
    ]  # fmt: skip
    columns = ("mm", "precision", *_ERRORS.values(), *_DIFFERENCES.values())
    reference = next(iter(figures["rows"]))
    yield Table(f"Every backend and precision, held against {reference}", columns, rows)
