"""What ``benchmark/gpu.py`` found, as tables on the terminal and as a section of a page."""

from collections.abc import Iterator, Mapping
from typing import Any

from erd_ros import report
from erd_ros.report import Table, markdown_tables

Parts = Mapping[str, Mapping[str, Any]]


def print_report(parts: Parts) -> None:
    """One table a part, then what could not be had."""
    report.print_tables(_tables(parts))
    for reason, names in _missing(parts).items():
        print(f"not here: {', '.join(names)}: {reason}")


def section(parts: Parts, key: Mapping[str, Any], machine: Mapping[str, Any]) -> str:
    """The same in Markdown, with where it was measured.

    Without a GPU the parts alone: figures of the CPU stand elsewhere.
    """
    gpu = key["gpu"].get("name")
    tables = list(_tables(parts))[: None if gpu else 1]
    lines = [
        f"Written by `make gpu` on {gpu or 'no GPU'}, {machine['cores']} cores of "
        f"{machine['processor']}, Python {machine['python']}, ONNX Runtime "
        f"{machine['onnxruntime']}, PyTorch {machine['torch']}; model sha256 "
        f"`{key['model_sha256'][:16]}`.",
        "",
        markdown_tables(tables),
    ]
    lines += [f"- Not here: {', '.join(of)}: {why}" for why, of in _missing(parts).items()]
    return "\n".join(lines).rstrip() + "\n"


def _tables(parts: Parts) -> Iterator[Table]:
    about = [
        (name, one["status"], f"{one['seconds']:.1f}", str(len(one.get("rows", {}))),
         str(len(one.get("missing", {}))))
        for name, one in parts.items()
    ]  # fmt: skip
    yield Table("Parts", ("part", "status", "s", "rows", "not here"), about)
    for name, one in parts.items():
        alike: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        for label, row in one.get("rows", {}).items():
            alike.setdefault(tuple(row), []).append((label, *map(_cell, row.values())))
        for columns, rows in alike.items():
            yield Table(f"{name}: {', '.join(columns)}"[:60], (name, *columns), rows)


def _cell(value: Any) -> str:
    if value is None:  # a number that is none, as JSON has it
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _missing(parts: Parts) -> dict[str, list[str]]:
    """The parts that share a reason, by the reason."""
    found: dict[str, list[str]] = {}
    for name, one in parts.items():
        for reason in dict.fromkeys(one.get("missing", {}).values()):
            found.setdefault(reason, []).append(name)
    return found
