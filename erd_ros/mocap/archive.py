"""The .npz layout that holds the clips of one source; docs/data.md describes it."""

import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.mocap.clip import Cameras, Clip
from erd_ros.npz_arrays import read_npz_arrays, write_npz_arrays
from erd_ros.skeleton import H36M17

Arrays = dict[str, NDArray[np.generic]]

_JOINT_NAMES = tuple(
    name.replace("right_", "r_").replace("left_", "l_") for name in H36M17.joint_names
)


def write_clips(path: Path, clips: Sequence[Clip], origin: str) -> None:
    """Write clips of one frame rate to an .npz file; ``origin`` says where they are from.

    Keypoints and cameras are written where all clips have them. Raises InputError for no clip,
    clips of several frame rates, or of which some alone have keypoints or cameras, or others.
    """
    rates = {clip.frames_per_second for clip in clips}
    if len(rates) != 1:
        raise InputError(
            f"clips of {len(rates)} frame rates, expected one: {', '.join(map(str, sorted(rates)))}"
        )
    arrays = _poses(clips) | _keypoints(clips) | _cameras(clips)
    arrays |= {
        "clip_source": np.array([origin] * len(clips)),
        "joint_names": np.array(_JOINT_NAMES),
        "fps": np.array(rates.pop(), np.float32),
        "up_axis": np.array("z"),
        "unit": np.array("m"),
    }
    write_npz_arrays(path, arrays, compressed=True)


def _poses(clips: Sequence[Clip]) -> Arrays:
    frames = [len(clip.positions_in_world) for clip in clips]
    return {
        "positions": np.concatenate([clip.positions_in_world for clip in clips]),
        "clip_id": np.repeat(np.arange(len(clips), dtype=np.int32), frames),
        "clip_name": np.array([clip.name for clip in clips]),
        "clip_subject": np.array([clip.subject for clip in clips]),
        "clip_action": np.array([clip.action for clip in clips]),
        "clip_split": np.array([clip.split for clip in clips]),
    }


def _keypoints(clips: Sequence[Clip]) -> Arrays:
    keypoints = [clip.keypoints for clip in clips if clip.keypoints is not None]
    _check_alike("keypoints", clips, [each.shape[1] for each in keypoints])
    return {"keypoints": np.concatenate(keypoints)} if keypoints else {}


def _cameras(clips: Sequence[Clip]) -> Arrays:
    cameras = [clip.cameras for clip in clips if clip.cameras is not None]
    _check_alike("cameras", clips, [len(each.names) for each in cameras])
    if not cameras:
        return {}
    return {
        "camera_name": np.array([each.names for each in cameras]),
        "camera_rotation": np.stack([each.rotation_world_to_camera for each in cameras]),
        "camera_translation": np.stack([each.translation for each in cameras]),
        "camera_intrinsics": np.stack([each.intrinsics for each in cameras]),
        "camera_distortion": np.stack([each.distortion for each in cameras]),
    }


def _check_alike(what: str, clips: Sequence[Clip], counts: Sequence[int]) -> None:
    if counts and (len(counts) != len(clips) or len(set(counts)) != 1):
        raise InputError(
            f"{len(counts)} of {len(clips)} clips have {what}, of {sorted(set(counts))} cameras; "
            "expected all or none, of as many cameras each"
        )


def read_clips(path: Path) -> tuple[Clip, ...]:
    """Read what ``write_clips`` wrote, and the motion capture of docs/training.md.

    Raises InputError for a file that is missing or of another layout.
    """
    arrays = read_arrays(path)
    try:
        fps = float(arrays["fps"].item())
        frames = _frames_of_clips(arrays)
        return tuple(_clip(arrays, index, chosen, fps) for index, chosen in enumerate(frames))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"motion capture file {path} lacks or contradicts {error}") from error


def _frames_of_clips(arrays: Arrays) -> list[NDArray[np.intp]]:
    """The frames of each clip, in order. One sort: a comparison for each clip takes long."""
    clip = arrays["clip_id"]
    order = np.argsort(clip, kind="stable")
    ends = np.searchsorted(clip[order], np.arange(len(arrays["clip_name"])), side="right")
    return np.split(order, ends)[: len(ends)]


def _clip(arrays: Mapping[str, Any], index: int, frames: NDArray[np.intp], fps: float) -> Clip:
    cameras = None
    if "camera_name" in arrays:
        cameras = Cameras(
            tuple(arrays["camera_name"][index].tolist()),
            arrays["camera_rotation"][index],
            arrays["camera_translation"][index],
            arrays["camera_intrinsics"][index],
            arrays["camera_distortion"][index],
        )
    return Clip(
        str(arrays["clip_name"][index]),
        str(arrays["clip_subject"][index]),
        str(arrays["clip_action"][index]),
        str(arrays["clip_split"][index]),
        arrays["positions"][frames],
        fps,
        arrays["keypoints"][frames] if "keypoints" in arrays else None,
        cameras,
    )


def read_arrays(path: Path) -> Arrays:
    """All arrays of a file, after its joints, unit and up axis are checked. Raises InputError."""
    if not path.is_file():
        raise InputError(
            f"motion capture file {path} does not exist; name the folder that holds it with "
            "--data or the environment variable ERD_DATA"
        )
    arrays = read_npz_arrays(path, "motion capture file")
    try:
        names = tuple(arrays["joint_names"].tolist())
        stated = (str(arrays["up_axis"]), str(arrays["unit"]))
    except (KeyError, TypeError) as error:
        raise InputError(f"motion capture file {path} cannot be read: it lacks {error}") from error
    if names != _JOINT_NAMES or stated != ("z", "m"):
        raise InputError(
            f"{path} has joints {reprlib.repr(names)}, up axis and unit {stated}; "
            f"expected {_JOINT_NAMES}, ('z', 'm')"
        )
    _check_frames(path, arrays)
    return arrays


def _check_frames(path: Path, arrays: Arrays) -> None:
    """Raises InputError for frames that are no positions, or of clips that there are not.

    Arrays that are missing are named by who needs them.
    """
    positions: Any = arrays.get("positions")
    clip, splits = arrays.get("clip_id"), arrays.get("clip_split")
    if positions is not None and (
        positions.dtype.kind != "f"
        or positions.shape[1:] != (len(_JOINT_NAMES), 3)
        or np.isinf(positions).any()
    ):
        raise InputError(
            f"{path}: positions are {positions.dtype} of shape {positions.shape}, expected finite "
            f"numbers (N, {len(_JOINT_NAMES)}, 3), or NaN"
        )
    if clip is None or splits is None or positions is None:
        return
    integers: Any = clip
    if (
        clip.dtype.kind not in "iu"
        or clip.shape != (len(positions),)
        or splits.ndim != 1
        or (clip.size and not 0 <= int(integers.min()) <= int(integers.max()) < len(splits))
    ):
        raise InputError(
            f"{path}: clip_id is {clip.dtype} of shape {clip.shape}, expected {len(positions)} "
            f"numbers of {splits.shape} clips"
        )
    for name, array in arrays.items():
        texts = name in ("clip_name", "clip_subject", "clip_action", "clip_split")
        if texts and (array.dtype.kind != "U" or array.shape != splits.shape):
            raise InputError(
                f"{path}: {name} is {array.dtype} of shape {array.shape}, expected text of shape "
                f"{splits.shape}"
            )
