"""``erd train``: from motion capture to a checkpoint."""

import argparse
import os
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("config", metavar="CONFIG", type=Path, help="YAML file, see config/train/")
    add_data(parser)
    parser.add_argument(
        "--out", metavar="RUN", type=Path, required=True, help="folder for checkpoints and history"
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        nargs="+",
        default=[],
        help="override values of CONFIG, such as model.root=given",
    )
    parser.add_argument(
        "--pca",
        metavar="N",
        type=int,
        help="reduce keypoints and features to N principal components: model.inputs.pca=N",
    )
    parser.add_argument(
        "--lifter",
        metavar="CHECKPOINT",
        type=Path,
        help="take this trained lifter as it is and train the regressors alone",
    )
    parser.add_argument(
        "--further", action="store_true", help="with --lifter: train that lifter on before them"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint in RUN"
    )
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        help="what computes (default: the GPU that PyTorch sees, or else the CPU)",
    )
    parser.add_argument(
        "--threads",
        metavar="N",
        type=int,
        default=max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))),
        help="of the CPU, for each process (default: all, shared out among torchrun's processes)",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """``--data``: the motion capture, beside the checkout unless ERD_DATA says otherwise."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=Path(os.environ.get("ERD_DATA", "../shared")) / "data",
        help="folder with the motion capture (default: data/ in ERD_DATA, or %(default)s)",
    )


def add_sources(parser: argparse.ArgumentParser) -> None:
    """The option for the sources of motion capture, for every command that scores a model file."""
    parser.add_argument(
        "--sources",
        metavar="NAME",
        nargs="+",
        default=["cmu", "accad", "uiprmd"],
        help="files of DIR, without .npz (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Carry it out. Raises ErdError for a configuration, data or disk that cannot be used."""
    set_threads(arguments.threads)
    from erd_ros.train import train
    from erd_ros.train.config import read_config
    from erd_ros.train.distributed import training_processes

    of_pca = [] if arguments.pca is None else [f"model.inputs.pca={arguments.pca}"]
    config = read_config(arguments.config, [*arguments.set, *of_pca])
    with training_processes(arguments.device) as processes:
        final = train(
            config,
            arguments.data,
            arguments.out,
            resume=arguments.resume,
            lifter=arguments.lifter,
            further=arguments.further,
            processes=processes,
        )
    if processes.is_first:
        print(f"trained: {final}; next: erd export {final} --out {final.with_suffix('.onnx')}")


def set_threads(threads: int) -> None:
    """PyTorch on so many threads. Raises InputError below 1, BackendError without PyTorch."""
    from erd_ros.errors import BackendError, InputError

    if threads < 1:
        raise InputError(f"--threads is {threads}, expected 1 or more")
    try:
        import torch
    except ImportError as error:
        raise BackendError(
            f"training needs PyTorch ({error}); install it with `pip install erd_ros[train]`"
        ) from error
    torch.set_num_threads(threads)
