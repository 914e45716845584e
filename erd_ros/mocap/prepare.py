"""From a data set's own files to one .npz file that training and evaluation read."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from erd_ros.errors import InputError
from erd_ros.mocap.amc import asf_amc_clips
from erd_ros.mocap.archive import write_clips
from erd_ros.mocap.bvh_clips import bvh_clips
from erd_ros.mocap.clip import Clip, with_derived_joints
from erd_ros.mocap.frames import SPLITS
from erd_ros.mocap.human36m import human36m_clips
from erd_ros.mocap.humaneva import humaneva_clips
from erd_ros.mocap.mpi_inf_3dhp import mpi_inf_3dhp_clips
from erd_ros.mocap.options import ReaderOptions
from erd_ros.mocap.proportions import lies, odd_motion
from erd_ros.mocap.splits import with_splits
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17

Reader = Callable[[Path, ReaderOptions], tuple[int, Iterator[Clip]]]
# Frame times are rounded in files: 120 Hz is written as 0.0083333 s.
_RATE_TOLERANCE = 0.01
_NO_TIME = 1e-6  # frames
_MOST_REMARKS = 20

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """How a data set is read, which options its reader takes, whether it states splits itself."""

    read: Reader
    takes: frozenset[str]
    has_splits: bool = False


SOURCES: Mapping[str, Source] = {
    "asf-amc": Source(
        asf_amc_clips, frozenset({"actions", "joints", "up_axis", "source_fps", "subject"})
    ),
    "bvh": Source(
        bvh_clips, frozenset({"actions", "joints", "unit", "up_axis", "source_fps", "subject"})
    ),
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
    interpolate: bool = False,
    skip_bad: bool = False,
) -> tuple[Clip, ...]:
    """Read a data set, resample it, split it by subject and write it to ``out``; its clips.

    source  a key of SOURCES
    splits  subject to split; subjects not in it are of ``others`` or as the source says
    derive  put joints that the source never measures midway between others
    interpolate  blend frames, where otherwise the nearest is taken
    skip_bad  go on without clips that cannot be read
    What was skipped, changed or is odd is logged. Raises InputError for an unknown source, options
    that its reader does not take, and whatever its files are found to be.
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
    progress = tqdm(total=count, desc=source, unit="clip", dynamic_ncols=True)
    with progress:
        read, bad = _read_all(clips, frames_per_second, interpolate, skip_bad, progress.update)
    if not read:
        raise InputError(f"none of the {count} clips can be read; the first: {bad[0]}")
    _say_what_was_found(read, bad, count)
    if derive:
        read = [with_derived_joints(clip) for clip in read]
    assigned = with_splits(read, splits, others)
    write_clips(out, assigned, f"{source}: {path.name}")
    return assigned


def _read_all(
    clips: Iterator[Clip],
    frames_per_second: float,
    interpolate: bool,
    skip_bad: bool,
    progressed: Callable[[], object],
) -> tuple[list[Clip], list[InputError]]:
    """Clips at the rate, with remarks on their motion, and why others cannot be had."""
    read: list[Clip] = []
    bad: list[InputError] = []
    while True:
        try:
            clip = next(clips)
            odd = odd_motion(clip)
            resampled = at_rate(clip, frames_per_second, interpolate)
            read.append(replace(resampled, remarks=clip.remarks + odd))
        except StopIteration:
            return read, bad
        except InputError as error:
            if not skip_bad:
                raise InputError(f"{error}; --skip-bad goes on without such clips") from error
            bad.append(error)
        progressed()


def _say_what_was_found(clips: Sequence[Clip], bad: Sequence[InputError], count: int) -> None:
    for error in bad:
        _logger.warning("skipped: %s", error)
    if bad:
        _logger.warning("%d of %d clips are skipped", len(bad), count)
    by_remark: dict[str, list[str]] = {}
    for clip in clips:
        for remark in clip.remarks:
            by_remark.setdefault(remark, []).append(clip.name)
    for remark, names in list(by_remark.items())[:_MOST_REMARKS]:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        _logger.warning("%s%s: %s", names[0], more, remark)
    if len(by_remark) > _MOST_REMARKS:
        _logger.warning("and %d more remarks", len(by_remark) - _MOST_REMARKS)
    if sum(map(lies, clips)) > len(clips) / 2:
        _logger.warning("people lie in most clips; another --up-axis?")


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


def at_rate(clip: Clip, frames_per_second: float, interpolate: bool = False) -> Clip:
    """The clip at a lower frame rate: of each moment the nearest frame there is.

    Frames are chosen, not blended: bones keep their lengths, and keypoints their poses. With
    ``interpolate`` cubic curves go through the frames (Catmull and Rom's), and bones change by
    millimetres. Raises InputError for a rate that is not positive or above the clip's.
    """
    if not 0 < frames_per_second <= (1 + _RATE_TOLERANCE) * clip.frames_per_second:
        raise InputError(
            f"--fps is {frames_per_second:.4g}, expected more than 0 and at most the "
            f"{clip.frames_per_second:.4g} frames per second of '{clip.name}'"
        )
    step = clip.frames_per_second / frames_per_second
    frames = len(clip.positions_in_world)
    moments = np.arange(int(np.floor((frames - 1) / step + 1e-6)) + 1)
    positions, keypoints = clip.positions_in_world, clip.keypoints
    if interpolate:
        times = np.minimum(moments * step, frames - 1)
        return replace(
            clip,
            positions_in_world=_between_frames(positions, times),
            frames_per_second=frames_per_second,
            keypoints=None if keypoints is None else _between_frames(keypoints, times),
        )
    chosen = np.minimum(np.rint(moments * step).astype(int), frames - 1)
    return replace(
        clip,
        positions_in_world=positions[chosen],
        frames_per_second=frames_per_second,
        keypoints=None if keypoints is None else keypoints[chosen],
    )


def _between_frames(values: FloatArray, times: NDArray[np.float64]) -> FloatArray:
    """Values (F, ...) at times (T,) in frames; NaN beside a missing one, straight near one."""
    whole = np.floor(times + _NO_TIME).astype(int)
    part = np.maximum(times - whole, 0).reshape(-1, *[1] * (values.ndim - 1))
    part[part < _NO_TIME] = 0

    def frame(offset: int) -> NDArray[np.float64]:
        return np.asarray(values[np.clip(whole + offset, 0, len(values) - 1)], np.float64)

    before, start, end, after = (frame(offset) for offset in (-1, 0, 1, 2))
    straight = np.where(part == 0, start, start + part * (end - start))
    inner = (whole > 0).reshape(part.shape), (whole < len(values) - 2).reshape(part.shape)
    at_start = np.where(inner[0], (end - before) / 2, end - start)
    at_end = np.where(inner[1], (after - start) / 2, end - start)
    bend = (
        part * (1 - part) * ((1 - part) * (at_start - end + start) - part * (at_end - end + start))
    )
    return np.asarray(straight + np.nan_to_num(bend), np.float32)
