"""The ``erd`` command: one parser per command, errors of the package caught once, here.

Each module in ``erd_ros.commands`` owns one command: ``add_arguments`` describes it and ``run``
carries it out, importing what is heavy only then, so that ``erd --help`` answers at once.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from erd_ros.errors import ErdError

COMMANDS = {
    "demo": "play a video, camera, bag or synthetic sequence through the node and show the result",
    "data": "prepare data sets for training, and models of a 2D detector's errors",
    "train": "train a lifter and its residual regressors on motion capture",
    "export": "write a trained checkpoint as one ONNX file",
    "calibrate": "measure how far each joint errs and write it into a model file",
    "evaluate": "measure a model file on subjects it was never trained on",
    "bench": "measure how fast a model file runs on this machine",
    "reproduce": "train and score what a table of the papers needs, and write docs/results.md",
}


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="erd", description="Metric 3D skeletons of people from one RGB camera."
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        if name == chosen:
            module = importlib.import_module(f"erd_ros.commands.{name}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when done, 1 after an error said in a line, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser(words[0] if words else None).parse_args(words)
    try:
        arguments.run(arguments)
    except ErdError as error:
        print(f"erd {arguments.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
