"""``erd reproduce``: the papers' tables anew, from runs of training to docs/results.md."""

import argparse
from pathlib import Path

from erd_ros.commands.train import add_data, set_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "tables",
        metavar="TABLE",
        nargs="+",
        help="erd-table-1, ..., or all; an unknown name lists the choices",
    )
    _add_paths(parser)
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        nargs="+",
        default=[],
        help="override values of every run's configuration, such as lifter_steps=20; what "
        "makes a run itself stays",
    )
    parser.add_argument(
        "--sources", metavar="NAME", nargs="+", help="of motion capture (default: as configured)"
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of training and of the 2D errors"
    )
    parser.add_argument(
        "--threads",
        metavar="N",
        type=int,
        default=2,
        help="of the CPU (default: %(default)s); the same number gives the same results",
    )


def _add_paths(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument(
        "--runs",
        metavar="DIR",
        type=Path,
        default=Path("runs"),
        help="folder of all runs; finished ones are taken as they are (default: %(default)s)",
    )
    parser.add_argument(
        "--configs",
        metavar="DIR",
        type=Path,
        default=Path("config/train"),
        help="folder of the training configurations (default: %(default)s)",
    )
    parser.add_argument(
        "--results",
        metavar="FILE",
        type=Path,
        default=Path("docs/results.md"),
        help="page of which sections are renewed (default: %(default)s); JSON and pictures go to "
        "the folder of its name",
    )


def run(arguments: argparse.Namespace) -> None:
    """Carry it out. Raises ErdError for tables, configurations, data or runs of no use."""
    set_threads(arguments.threads)
    from erd_ros.reproduce.runs import Run, Workplace
    from erd_ros.reproduce.scoring import Bench
    from erd_ros.reproduce.write import names_of, reproduce

    names = names_of(arguments.tables)
    overrides = [*arguments.set, f"seed={arguments.seed}"]
    if arguments.sources:
        overrides.append(f"sources=[{', '.join(arguments.sources)}]")
    place = Workplace(arguments.data, arguments.configs, arguments.runs, tuple(overrides))
    sources = place.config(Run("linear")).sources
    reproduce(Bench(place, arguments.seed, sources), names, arguments.results)
