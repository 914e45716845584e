"""Figures that machines can read: what a command measured, and where it came from."""

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from erd_ros.errors import InputError
from erd_ros.files import write_atomically

_WIDTH = 170  # of a table in a pipe, which has none of its own; 80 columns cut the numbers
_LABEL_WIDTH = 40  # what is longer goes on in the next line: some actions are whole sentences
_CHECKOUT = Path(__file__).resolve().parents[1]
_PACKAGES = ("numpy", "onnxruntime", "torch", "rclpy", "mediapipe")


def write_json(path: Path, figures: Mapping[str, Any], *, seed: int | None) -> None:
    """Write figures beside command, commit, seed, machine and time; NaN becomes null.

    seed   of what was drawn at random; None where nothing was
    Raises InputError when the file cannot be written.
    """
    content = {
        "command": command(),
        "commit": commit(),
        "seed": seed,
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "figures": _plain(figures),
    }
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


@dataclass(frozen=True)
class Table:
    """Cells of one table; the first column holds labels."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def print_tables(tables: Iterable[Table], console: Any = None) -> None:
    """Print the tables on a rich.console.Console, that of the terminal where none is given."""
    from rich.console import Console
    from rich.table import Column
    from rich.table import Table as RichTable

    console = console or Console()
    if not console.is_terminal:
        console.width = _WIDTH
    for table in tables:
        first, *others = table.columns
        width = min(_LABEL_WIDTH, max(len(row[0]) for row in table.rows))
        labels = Column(first, min_width=width, max_width=_LABEL_WIDTH, overflow="fold")
        printed = RichTable(labels, *others, title=table.title)
        for row in table.rows:
            printed.add_row(*row)
        console.print(printed)


def markdown_tables(tables: Iterable[Table]) -> str:
    """The tables under a heading each, with a line between them."""
    return "\n".join(_markdown(table) for table in tables)


def file_name(path: Path) -> str:
    """A file as results name it: from the checkout or the working folder, else its name alone."""
    whole = path.resolve()
    for folder in (_CHECKOUT, Path.cwd()):
        if whole.is_relative_to(folder):
            return whole.relative_to(folder).as_posix()
    return whole.name


def _markdown(table: Table) -> str:
    lines = [f"### {table.title}", "", f"| {' | '.join(table.columns)} |"]
    lines.append("|---" * len(table.columns) + "|")
    for row in table.rows:
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |")
    return "\n".join(lines) + "\n"


def replace_section(path: Path, name: str, text: str) -> None:
    """Put the text between ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->`` of a Markdown page.

    Raises InputError for a page without the two lines, and when it cannot be written.
    """
    before, after = around_section(path, name)
    write_atomically(path, f"{before}\n{text}{after}".encode())


def around_section(path: Path, name: str) -> tuple[str, str]:
    """A page up to and from the two lines of a section. Raises InputError without them."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = path.read_text() if path.is_file() else ""
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise InputError(f"{path} has no section between '{begin}' and '{end}'; add the two lines")
    return before + begin, end + after


def empty_figure(width: float, height: float) -> Any:
    """A matplotlib figure, inches, that needs no screen. Raises InputError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            f"a picture needs matplotlib ({error}); install it with `pip install erd_ros[demo]`"
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def command() -> str:
    """The command that runs, as it would be typed in this folder."""
    return " ".join([Path(sys.argv[0]).name, *map(_from_here, sys.argv[1:])])


def _from_here(argument: str) -> str:
    """A file that is named from the root, or ``NAME=`` such a file, named from this folder."""
    name, equals, path = argument.rpartition("=")
    return name + equals + (os.path.relpath(path) if os.path.isabs(path) else path)


@cache
def commit() -> str:
    """Commit of the checkout, "-dirty" where sources differ from it; "" outside a checkout.

    As it was when first asked: what a process writes afterwards does not change what it runs.
    """
    folder = Path(__file__).parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=folder, capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return described.stdout.strip()


def machine() -> dict[str, Any]:
    """Processor, cores, system, Python and the packages that figures depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _plain(value: Any) -> Any:
    """Mappings, sequences and numbers, NumPy's too, as JSON knows them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
