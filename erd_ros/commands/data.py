"""``erd data``: data sets to the form that training reads, and 2D errors to their model."""

import argparse
from pathlib import Path

from erd_ros.commands.people import PEOPLE_STEPS
from erd_ros.commands.train import add_data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, (add, _, summary) in _STEPS.items():
        add(steps.add_parser(name, help=summary, description=summary))


def run(arguments: argparse.Namespace) -> None:
    """Carry it out. Raises ErdError for files that cannot be read or written."""
    _STEPS[arguments.step][1](arguments)


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="INPUT", type=Path, help="file or folder of the data set")
    parser.add_argument(
        "--source",
        choices=("asf-amc", "bvh", "human36m", "humaneva", "mpi-inf-3dhp"),
        required=True,
        help="what the files are",
    )
    parser.add_argument("--out", metavar="FILE.npz", type=Path, required=True)
    parser.add_argument(
        "--fps", metavar="HZ", type=float, default=25.0, help="frames per second (default 25)"
    )
    parser.add_argument(
        "--derive",
        action="store_true",
        help="put spine and neck midway between their neighbours where the source has none",
    )
    parser.add_argument(
        "--interpolate",
        action="store_true",
        help="blend frames where the frame rate changes, instead of taking the nearest",
    )
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="go on without clips that cannot be read, and say why",
    )
    _add_splits(parser)
    _add_reader_options(parser)


def _add_splits(parser: argparse.ArgumentParser) -> None:
    splits = parser.add_argument_group("who trains, validates and tests")
    splits.add_argument(
        "--splits",
        metavar="TABLE",
        help="protocol-1 or protocol-2 of Human3.6M, or a YAML file with lists of subjects under "
        "train, val and test",
    )
    splits.add_argument(
        "--val",
        metavar="SUBJECT",
        nargs="+",
        default=[],
        help="these validate, whatever TABLE says",
    )
    splits.add_argument(
        "--test",
        metavar="SUBJECT",
        nargs="+",
        default=[],
        help="these test; without TABLE all others train",
    )


def _add_reader_options(parser: argparse.ArgumentParser) -> None:
    """Options that not every source takes; None stands for the reader's default."""
    reading = parser.add_argument_group("what the files do not say themselves")
    reading.add_argument(
        "--detections", metavar="FILE", type=Path, help="data_2d_*.npz: what a detector found"
    )
    reading.add_argument(
        "--cameras", metavar="FILE", type=Path, help="human36m_cameras.json: their calibrations"
    )
    reading.add_argument(
        "--joints", metavar="YAML", type=Path, help="which of the file's joints are ours"
    )
    reading.add_argument(
        "--actions", metavar="YAML", type=Path, help="the action of each clip, by its name"
    )
    reading.add_argument(
        "--unit",
        metavar="UNIT",
        help="of BVH: m, cm, mm, inch or a number of metres (default cm, CMU's in CMU's layout)",
    )
    reading.add_argument("--up-axis", choices=("y", "z"), help="of BVH and ASF (default y)")
    reading.add_argument(
        "--source-fps",
        metavar="HZ|YAML",
        type=_rate_or_path,
        help="frames per second of AMC (default 120) and BVH (default: as the file says), or a "
        "file that has them by clip, as `33_*: 60`",
    )
    reading.add_argument(
        "--subject",
        metavar="REGEX",
        help="finds the subject in a BVH or AMC file's path: its first group or all of it",
    )


def _rate_or_path(text: str) -> float | Path:
    try:
        return float(text)
    except ValueError:
        return Path(text)


def _prepare(arguments: argparse.Namespace) -> None:
    from erd_ros.mocap.options import ReaderOptions
    from erd_ros.mocap.prepare import prepare, summary
    from erd_ros.mocap.splits import subject_splits

    names = (
        "detections", "cameras", "joints", "actions", "unit", "up_axis", "source_fps", "subject",
    )  # fmt: skip
    told = {name: getattr(arguments, name) for name in names}
    clips = prepare(
        arguments.source,
        arguments.input,
        arguments.out,
        ReaderOptions(**{name: value for name, value in told.items() if value is not None}),
        subject_splits(arguments.splits, arguments.val, arguments.test),
        "train" if (arguments.val or arguments.test) and not arguments.splits else None,
        arguments.fps,
        arguments.derive,
        arguments.interpolate,
        arguments.skip_bad,
    )
    print(f"wrote {arguments.out}: {summary(clips)}")


def _add_fit_errors(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "table",
        metavar="TABLE",
        type=Path,
        help=".npz with errors (N, J, 2) and joint_names, or .csv with the columns joint,x,y: "
        "detected minus true, in pixels of an image about 1000 wide",
    )
    parser.add_argument("--out", metavar="FILE.json", type=Path, required=True)
    parser.add_argument(
        "--model",
        choices=("mixture", "gaussian"),
        default="mixture",
        help="Gaussian and uniform (AbsPoseLifter eq. 8), or a Gaussian alone (default: mixture)",
    )


def _fit_errors(arguments: argparse.Namespace) -> None:
    from erd_ros.data.error_model import fit, write_error_model
    from erd_ros.data.error_table import read_error_table
    from erd_ros.report import command

    errors, joint_names = read_error_table(arguments.table)
    model = fit(errors, joint_names, arguments.model)
    write_error_model(arguments.out, model, f"{arguments.table.name} by `{command()}`")
    print(f"wrote {arguments.out}: {arguments.model} of {len(joint_names)} joints")


def _add_simulate_errors(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("--out", metavar="FILE.npz", type=Path, required=True)
    parser.add_argument(
        "--subject",
        metavar="NAME",
        default="cmu_14",
        help="a training subject of the motion capture (default: %(default)s)",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the errors")


def _simulate_errors(arguments: argparse.Namespace) -> None:
    from erd_ros.data.detector import error_table
    from erd_ros.data.error_table import write_error_table

    errors, joint_names = error_table(arguments.data, arguments.subject, arguments.seed)
    write_error_table(arguments.out, errors, joint_names)
    print(f"wrote {arguments.out}: errors of {len(joint_names)} joints in {len(errors)} frames")


def _add_measure_errors(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "clips",
        metavar="FILE.npz",
        type=Path,
        help="file of `erd data prepare` with --detections and --cameras",
    )
    parser.add_argument("--out", metavar="TABLE.npz", type=Path, required=True)
    parser.add_argument(
        "--split", choices=("train", "val", "test"), default="train", help="default: train"
    )


def _measure_errors(arguments: argparse.Namespace) -> None:
    from erd_ros.data.error_table import write_error_table
    from erd_ros.data.measured_errors import measured_errors
    from erd_ros.mocap import read_clips
    from erd_ros.skeleton import H36M17

    clips = [clip for clip in read_clips(arguments.clips) if clip.split == arguments.split]
    errors = measured_errors(clips)
    write_error_table(arguments.out, errors, H36M17.joint_names)
    print(f"wrote {arguments.out}: errors of {len(errors)} images in {len(clips)} clips")


_STEPS = {
    "prepare": (_add_prepare, _prepare, "read a data set and write it as one .npz file"),
    "fit-errors": (_add_fit_errors, _fit_errors, "fit a model to a 2D detector's errors"),
    "measure-errors": (
        _add_measure_errors,
        _measure_errors,
        "write the errors of a real 2D detector, against the projected motion capture",
    ),
    "simulate-errors": (
        _add_simulate_errors,
        _simulate_errors,
        "write the errors of the simulated 2D detector",
    ),
    **PEOPLE_STEPS,
}
