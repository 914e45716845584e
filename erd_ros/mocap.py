"""Motion capture and camera calibrations, read from the data folder (see docs/training.md)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17

SPLITS = ("train", "val", "test")
# Sources whose terms allow weights trained on them to be shipped.
SHIPPABLE_SOURCES = ("cmu", "accad", "uiprmd")
_JOINT_NAMES = tuple(
    name.replace("right_", "r_").replace("left_", "l_") for name in H36M17.joint_names
)


@dataclass(frozen=True, eq=False)
class Mocap:
    """Poses of one split of some sources, in H36M17's order.

    positions_in_world  (F, 17, 3) float32, metres, z up, the ground near z = 0
    clip                (F,) which clip a frame belongs to, counted over all sources
    source              (F,) index into ``sources``
    subjects            names, sorted
    """

    positions_in_world: FloatArray
    clip: NDArray[np.int64]
    source: NDArray[np.int64]
    sources: tuple[str, ...]
    subjects: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.positions_in_world)

    def centred(self) -> FloatArray:
        """Positions with each clip's mean root moved to x = y = 0; heights stay."""
        root = self.positions_in_world[:, 0, :2].astype(np.float64)
        clips, index = np.unique(self.clip, return_inverse=True)
        index = index.reshape(-1)
        total = np.stack([np.bincount(index, root[:, axis], len(clips)) for axis in (0, 1)], -1)
        mean = total / np.bincount(index, minlength=len(clips))[:, None]
        centred = self.positions_in_world.copy()
        centred[..., :2] -= mean[index][:, None]
        return centred


def read_mocap(folder: Path, sources: Sequence[str], split: str) -> Mocap:
    """Read ``<folder>/<source>.npz`` of every source, the frames of one split.

    Raises InputError for a file that is missing, of another layout or without that split.
    """
    if split not in SPLITS:
        raise InputError(f"unknown split '{split}'; choose one of {', '.join(SPLITS)}")
    positions, clips, source_of_frame, subjects = [], [], [], set()
    clip_count = 0
    for index, source in enumerate(sources):
        arrays = _read_arrays(folder / f"{source}.npz")
        chosen = (arrays["clip_split"] == split)[arrays["clip_id"]]
        positions.append(arrays["positions"][chosen])
        clips.append(arrays["clip_id"][chosen].astype(np.int64) + clip_count)
        source_of_frame.append(np.full(chosen.sum(), index))
        subjects.update(arrays["clip_subject"][arrays["clip_split"] == split].tolist())
        clip_count += len(arrays["clip_split"])
    if not sum(map(len, positions)):
        raise InputError(f"no frame of split '{split}' in {', '.join(sources) or 'no source'}")
    return Mocap(
        np.concatenate(positions),
        np.concatenate(clips),
        np.concatenate(source_of_frame),
        tuple(sources),
        tuple(sorted(subjects)),
    )


def _read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    if not path.is_file():
        raise InputError(
            f"motion capture file {path} does not exist; name the folder that holds it with "
            "--data or the environment variable ERD_DATA"
        )
    try:
        # Opened here: np.load leaves a file open that turns out not to be an archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        names = tuple(arrays["joint_names"].tolist())
        stated = (str(arrays["up_axis"]), str(arrays["unit"]))
    except (BadZipFile, ValueError, KeyError, OSError, EOFError) as error:
        raise InputError(f"motion capture file {path} cannot be read: {error}") from error
    if names != _JOINT_NAMES or stated != ("z", "m"):
        raise InputError(
            f"{path} has joints {names}, up axis and unit {stated}; "
            f"expected {_JOINT_NAMES}, ('z', 'm')"
        )
    return arrays


@dataclass(frozen=True, eq=False)
class CameraPoses:
    """C calibrated cameras: point_in_camera = rotation @ point_in_world + translation.

    names                     (C,) subject and camera, "S9/54138969"
    rotation_world_to_camera  (C, 3, 3)
    translation               (C, 3) metres
    focal_length              (C,) mean of fx and fy, pixels of an image about 1000 wide
    """

    names: tuple[str, ...]
    rotation_world_to_camera: NDArray[np.float64]
    translation: NDArray[np.float64]
    focal_length: NDArray[np.float64]


def read_human36m_cameras(folder: Path, subjects: Sequence[str] | None = None) -> CameraPoses:
    """Read ``<folder>/human36m_cameras.json``, all subjects or some. Raises InputError."""
    path = folder / "human36m_cameras.json"
    if not path.is_file():
        raise InputError(
            f"camera file {path} does not exist; name the folder that holds it with --data or "
            "the environment variable ERD_DATA"
        )
    cameras = json.loads(path.read_text())
    names, rotations, translations, focal_lengths = [], [], [], []
    for subject, views in cameras["extrinsics"].items():
        for camera, view in views.items():
            if subjects is not None and subject not in subjects:
                continue
            intrinsics = cameras["intrinsics"][camera]
            names.append(f"{subject}/{camera}")
            rotations.append(view["R"])
            translations.append(np.asarray(view["t_mm"]) / 1000)  # millimetres in the file
            focal_lengths.append((intrinsics["fx"] + intrinsics["fy"]) / 2)
    return CameraPoses(
        tuple(names), np.array(rotations), np.array(translations), np.array(focal_lengths)
    )
