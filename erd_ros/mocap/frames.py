"""The frames of one split of some sources, side by side: what training and evaluation draw from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.mocap.archive import Arrays, read_arrays
from erd_ros.pose import FloatArray

SPLITS = ("train", "val", "test")
# Sources whose terms allow weights trained on them to be shipped.
SHIPPABLE_SOURCES = ("cmu", "accad", "uiprmd")

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Mocap:
    """Poses of one split of some sources, in H36M17's order.

    positions_in_world  (F, 17, 3) float32, metres, z up, the ground near z = 0; NaN where a source
                        lacks the joint
    clip                (F,) which clip a frame belongs to, counted over all sources
    source              (F,) index into ``sources``
    subject             (F,) index into ``subjects``
    action              (F,) index into ``actions``
    subjects, actions   names, sorted, as the sources have them: one that two sources share is
                        one; "" is an action that the source does not name
    split               train, val or test
    """

    positions_in_world: FloatArray
    clip: Indices
    source: Indices
    sources: tuple[str, ...]
    subject: Indices
    subjects: tuple[str, ...]
    action: Indices
    actions: tuple[str, ...]
    split: str = "train"

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
    parts = [_of_split(folder / f"{source}.npz", split) for source in sources]
    frames = [len(part["positions"]) for part in parts]
    if not sum(frames):
        raise InputError(f"no frame of split '{split}' in {', '.join(sources) or 'no source'}")
    clips_before = np.cumsum([0, *(int(part["clip_count"]) for part in parts)])[:-1]
    subjects, subject = np.unique(_joined(parts, "subject"), return_inverse=True)
    actions, action = np.unique(_joined(parts, "action"), return_inverse=True)
    return Mocap(
        np.concatenate([part["positions"] for part in parts]),
        _joined(parts, "clip") + np.repeat(clips_before, frames),
        np.repeat(np.arange(len(parts)), frames),
        tuple(sources),
        subject.reshape(-1),
        tuple(subjects.tolist()),
        action.reshape(-1),
        tuple(actions.tolist()),
        split,
    )


def _joined(parts: Sequence[Arrays], name: str) -> NDArray[np.generic]:
    return np.concatenate([part[name] for part in parts])


def _of_split(path: Path, split: str) -> Arrays:
    """Per frame of the split: positions, clip (int64), subject and action (names); clip_count."""
    arrays = read_arrays(path)
    try:
        clip = arrays["clip_id"].astype(np.int64)
        chosen = (arrays["clip_split"] == split)[clip]
        # Files written before actions were of use lack them.
        actions = arrays.get("clip_action", np.full(len(arrays["clip_split"]), ""))
        clip = clip[chosen]
        return {
            "positions": arrays["positions"][chosen],
            "clip": clip,
            "subject": arrays["clip_subject"][clip],
            "action": actions[clip],
            "clip_count": np.array(len(arrays["clip_split"])),
        }
    except (KeyError, IndexError) as error:
        raise InputError(f"motion capture file {path} lacks or contradicts {error}") from error
