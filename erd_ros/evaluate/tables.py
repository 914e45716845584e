"""Tables of errors, on the terminal and as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from erd_ros import report


@dataclass(frozen=True)
class Table:
    """Numbers in millimetres or percent, one row per label."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[float]]]

    @property
    def written(self) -> report.Table:
        """The same in letters."""
        rows = [(label, *(f"{value:.1f}" for value in values)) for label, values in self.rows]
        return report.Table(self.title, ("mm", *self.columns), rows)


def print_tables(tables: Iterable[Table], console: Console | None = None) -> None:
    """Print the tables, in millimetres."""
    written = (table.written for table in tables)
    titled = (replace(table, title=f"{table.title}, mm") for table in written)
    report.print_tables(titled, console)


def markdown(tables: Iterable[Table]) -> str:
    """The tables under a heading each, with a line between them."""
    return report.markdown_tables(table.written for table in tables)
