"""From the name of a table to its JSON file, its pictures and its section of the page."""

from collections.abc import Sequence
from pathlib import Path

from erd_ros.errors import InputError
from erd_ros.mocap import read_mocap
from erd_ros.report import around_section, command, replace_section, write_json
from erd_ros.reproduce.page import figures, markdown, write_pictures
from erd_ros.reproduce.scoring import Bench
from erd_ros.reproduce.tables import TABLES

ALL = "all"


def names_of(chosen: Sequence[str]) -> list[str]:
    """The tables that a command line names. Raises InputError for an unknown name."""
    for name in chosen:
        if name != ALL and name not in TABLES:
            raise InputError(
                f"unknown table '{name}'; choose one or several of {', '.join(TABLES)}, or {ALL}"
            )
    return list(TABLES) if ALL in chosen else list(dict.fromkeys(chosen))


def reproduce(bench: Bench, chosen: Sequence[str], page: Path) -> None:
    """Make the tables one after the other, and renew their sections of the Markdown page.

    JSON files and pictures go into the folder named as the page. Raises InputError for unknown
    names, data, configurations or runs that cannot be used, and for a page without the sections.
    """
    names = names_of(chosen)
    for name in names:  # before hours of training rather than after them
        around_section(page, _section(name))
    folder = page.with_suffix("")
    frames = len(read_mocap(bench.place.data, bench.sources, "train"))
    for name in names:
        bench.used.clear()
        report = TABLES[name](bench)
        pictures = write_pictures(name, report, folder)
        scores = dict(bench.used)
        write_json(folder / f"{name}.json", figures(report, scores, frames), seed=bench.seed)
        text = markdown(report, scores, frames, command(), pictures)
        replace_section(page, _section(name), text)
        print(f"{name}: {page}, {folder / name}.json", flush=True)


def _section(name: str) -> str:
    return f"erd reproduce {name}"
