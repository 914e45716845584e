"""``erd evaluate``: errors of a model file, step by step, on subjects it never saw."""

import argparse
from pathlib import Path

from erd_ros.commands.train import add_data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("model", metavar="MODEL.onnx", type=Path, help="file of `erd export`")
    add_data(parser)
    parser.add_argument(
        "--sources",
        metavar="NAME",
        nargs="+",
        default=["cmu", "accad", "uiprmd"],
        help="files of DIR, without .npz (default: %(default)s)",
    )
    parser.add_argument(
        "--by",
        choices=("action", "joint", "both"),
        help="also show errors by action or by joint; --json always has them",
    )
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the 2D errors")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to FILE")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw error against steps")
    parser.add_argument(
        "--markdown", metavar="FILE", type=Path, help="renew the section of a page, docs/results.md"
    )


def run(arguments: argparse.Namespace) -> None:
    """Carry it out. Raises ErdError when the model or the data cannot be used."""
    from erd_ros.evaluate import evaluate
    from erd_ros.evaluate.present import BY, SECTION, markdown, plot, print_tables
    from erd_ros.report import command, replace_section, write_json

    figures = evaluate(
        arguments.model, arguments.data, arguments.sources, arguments.split, arguments.seed
    )
    by = BY if arguments.by == "both" else [name for name in BY if name == arguments.by]
    print_tables(figures, by)
    if arguments.json:
        write_json(arguments.json, figures, seed=arguments.seed)
    if arguments.plot:
        plot(figures, arguments.plot)
    if arguments.markdown:
        replace_section(arguments.markdown, SECTION, markdown(figures, command(), by))
