"""MPI-INF-3DHP's training sequences (Mehta et al., 3DV 2017), as the data set comes.

``S*/Seq*/annot.mat`` holds 28 joints in each camera's frame in millimetres, ``camera.calibration``
beside it where the cameras stand. The joints are ``annot3``: ``univ_annot3`` is scaled to one
stature and matches no image. The test sequences state no extrinsics and are not read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from erd_ros.errors import InputError
from erd_ros.mocap.clip import Array, Cameras, Clip, measured_joints, turned_up
from erd_ros.mocap.matlab import read_first_arrays
from erd_ros.mocap.options import ReaderOptions, files_below
from erd_ros.mocap.text import Lines
from erd_ros.skeleton import MPI_INF_3DHP28

# mpii_get_sequence_info.m: these were filmed at 50 Hz, the others at 25.
_FAST = {"S1_Seq2", "S3_Seq1", "S3_Seq2", "S5_Seq1", "S5_Seq2"}
_FARTHEST = 1e8  # millimetres
_HEADER = "Skeletool Camera Calibration File V1.0"


def mpi_inf_3dhp_clips(source: Path, options: ReaderOptions) -> tuple[int, Iterator[Clip]]:
    """Clips of all ``annot.mat`` below a folder: their number, and one after the other.

    The file's two folders name subject and sequence, "S1" and "Seq1"; the sequence stands for the
    action. Positions are those of the first camera, turned into the world. Raises InputError for
    files of another form, annotations as MATLAB 7.3 saves them, and missing calibrations.
    """
    paths = [path for path in files_below(source, ".mat") if path.name == "annot.mat"]
    if not paths:
        raise InputError(f"{source} holds no annot.mat")
    return len(paths), map(_clip, paths)


def _clip(path: Path) -> Clip:
    subject, sequence = (path.resolve().parent.parent.name, path.resolve().parent.name)
    if not re.fullmatch(r"S\d+", subject) or not re.fullmatch(r"Seq\d+", sequence):
        raise InputError(f"{path} lies in {subject}/{sequence}, expected S<number>/Seq<number>")
    index, in_camera = _first_camera(path)
    cameras = read_calibration(path.with_name("camera.calibration"))
    if str(index) not in cameras.names:
        raise InputError(f"{path} is annotated in camera {index}, which the calibration lacks")
    first = cameras.names.index(str(index))
    rotation = cameras.rotation_world_to_camera[first]
    in_world = (in_camera - cameras.translation[first]) @ rotation
    name = f"{subject}_{sequence}"
    return Clip(
        name,
        subject,
        sequence,
        "",
        measured_joints(in_world, MPI_INF_3DHP28),
        50.0 if name in _FAST else 25.0,
        None,
        cameras,
    )


def _first_camera(path: Path) -> tuple[int, Array]:
    """The number of the first annotated camera, and joints (F, 28, 3) in it in metres."""
    arrays = read_first_arrays(path, ("annot3", "cameras"))
    for name in ("annot3", "cameras"):
        if name not in arrays:
            raise InputError(f"{path} cannot be read: '{name}' is missing")
    joints, cameras = arrays["annot3"], arrays["cameras"]
    if joints.ndim != 2 or joints.shape[1] != 3 * len(MPI_INF_3DHP28) or not cameras.size:
        raise InputError(
            f"{path}: annot3 has the shape {joints.shape}, cameras {cameras.shape}; expected "
            f"annot3, cells of (frames, {3 * len(MPI_INF_3DHP28)}) numbers, and a number for each"
        )
    joints = np.asarray(joints, np.float64).reshape(-1, len(MPI_INF_3DHP28), 3)
    index = float(cameras.ravel()[0])
    if not 0 <= index < 100:
        raise InputError(f"{path}: the first camera is {index}, expected 0 to 99")
    if not len(joints) or not np.isfinite(joints).all():
        raise InputError(f"{path}: annot3 has no frame, or numbers that are not finite")
    if np.abs(joints).max() > _FARTHEST:
        raise InputError(f"{path}: annot3 has joints beyond {_FARTHEST / 1000:g} m")
    return int(index), joints / 1000


def read_calibration(path: Path) -> Cameras:
    """Read a ``camera.calibration`` file into metres, its world turned to have z up.

    Raises InputError that names the line and what was expected there.
    """
    lines = Lines(path)
    if " ".join(lines.take(f"'{_HEADER}'")) != _HEADER:
        raise lines.error(f"expected '{_HEADER}'")
    names, extrinsics, intrinsics = [], [], []
    while lines.peek():
        names.append(" ".join(lines.take_keyword("name")))
        lines.take_keyword("sensor")
        lines.take_keyword("size")
        if lines.take_keyword("animated") != ["0"]:
            raise lines.error("the camera is animated, expected one that stands")
        intrinsics.append(_matrix(lines, "intrinsic"))
        extrinsics.append(_matrix(lines, "extrinsic"))
        if lines.take_keyword("radial")[:1] != ["0"]:
            raise lines.error("the images have radial distortion, expected those without")
    if not names:
        raise lines.error("the file ends without a camera")
    world_to_camera = np.array(extrinsics)
    return Cameras(
        tuple(names),
        turned_up(world_to_camera[:, :3, :3], "y"),  # the rows are axes in the world
        world_to_camera[:, :3, 3] / 1000,
        np.array(intrinsics)[:, :3, :3],
        np.zeros((len(names), 5)),
    )


def _matrix(lines: Lines, keyword: str) -> Array:
    words = lines.take_keyword(keyword)
    return np.array(lines.numbers(words, 16, f"the matrix '{keyword}'")).reshape(4, 4)
