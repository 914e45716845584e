"""Figures of ``erd bench`` as tables, as a section of a Markdown page and as a plot."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from erd_ros import report
from erd_ros.files import write_whole
from erd_ros.report import Table, empty_figure, markdown_tables

# The section of docs/results.md.
SECTION = "erd bench"


def print_tables(figures: Mapping[str, Any], console: Console | None = None) -> None:
    """Print all of them, then what could not be measured."""
    console = console or Console()
    report.print_tables(_tables(figures), console)
    console.print(_floor(figures))
    for what, reason in figures["missing"].items():
        console.print(f"not here: {what}: {reason}", highlight=False, markup=False)


def markdown(figures: Mapping[str, Any], machine: Mapping[str, Any], command: str) -> str:
    """The tables as Markdown, with how they came about and what was not there."""
    lines = [
        f"Written by `{command}` on {machine['cores']} cores of {machine['processor']}, "
        f"{machine['system']}, Python {machine['python']}, ONNX Runtime "
        f"{machine['onnxruntime']}, PyTorch {machine['torch']}.",
        "",
        f"Model `{Path(figures['model']['file']).name}`, sha256 "
        f"`{figures['model']['sha256'][:16]}`. {_floor(figures)}",
        "",
    ]
    lines.append(markdown_tables(_tables(figures)))
    if figures["missing"]:
        lines.append("Not measured, for it is not on this machine:")
        lines.append("")
        lines += [f"- {what}: {reason}" for what, reason in figures["missing"].items()]
        lines.append("")
    return "\n".join(lines)


def plot(figures: Mapping[str, Any], path: Path) -> None:
    """Time per person against the batch size, one line per contender. Raises InputError."""
    figure = empty_figure(7, 4)
    axes = figure.add_subplot()
    batches = [int(persons) for persons in figures["latency"]]
    for label in next(iter(figures["latency"].values())):
        each = [1e3 * figures["latency"][str(n)][label]["p50_ms"] / n for n in batches]
        axes.plot(batches, each, marker="o", label=label)
    axes.set(xscale="log", yscale="log", xlabel="persons of a call", ylabel="time per person (us)")
    axes.set_xticks(batches, [str(persons) for persons in batches])
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: figure.savefig(partial, dpi=120))


def _tables(figures: Mapping[str, Any]) -> Iterator[Table]:
    columns = (
        "persons", "backend", "p50, ms", "p99, ms", "persons/s", "eager / this", "this / floor",
    )  # fmt: skip
    rows = [
        [
            persons, label, f"{row['p50_ms']:.3f}", f"{row['p99_ms']:.3f}",
            f"{row['persons_per_s']:,.0f}", _ratio(row["eager_over_this"]),
            _ratio(row["this_over_floor"]),
        ]
        for persons, labels in figures["latency"].items()
        for label, row in labels.items()
    ]  # fmt: skip
    yield Table("One call", columns, rows)
    starts = [
        [label, f"{one['seconds']:.2f}", f"{one['resident_MiB']:.0f}",
         f"{one['resident_after_largest_batch_MiB']:.0f}"]
        for label, one in figures["start_up"].items()
    ]  # fmt: skip
    yield Table(
        "A new process", ("backend", "first answer, s", "MiB then", "after the largest batch"),
        starts,
    )  # fmt: skip
    if figures["mediapipe"]:
        one = figures["mediapipe"]
        yield Table(
            "MediaPipe, image to its 2D and its own 3D of one person",
            ("images", "p50, ms", "p99, ms"),
            [[str(one["images"]), f"{one['p50_ms']:.1f}", f"{one['p99_ms']:.1f}"]],
        )


def _floor(figures: Mapping[str, Any]) -> str:
    """What the machine allows, in a sentence for each number of threads."""
    work = figures["work"]
    parts = [
        f"A call reads {work['weights_bytes'] / 1e6:.1f} MB of weights once and does "
        f"{work['operations'] / 1e6:.2f} million operations with them for each person; the floor "
        "is the longer of the two."
    ]
    parts += [
        f"Measured with {threads} thread{'s' * (threads != '1')}: "
        f"{one['weights_bytes_per_s'] / 1e9:.0f} GB/s over as many bytes "
        f"({one['memory_bytes_per_s'] / 1e9:.0f} GB/s where no cache holds them), "
        f"{one['operations_per_s'] / 1e9:.0f} GFLOP/s."
        for threads, one in figures["floor"].items()
    ]
    if figures["launch_s"] is not None:
        parts.append(f"Graphics processor: {1e6 * figures['launch_s']:.0f} us for a launch.")
    return " ".join(parts)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
