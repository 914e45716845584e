"""The demo's figures as tables for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

_PEOPLE_COLUMNS = (
    "id",
    "frames",
    "distance [m]",
    "height [m]",
    "bones\nvary",
    "frame to\nframe",
    "residual",
)


def tables(result: Mapping[str, Any]) -> list[Table]:
    """The figures as tables for the terminal."""
    people = Table(
        title="people: medians (5 to 95 %) over their frames", box=box.SIMPLE, pad_edge=False
    )
    for column in _PEOPLE_COLUMNS:
        people.add_column(column)
    for name, person in result["people"].items():
        variation = person["bone_length_variation"]
        people.add_row(
            name,
            str(person["frames"]),
            _spread(person["distance_m"]),
            _spread(person["height_m"]),
            f"{variation['median']:.1%}",
            f"{variation['frame_to_frame']:.1%}",
            f"{person['residual_px']['median']:.1f} px",
        )
    summary = Table(show_header=False, box=box.SIMPLE, pad_edge=False)
    for label, value in _summary(result):
        summary.add_row(label, value)
    return [people, summary]


def _spread(values: Mapping[str, float]) -> str:
    return f"{values['median']:.2f} ({values['p5']:.1f}-{values['p95']:.1f})"


def _milliseconds(seconds: float | None) -> str:
    return "not known" if seconds is None else f"{1e3 * seconds:.1f} ms"


def _summary(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    latency = result["latency_s"]
    rate = result["rate_hz"]
    rows = [
        ("people at once", f"{result['people_at_once']}"),
        ("ids", f"{result['ids']}, {result['ids_too_short_to_measure']} too short to measure"),
        (
            "frames",
            f"{result['frames_published']} published, {result['frames_answered']} answered, "
            f"{result['frames_dropped']} dropped",
        ),
        ("rate", "not known" if rate is None else f"{rate:.1f} Hz"),
        ("latency", f"p50 {_milliseconds(latency['p50'])}, p99 {_milliseconds(latency['p99'])}"),
        ("backend", result["backend"]),
    ]
    if result.get("error"):
        error = result["error"]
        rows.append(
            (
                "error against the truth",
                f"joints {error['mpjpe_mm']:.0f} mm relative to the root, root "
                f"{error['mrpe_mm']:.0f} mm, joints in the camera frame "
                f"{error['absolute_mpjpe_mm']:.0f} mm",
            )
        )
    return rows
