"""Text files of numbers, read line by line with errors that name the file and the line."""

import math
from collections.abc import Iterable
from pathlib import Path

from erd_ros.errors import InputError

_LISTED = 60
_LONGEST_WORD = 60


class Lines:
    """The lines of a file that hold words, one after the other; comments and blanks are skipped.

    Raises InputError for a file that is missing or not text.
    """

    def __init__(self, path: Path, comment: str | None = None) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8", errors="strict")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {error}") from error
        rows = text.splitlines()
        if comment is not None:
            rows = [row.partition(comment)[0] for row in rows]
        self._rows = [(number, row.split()) for number, row in enumerate(rows, 1) if row.split()]
        self._next = 0
        self._last_line = len(rows)

    def peek(self) -> list[str]:
        """Words of the next line; empty at the end."""
        return self._rows[self._next][1] if self._next < len(self._rows) else []

    def take(self, expected: str) -> list[str]:
        """Words of the next line. Raises InputError that says what was expected at the end."""
        if self._next == len(self._rows):
            self._next += 1
            raise self.error(f"the file ends here, expected {expected}")
        self._next += 1
        return self._rows[self._next - 1][1]

    def take_keyword(self, keyword: str) -> list[str]:
        """What follows ``keyword`` on the next line. Raises InputError for another word."""
        words = self.take(f"'{keyword}'")
        if words[0].lower() != keyword.lower():
            raise self.error(f"'{words[0][:_LONGEST_WORD]}', expected '{keyword}'")
        return words[1:]

    def numbers(self, words: list[str], count: int, what: str) -> list[float]:
        """``count`` finite numbers. Raises InputError for others or too few of them."""
        try:
            values = [float(word) for word in words]
        except ValueError:
            raise self.error(f"{what} is '{' '.join(words)[:60]}', expected numbers") from None
        if len(values) != count or not all(map(math.isfinite, values)):
            raise self.error(f"{what} has {len(values)} numbers, expected {count} finite ones")
        return values

    def error(self, message: str) -> InputError:
        """An error that names the file and the line taken last."""
        index = self._next - 1
        line = self._rows[index][0] if 0 <= index < len(self._rows) else self._last_line
        return InputError(f"{self.path}, line {line}: {message}")


def listed(names: Iterable[str]) -> str:
    """Names for an error: all of a few, else the first of them and how many there are."""
    every = [name[:_LONGEST_WORD] for name in names]
    if len(every) <= _LISTED:
        return ", ".join(every)
    return f"{', '.join(every[:_LISTED])} and {len(every) - _LISTED} more"
