"""Figures of the video protocol as tables."""

from collections.abc import Mapping
from typing import Any

from erd_ros.evaluate.video_protocol import SCORES
from erd_ros.report import Table, markdown_tables
from erd_ros.report import print_tables as print_written

SECTION = "erd evaluate --protocol video"
_BESIDE = "mediapipe"  # whose time is the unit, where it ran


def print_tables(figures: Mapping[str, Any]) -> None:
    """Print errors and cost of each detector."""
    print_written(_tables(figures))


def markdown(figures: Mapping[str, Any], command: str) -> str:
    """The tables as Markdown, with how they came about."""
    return (
        f"Written by `{command}`: {figures['views']} views, {figures['frames']} frames. "
        f"MediaPipe's own 3D is {figures['mediapipe_own_3d_mm']:.0f} mm off; "
        "a ratio is to that.\n\n" + markdown_tables(_tables(figures))
    )


def _tables(figures: Mapping[str, Any]) -> list[Table]:
    rows = figures["detectors"]
    errors = [
        (name, *(cell for scores in SCORES for cell in _errors(row[scores])))
        for name, row in rows.items()
    ]
    columns = [f"{what}, {scores}" for scores in SCORES for what in ("ratio", "mm", "hips, m")]
    unit = rows.get(_BESIDE, {}).get("cpu_ms")
    return [
        Table("Poses, scores as given and floored", ("keypoints", *columns), errors),
        Table(
            "Keypoints",
            ("keypoints", "found %", "median px", "frames exchanged", "CPU ms", "of MediaPipe's"),
            [(name, *_keypoints(row, unit)) for name, row in rows.items()],
        ),
    ]


def _errors(row: Mapping[str, float]) -> tuple[str, ...]:
    return f"{row['ratio']:.3f}", f"{row['mpjpe_mm']:.1f}", f"{row['hips_m']:.3f}"


def _keypoints(row: Mapping[str, float], unit: float | None) -> tuple[str, ...]:
    return (
        f"{row['found_percent']:.1f}",
        f"{row['median_px']:.1f}",
        f"{row['exchanged_frames']}",
        f"{row['cpu_ms']:.1f}",
        f"{row['cpu_ms'] / unit:.2f}" if unit else "",
    )
