"""Steps of ``erd data`` that make bodies, draw them, and measure detectors on the drawings."""

import argparse
from pathlib import Path

from erd_ros.commands.train import add_data


def _add_bodies(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("survey", metavar="ANSUR2.csv", type=Path, help="measures of real adults")
    parser.add_argument("--out", metavar="FILE.npz", type=Path, required=True)
    parser.add_argument(
        "--modelled",
        metavar="N",
        type=int,
        default=3072,
        help="bodies of the body model besides, half of them children (default: %(default)s)",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of these bodies")


def _bodies(arguments: argparse.Namespace) -> None:
    from erd_ros.data.anny_bodies import modelled_bodies
    from erd_ros.data.body_making import made_table
    from erd_ros.mocap.ansur import read_survey
    from erd_ros.mocap.body_table import write_bodies

    survey = read_survey(arguments.survey)
    modelled = modelled_bodies(arguments.modelled, arguments.seed)
    table = made_table(survey, modelled, arguments.seed)
    write_bodies(arguments.out, table)
    print(
        f"wrote {arguments.out}: {len(survey.age)} real and {len(modelled.age)} modelled bodies, "
        f"{table.height.min():.2f} to {table.height.max():.2f} m tall"
    )


def _add_render(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("--out", metavar="FOLDER", type=Path, required=True)
    parser.add_argument(
        "--sources",
        metavar="NAME",
        nargs="+",
        default=["cmu", "accad", "uiprmd"],
        help="motion capture whose training poses are drawn; NAME_toes.npz stands beside NAME.npz",
    )
    parser.add_argument("--images", metavar="N", type=int, default=2600)
    parser.add_argument("--bodies", metavar="N", type=int, default=200, help="half are children")
    parser.add_argument("--seed", metavar="N", type=int, default=0)


def _render(arguments: argparse.Namespace) -> None:
    from erd_ros.data.renders import render

    render(
        arguments.data,
        tuple(arguments.sources),
        arguments.out,
        arguments.images,
        arguments.bodies,
        arguments.seed,
    )
    print(f"wrote {arguments.images} images to {arguments.out}")


def _add_measure_joints(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("renders", metavar="FOLDER", type=Path, help="of `erd data render`")
    parser.add_argument("--out", metavar="FILE.yaml", type=Path, required=True)
    parser.add_argument(
        "--keypoints",
        metavar="FILE.npz",
        type=Path,
        required=True,
        help="keypoints (N, J, 3) of the images in order: pixels and score, NaN for nobody",
    )
    parser.add_argument("--layout", metavar="NAME", default="blazepose33", help="of the keypoints")
    parser.add_argument("--detector", metavar="TEXT", required=True, help="name, for the file")


def _measure_joints(arguments: argparse.Namespace) -> None:
    from erd_ros.data.detector_joints import measured_joints
    from erd_ros.data.joint_table import write_joint_table
    from erd_ros.data.renders import read_keypoints, read_truth
    from erd_ros.skeleton import skeleton_by_name

    layout = skeleton_by_name(arguments.layout)
    truth = read_truth(arguments.renders)
    measured = measured_joints(truth, read_keypoints(arguments.keypoints), layout)
    origin = f"{arguments.detector}, on people drawn by `erd data render`"
    write_joint_table(arguments.out, measured, layout.name, origin)
    print(
        f"wrote {arguments.out}: {len(measured.places)} joints of {arguments.detector}, found in "
        f"{measured.found:.1%} of {measured.images} images"
    )


def _add_detect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("renders", metavar="FOLDER", type=Path, help="of `erd data render`")
    parser.add_argument("--out", metavar="FILE.npz", type=Path, required=True)


def _detect(arguments: argparse.Namespace) -> None:
    """MediaPipe, which smooths nothing and follows nobody: the images have no order in time."""
    import numpy as np

    from erd_ros.data.renders import image_count, read_image, write_keypoints
    from erd_ros.runtime.detectors.mediapipe_detector import MediapipeConfig, MediapipeDetector

    detector = MediapipeDetector(MediapipeConfig(smooth_landmarks=False))
    found = []
    try:
        for number in range(image_count(arguments.renders)):
            image = read_image(arguments.renders, number)
            found.append(detector(image))
            # Nobody: it must not follow a person into the next image.
            detector(np.zeros_like(image))
    finally:
        detector.close()
    write_keypoints(arguments.out, found, detector.skeleton)
    print(f"wrote {arguments.out}: keypoints in {len(found)} images")


PEOPLE_STEPS = {
    "bodies": (_add_bodies, _bodies, "make a table of bodies of all ages, for training"),
    "render": (_add_render, _render, "draw people of all ages, with the truth of their joints"),
    "detect": (_add_detect, _detect, "write what MediaPipe finds in such drawings"),
    "measure-joints": (
        _add_measure_joints,
        _measure_joints,
        "write where a detector puts each joint on drawn people",
    ),
}
