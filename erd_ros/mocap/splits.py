"""Which subject trains, validates and tests."""

import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from erd_ros.errors import InputError
from erd_ros.mocap.clip import Clip
from erd_ros.mocap.frames import SPLITS
from erd_ros.mocap.options import read_yaml_mapping
from erd_ros.mocap.text import listed

# Human3.6M's protocols as AbsPoseLifter 4.1 states them; neither has a subject that validates.
PROTOCOLS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "protocol-1": {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")},
    "protocol-2": {"train": ("S1", "S5", "S6", "S7", "S8", "S9"), "test": ("S11",)},
}


def subject_splits(
    splits: str | None, validating: Sequence[str], testing: Sequence[str]
) -> dict[str, str]:
    """Subjects to splits: those of a protocol or YAML file, then those named.

    ``splits`` is a key of PROTOCOLS or a YAML file of lists: train, val and test. Raises InputError
    for another file and for a subject that is named twice.
    """
    table: dict[str, str] = {}
    for split, subjects in ({} if splits is None else _table(splits)).items():
        _assign(table, split, subjects, splits or "")
    named: dict[str, str] = {}
    _assign(named, "val", validating, "--val and --test")
    _assign(named, "test", testing, "--val and --test")
    return table | named


def _table(splits: str) -> Mapping[str, Sequence[str]]:
    if splits in PROTOCOLS:
        return PROTOCOLS[splits]
    path = Path(splits)
    if not path.is_file():
        raise InputError(
            f"--splits is '{splits}', expected a YAML file or one of {', '.join(PROTOCOLS)}"
        )
    table = read_yaml_mapping(path)
    for split, subjects in table.items():
        if split not in SPLITS or not _are_names(subjects):
            raise InputError(
                f"{path}: '{split}' is {reprlib.repr(subjects)}, expected lists of subjects under "
                f"{', '.join(SPLITS)}"
            )
    return table


def _are_names(subjects: object) -> bool:
    return isinstance(subjects, list) and all(isinstance(name, str) for name in subjects)


def _assign(table: dict[str, str], split: str, subjects: Sequence[str], where: str) -> None:
    for subject in subjects:
        if table.get(subject, split) != split:
            raise InputError(f"{where}: {subject} is in {table[subject]} and in {split}")
        table[subject] = split


def with_splits(
    clips: Sequence[Clip], splits: Mapping[str, str], others: str | None
) -> tuple[Clip, ...]:
    """Clips with the split of their subject; ``others`` have that one, or the source's own.

    Raises InputError for a subject of nowhere, and a split of subjects that no clip has.
    """
    present = Counter(clip.subject for clip in clips)
    unknown = sorted(set(splits) - set(present))
    if unknown:
        raise InputError(
            f"no clip of {listed(unknown)}; the clips are of {listed(sorted(present))}"
        )
    assigned = []
    for clip in clips:
        split = splits.get(clip.subject, others or clip.split)
        if not split:
            raise InputError(
                f"'{clip.name}' is of subject {clip.subject}, who is in no split; name one with "
                "--splits, or with --val and --test, which leaves all others to train"
            )
        assigned.append(replace(clip, split=split))
    return tuple(assigned)
