"""Bone lengths of real adults, from the measures of the US Army's survey ANSUR II.

The survey measures heights and breadths between landmarks on the skin; joint centres are inside.
The relations here say where. Heights are those of a person who stands upright, so that the bones
from ankle to head top add up to the stature less the ankle's height.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.mocap.body_table import BONES

Array = NDArray[np.float64]

# De Leva, Joint center longitudinal positions (J. Biomech. 1996), of the length from acromion to
# radiale: the shoulder's centre is below the acromion, the elbow's above the radiale.
_SHOULDER_BELOW_ACROMION = 0.104
_ELBOW_ABOVE_RADIALE = 0.043
# Centres of the shoulders lie nearer to the middle than the acromia. Of the breadth over these.
_SHOULDERS_OF_BIACROMIAL = 0.87
# Bell et al. (1989): a hip's centre is 14 % of the distance between the iliac spines nearer to the
# middle than the spine. That distance is taken to be 0.85 of the breadth over the iliac crests.
_HIPS_OF_BICRISTAL = 0.85 * (1 - 2 * 0.14)
_MEASURES = (
    "stature", "trochanterionheight", "lateralfemoralepicondyleheight", "lateralmalleolusheight",
    "acromialheight", "acromionradialelength", "radialestylionlength", "biacromialbreadth",
    "bicristalbreadth", "tragiontopofhead", "headbreadth", "headlength", "interpupillarybreadth",
    "footlength", "footbreadthhorizontal",
)  # fmt: skip
_HALF = 0.5


@dataclass(frozen=True, eq=False)
class Survey:
    """N people. ``measures`` has (N,) metres by the survey's names; age in years, sex f or m."""

    sex: NDArray[np.str_]
    age: Array
    measures: dict[str, Array]

    @property
    def height(self) -> Array:
        """(N,) stature, metres."""
        return self.measures["stature"]


def read_survey(path: Path) -> Survey:
    """Read ansur2.csv, lengths in mm. Raises InputError that names the line of what is wrong."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"survey {path} cannot be read: {error}") from error
    lacking = [name for name in ("sex", "age", *_MEASURES) if not rows or name not in rows[0]]
    if lacking:
        raise InputError(f"survey {path} lacks the columns {', '.join(lacking)}")
    numbers = np.array([_numbers(path, line, row) for line, row in enumerate(rows, start=2)])
    sex = np.array([row["sex"] for row in rows])
    measures = dict(zip(_MEASURES, numbers[:, 1:].T / 1000, strict=True))
    measures["interpupillarybreadth"] /= 10  # the one length in tenths of a millimetre
    return Survey(sex, numbers[:, 0], measures)


def _numbers(path: Path, line: int, row: dict[str, str]) -> list[float]:
    try:
        numbers = [float(row[name]) for name in ("age", *_MEASURES)]
    except (TypeError, ValueError) as error:
        raise InputError(f"survey {path}, line {line}: {error}") from error
    if row["sex"] not in ("f", "m") or not all(0 < number < 3000 for number in numbers):
        raise InputError(
            f"survey {path}, line {line}: sex is '{row['sex']}', expected f or m, or a number is "
            "not between 0 and 3000; lengths are in mm"
        )
    return numbers


def bone_lengths(survey: Survey) -> Array:
    """(N, 10) metres, in the order of ``BONES``."""
    of = survey.measures
    shoulder = of["acromialheight"] - _SHOULDER_BELOW_ACROMION * of["acromionradialelength"]
    trunk = shoulder - of["trochanterionheight"]
    # neck_nose lies halfway from the shoulders to the ears (erd_ros/skeleton.py).
    neck = (of["stature"] - of["tragiontopofhead"] - shoulder) * _HALF
    between = 1 - _SHOULDER_BELOW_ACROMION - _ELBOW_ABOVE_RADIALE
    lengths = {
        "left_hip": of["bicristalbreadth"] * _HIPS_OF_BICRISTAL * _HALF,
        "left_knee": of["trochanterionheight"] - of["lateralfemoralepicondyleheight"],
        "left_ankle": of["lateralfemoralepicondyleheight"] - of["lateralmalleolusheight"],
        "spine": trunk * _HALF,
        "thorax": trunk * _HALF,
        "neck_nose": neck,
        "head_top": neck + of["tragiontopofhead"],
        "left_shoulder": of["biacromialbreadth"] * _SHOULDERS_OF_BIACROMIAL * _HALF,
        "left_elbow": of["acromionradialelength"] * between,
        # What the elbow's centre is above the radiale, the wrist's is above the stylion.
        "left_wrist": of["radialestylionlength"],
    }
    return np.stack([lengths[name] for name in BONES], -1)


def split_of(bodies: int) -> NDArray[np.str_]:
    """(bodies,) the split of each: of every ten the ninth validates and the tenth tests."""
    splits: NDArray[np.str_] = np.array(["train"] * 8 + ["val", "test"])[np.arange(bodies) % 10]
    return splits
