"""``erd export``: from a checkpoint to the ONNX file that runs on a robot."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", type=Path, help="safetensors file of `erd train`"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="ONNX file to write"
    )
    parser.add_argument(
        "--precision",
        metavar="NAME",
        default="float32",
        help="float32, or mixed_float16: the networks in float16, for a graphics processor "
        "(default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Carry it out. Raises ErdError when the file would not do what the checkpoint does."""
    from erd_ros.errors import BackendError, InputError

    if arguments.out.suffix != ".onnx":
        raise InputError(f"--out is {arguments.out}, expected a name that ends in .onnx")
    try:
        from erd_ros.export import export
    except ImportError as error:
        raise BackendError(
            f"export needs PyTorch and ONNX ({error}); "
            "install them with `pip install erd_ros[train]`"
        ) from error

    figures = export(arguments.checkpoint, arguments.out, arguments.precision)
    print(
        f"wrote {arguments.out}: {figures['bytes'] / 1e6:.1f} MB; ONNX Runtime's poses differ "
        f"from PyTorch's by at most {figures['largest_difference_m']:.1e} m"
    )
