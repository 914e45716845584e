"""Tables of errors, on the terminal and as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Column
from rich.table import Table as RichTable

_WIDTH = 170
_LABEL_WIDTH = 40  # what is longer goes on in the next line: some actions are whole sentences
_NUMBER_WIDTH = 6  # 1066.1


@dataclass(frozen=True)
class Table:
    """Numbers in millimetres or percent, one row per label."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[float]]]


def print_tables(tables: Iterable[Table], console: Console | None = None) -> None:
    """Print the tables, in millimetres."""
    console = console or Console()
    if not console.is_terminal:  # a pipe has no width of its own, and 80 columns cut the numbers
        console.width = _WIDTH
    for table in tables:
        width = min(_LABEL_WIDTH, max(len(label) for label, _ in table.rows))
        labels = Column(min_width=width, max_width=_LABEL_WIDTH, overflow="fold")
        numbers = [Column(name, min_width=_NUMBER_WIDTH) for name in table.columns]
        printed = RichTable(labels, *numbers, title=f"{table.title}, mm")
        for label, values in table.rows:
            printed.add_row(label, *_cells(values))
        console.print(printed)


def markdown(tables: Iterable[Table]) -> str:
    """The tables under a heading each, with a line between them."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    lines = [f"### {table.title}", "", "| mm | " + " | ".join(table.columns) + " |"]
    lines.append("|---" * (len(table.columns) + 1) + "|")
    for label, values in table.rows:
        cells = [label.replace("|", "\\|"), *_cells(values)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(values: Sequence[float]) -> list[str]:
    return [f"{value:.1f}" for value in values]
