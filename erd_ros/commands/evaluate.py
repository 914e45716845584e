"""``erd evaluate``: errors of a model file, step by step, on subjects it never saw."""

import argparse
from pathlib import Path

from erd_ros.commands.train import add_data, add_sources
from erd_ros.errors import InputError

PROTOCOLS = ("studio", "robot", "cues", "backends", "video")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "model",
        metavar="MODEL.onnx",
        type=Path,
        nargs="?",
        help="file of `erd export` (default: the one that ships)",
    )
    add_data(parser)
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="studio",
        help="studio: before Human3.6M's cameras; robot: before robots' cameras, as detectors of "
        "six layouts see people, joints missing; cues: the studio again, with what else a robot "
        "may know, for models that take it; backends: those of robot, with every backend that is "
        "here; video: real video in calibrated views with a truth, detectors included "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--beside",
        metavar="NAME=FILE",
        nargs="+",
        default=[],
        help="other models to show beside it, with --protocol robot; with --protocol backends "
        "the same model in another precision, or its checkpoint for PyTorch",
    )
    _add_video(parser)
    add_sources(parser)
    parser.add_argument(
        "--by",
        choices=("action", "joint", "both"),
        help="also show errors by action or by joint; --json always has them",
    )
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the 2D errors")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to FILE")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw the errors")
    parser.add_argument(
        "--markdown", metavar="FILE", type=Path, help="renew the section of a page, docs/results.md"
    )


def _add_video(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--views", metavar="FOLDER", type=Path, help="one .mp4 for each view, with --protocol video"
    )
    parser.add_argument(
        "--truth", metavar="FILE.npz", type=Path, help="of the views, with --protocol video"
    )
    parser.add_argument(
        "--detectors",
        metavar="NAME",
        nargs="+",
        help="what finds the keypoints, with --protocol video (default: those whose weights ship)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Carry it out. Raises ErdError when the model or the data cannot be used."""
    _check_options(arguments)
    protocols = {
        "studio": _studio,
        "robot": _robot,
        "cues": _cues,
        "backends": _backends,
        "video": _video,
    }
    protocols[arguments.protocol](arguments)


def _studio(arguments: argparse.Namespace) -> None:
    from erd_ros.evaluate import evaluate
    from erd_ros.evaluate.present import BY, SECTION, markdown, plot, print_tables
    from erd_ros.report import command

    figures = evaluate(
        _model(arguments), arguments.data, arguments.sources, arguments.split, arguments.seed
    )
    by = BY if arguments.by == "both" else [name for name in BY if name == arguments.by]
    print_tables(figures, by)
    if arguments.plot:
        plot(figures, arguments.plot)
    _keep(arguments, figures, SECTION, markdown(figures, command(), by))


def _robot(arguments: argparse.Namespace) -> None:
    from erd_ros.evaluate.robot_present import SECTION, markdown, print_tables
    from erd_ros.evaluate.robot_protocol import evaluate_robot
    from erd_ros.report import command

    figures = evaluate_robot(
        _models(arguments), arguments.data, arguments.sources, arguments.split, arguments.seed
    )
    print_tables(figures)
    _keep(arguments, figures, SECTION, markdown(figures, command()))


def _cues(arguments: argparse.Namespace) -> None:
    from erd_ros.evaluate.cue_present import SECTION, markdown, plot, print_tables
    from erd_ros.evaluate.cue_protocol import evaluate_cues
    from erd_ros.report import command

    model = _model(arguments)
    figures = evaluate_cues(
        model, arguments.data, arguments.sources, arguments.split, arguments.seed
    )
    print_tables(figures)
    if arguments.plot:
        plot(figures, arguments.plot)
    _keep(arguments, figures, SECTION, markdown(figures, model, command()))


def _backends(arguments: argparse.Namespace) -> None:
    from erd_ros.evaluate.backends import evaluate_backends
    from erd_ros.evaluate.backends_present import SECTION, markdown, print_tables
    from erd_ros.report import command

    figures = evaluate_backends(
        _models(arguments), arguments.data, arguments.sources, arguments.split, arguments.seed
    )
    print_tables(figures)
    _keep(arguments, figures, SECTION, markdown(figures, command()))


def _video(arguments: argparse.Namespace) -> None:
    from erd_ros.evaluate.video_present import SECTION, markdown, print_tables
    from erd_ros.evaluate.video_protocol import SHIPPED, evaluate_video
    from erd_ros.report import command

    if not (arguments.views and arguments.truth):
        raise InputError("--protocol video needs --views FOLDER and --truth FILE.npz")
    detectors = arguments.detectors or SHIPPED
    figures = evaluate_video(_model(arguments), arguments.views, arguments.truth, detectors)
    print_tables(figures)
    _keep(arguments, figures, SECTION, markdown(figures, command()))


def _keep(
    arguments: argparse.Namespace, figures: dict[str, object], section: str, text: str
) -> None:
    """Write the figures and renew the section of the page, where the command line asks for it."""
    from erd_ros.report import replace_section, write_json

    if arguments.json:
        write_json(arguments.json, figures, seed=arguments.seed)
    if arguments.markdown:
        replace_section(arguments.markdown, section, text)


def _model(arguments: argparse.Namespace) -> Path:
    from erd_ros.runtime import DEFAULT_MODEL

    return arguments.model or DEFAULT_MODEL


def _models(arguments: argparse.Namespace) -> dict[str, Path]:
    """By name: the model, then those beside it."""
    model = _model(arguments)
    return {model.stem: model, **dict(named_file(one) for one in arguments.beside)}


def _check_options(arguments: argparse.Namespace) -> None:
    """Raise InputError for an option that says nothing under the protocol."""
    protocols = {
        "by": ("studio",),
        "plot": ("studio", "cues"),
        "beside": ("robot", "backends"),
        "views": ("video",),
        "truth": ("video",),
        "detectors": ("video",),
    }
    for option, sensible in protocols.items():
        if getattr(arguments, option) and arguments.protocol not in sensible:
            raise InputError(
                f"--{option} goes with --protocol {' or '.join(sensible)}, not with "
                f"{arguments.protocol}; leave it out"
            )


def named_file(option: str) -> tuple[str, Path]:
    """Name and path of one value of ``--beside``. Raises InputError."""
    name, equals, path = option.partition("=")
    if not (name and equals and path):
        raise InputError(f"--beside has '{option}', expected NAME=FILE")
    return name, Path(path)
