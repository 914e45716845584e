"""``erd calibrate``: measure how far each joint errs and write it into the model file."""

import argparse
from pathlib import Path

from erd_ros.commands.train import add_data, add_sources


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("model", metavar="MODEL.onnx", type=Path, help="file of `erd export`")
    add_data(parser)
    add_sources(parser)
    parser.add_argument(
        "--split",
        choices=("train", "val"),
        default="val",
        help="subjects that it is measured on; the test subjects stay for testing it "
        "(default: %(default)s)",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the 2D errors")


def run(arguments: argparse.Namespace) -> None:
    """Carry it out. Raises ErdError when the model or the data cannot be used."""
    from erd_ros.digest import read_onnx
    from erd_ros.errors import BackendError
    from erd_ros.files import write_atomically

    try:
        from erd_ros.evaluate.deviations import measured_deviations, with_deviations
    except ImportError as error:
        raise BackendError(
            f"this needs PyTorch and ONNX ({error}); install them with `pip install erd_ros[train]`"
        ) from error

    deviations = measured_deviations(
        arguments.model, arguments.data, arguments.sources, arguments.split, arguments.seed
    )
    content = with_deviations(read_onnx(arguments.model), deviations)
    write_atomically(arguments.model, content)
    seen, inferred = (max(row[i][0] for row in deviations) for i in (0, 1))
    print(
        f"wrote {arguments.model}: across the ray joints err by at most {100 * seen:.1f} % of the "
        f"person's size where seen, {100 * inferred:.1f} % where inferred"
    )
