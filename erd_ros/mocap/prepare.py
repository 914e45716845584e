"""From a data set's own files to one .npz file that training and evaluation read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from erd_ros.errors import InputError
from erd_ros.mocap.amc import asf_amc_clips
from erd_ros.mocap.archive import write_clips
from erd_ros.mocap.bvh import bvh_clips
from erd_ros.mocap.clip import Clip, with_derived_joints
from erd_ros.mocap.frames import SPLITS
from erd_ros.mocap.human36m import human36m_clips
from erd_ros.mocap.humaneva import humaneva_clips
from erd_ros.mocap.mpi_inf_3dhp import mpi_inf_3dhp_clips
from erd_ros.mocap.options import ReaderOptions
from erd_ros.mocap.splits import with_splits
from erd_ros.skeleton import H36M17

Reader = Callable[[Path, ReaderOptions], tuple[int, Iterator[Clip]]]
# Frame times are rounded in files: 120 Hz is written as 0.0083333 s.
_RATE_TOLERANCE = 0.01


@dataclass(frozen=True)
class Source:
    """How a data set is read, which options its reader takes, whether it states splits itself."""

    read: Reader
    takes: frozenset[str]
    has_splits: bool = False


SOURCES: Mapping[str, Source] = {
    "asf-amc": Source(asf_amc_clips, frozenset({"actions", "joints", "up_axis", "source_fps"})),
    "bvh": Source(bvh_clips, frozenset({"actions", "joints", "unit", "up_axis"})),
    "human36m": Source(human36m_clips, frozenset({"detections", "cameras"})),
    "humaneva": Source(humaneva_clips, frozenset({"detections"}), has_splits=True),
    "mpi-inf-3dhp": Source(mpi_inf_3dhp_clips, frozenset()),
}


def prepare(
    source: str,
    path: Path,
    out: Path,
    options: ReaderOptions,
    splits: Mapping[str, str],
    others: str | None,
    frames_per_second: float = 25.0,
    derive: bool = False,
) -> tuple[Clip, ...]:
    """Read a data set, resample it, split it by subject and write it to ``out``; its clips.

    source  a key of SOURCES
    splits  subject to split; subjects not in it are of ``others`` or as the source says
    derive  put joints that the source never measures midway between others
    Raises InputError for an unknown source, options that its reader does not take, and whatever
    its files are found to be.
    """
    if source not in SOURCES:
        raise InputError(f"unknown source '{source}'; choose one of {', '.join(SOURCES)}")
    if out.suffix != ".npz":
        raise InputError(f"--out is {out}, expected a name that ends in .npz")
    if not splits and others is None and not SOURCES[source].has_splits:
        raise InputError(
            f"--source {source} does not say who tests; name them with --test, or with --splits"
        )
    _check_options(source, options)
    count, clips = SOURCES[source].read(path, options)
    with tqdm(clips, total=count, desc=source, unit="clip", dynamic_ncols=True) as progress:
        resampled = [at_rate(clip, frames_per_second) for clip in progress]
    if derive:
        resampled = [with_derived_joints(clip) for clip in resampled]
    assigned = with_splits(resampled, splits, others)
    write_clips(out, assigned, f"{source}: {path.name}")
    return assigned


def summary(clips: Sequence[Clip]) -> str:
    """How many clips, frames and subjects, and which joints are missing; for people."""
    splits = []
    for split in SPLITS:
        chosen = [clip for clip in clips if clip.split == split]
        frames = sum(len(clip.positions_in_world) for clip in chosen)
        subjects = sorted({clip.subject for clip in chosen})
        splits.append(f"{split} {frames} frames of {', '.join(subjects) or 'nobody'}")
    seen = np.zeros(len(H36M17), np.bool_)
    for clip in clips:
        seen |= np.isfinite(clip.positions_in_world).all(-1).any(0)
    missing = [name for name, there in zip(H36M17.joint_names, seen, strict=True) if not there]
    without = f"; without {', '.join(missing)}" if missing else ""
    return f"{len(clips)} clips; {'; '.join(splits)}{without}"


def _check_options(source: str, options: ReaderOptions) -> None:
    takes = SOURCES[source].takes
    for field in fields(options):
        if field.name not in takes and getattr(options, field.name) != field.default:
            raise InputError(
                f"--{field.name.replace('_', '-')} means nothing to --source {source}, which takes "
                f"{', '.join('--' + name.replace('_', '-') for name in sorted(takes)) or 'none'}"
            )


def at_rate(clip: Clip, frames_per_second: float) -> Clip:
    """The clip at a lower frame rate: of each moment the nearest frame there is.

    Frames are chosen, not blended: bones keep their lengths, and keypoints their poses. Raises
    InputError for a rate that is not positive or above the clip's.
    """
    if not 0 < frames_per_second <= (1 + _RATE_TOLERANCE) * clip.frames_per_second:
        raise InputError(
            f"--fps is {frames_per_second:.4g}, expected more than 0 and at most the "
            f"{clip.frames_per_second:.4g} frames per second of '{clip.name}'"
        )
    step = clip.frames_per_second / frames_per_second
    frames = len(clip.positions_in_world)
    moments = np.arange(int(np.floor((frames - 1) / step + 1e-6)) + 1)
    chosen = np.minimum(np.rint(moments * step).astype(int), frames - 1)
    keypoints = None if clip.keypoints is None else clip.keypoints[chosen]
    return replace(
        clip,
        positions_in_world=clip.positions_in_world[chosen],
        frames_per_second=frames_per_second,
        keypoints=keypoints,
    )
