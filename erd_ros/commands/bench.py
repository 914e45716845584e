"""``erd bench``: how fast the model runs here, and how much faster it could."""

import argparse
from pathlib import Path

from erd_ros.commands.evaluate import named_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "model", metavar="MODEL.onnx", type=Path, nargs="?", help="default: the one that ships"
    )
    parser.add_argument(
        "--checkpoint",
        metavar="FILE.safetensors",
        type=Path,
        help="the same model for PyTorch (default: one like it with other weights)",
    )
    parser.add_argument(
        "--beside",
        metavar="NAME=FILE.onnx",
        nargs="+",
        default=[],
        help="further files, such as the model in another precision",
    )
    parser.add_argument("--batches", metavar="N", type=int, nargs="+", help="persons of a call")
    parser.add_argument(
        "--threads", metavar="N", type=int, nargs="+", default=[1], help="of a call, on the CPU"
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=float,
        default=2.0,
        help="of each backend and batch size (default: %(default)s)",
    )
    parser.add_argument(
        "--starts",
        metavar="N",
        type=int,
        default=3,
        help="new processes of each backend (default: %(default)s)",
    )
    parser.add_argument("--video", metavar="FILE", type=Path, help="people, for MediaPipe's own 3D")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to FILE")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw time against batch size")
    parser.add_argument(
        "--markdown", metavar="FILE", type=Path, help="renew the section of a page, docs/results.md"
    )


def run(arguments: argparse.Namespace) -> None:
    """Carry it out. Raises ErdError when the model cannot be used."""
    from erd_ros.bench.present import SECTION, markdown, plot, print_tables
    from erd_ros.bench.run import BATCHES, BenchConfig, bench
    from erd_ros.report import command, machine, replace_section, write_json
    from erd_ros.runtime import DEFAULT_MODEL

    config = BenchConfig(
        tuple(arguments.batches or BATCHES),
        tuple(arguments.threads),
        arguments.seconds,
        arguments.starts,
    )
    beside = dict(named_file(one) for one in arguments.beside)
    model = arguments.model or DEFAULT_MODEL
    figures = bench(model, config, arguments.checkpoint, beside, arguments.video)
    print_tables(figures)
    if arguments.json:
        write_json(arguments.json, figures, seed=0)
    if arguments.plot:
        plot(figures, arguments.plot)
    if arguments.markdown:
        replace_section(arguments.markdown, SECTION, markdown(figures, machine(), command()))
