"""The YAML file that holds where a detector puts its joints: config/detectors/."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from erd_ros.data.detector_joints import PARTS, SCORES, DetectorJoints, JointPlace
from erd_ros.errors import InputError
from erd_ros.files import write_atomically

# Lengths are given for a person of this size (ankle to head top), 1.72 m tall.
SIZE_M = 1.65
_MM = 1000 * SIZE_M


def write_joint_table(path: Path, measured: DetectorJoints, layout: str, origin: str) -> None:
    """Write what was measured; ``origin`` says how. Raises InputError when it cannot be written."""
    head = {
        "origin": origin,
        "layout": layout,
        "images": measured.images,
        "found": round(measured.found, 4),
        "lost": round(measured.lost, 4),
        "exchanged": round(measured.exchanged, 4),
        "size_m": SIZE_M,
        "scores": list(SCORES),
    }
    joints = {part: _row(part, place) for part, place in measured.places.items()}
    text = yaml.safe_dump(head, sort_keys=False) + yaml.safe_dump(
        {"joints": joints}, sort_keys=False, default_flow_style=None, width=120
    )
    write_atomically(path, text.encode())


def _row(part: str, place: JointPlace) -> dict[str, Any]:
    scores = [
        [_number(share, 1, 3), _number(std, _MM, 1), _number(outliers, 1, 3)]
        for share, std, outliers in place.scores
    ]
    return {
        "part": PARTS[part].replace("{}_", ""),
        "keypoints": place.keypoints,
        "offset_mm": _numbers(place.offset * _MM, 1),
        "offset_error_mm": _numbers(place.error * _MM, 1),
        "std_mm": _number(place.std, _MM, 1),
        "outliers": _number(place.outliers, 1, 3),
        "correlation_of_sides": _number(place.sides, 1, 2),
        "correlation_with_before": _number(place.before, 1, 2),
        "by_score": scores,
    }


def _numbers(values: NDArray[np.float64], digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]


def _number(value: float, unit: float, digits: int) -> float | None:
    """None, which YAML calls null, where there is no number."""
    return None if math.isnan(value) else round(float(value) * unit, digits)


def read_offsets(path: Path, parts: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Mean offsets of these joints, in sizes of the person. Raises InputError for another file."""
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
        size_mm = 1000 * float(table["size_m"])
        offsets = {part: tuple(map(float, table["joints"][part]["offset_mm"])) for part in parts}
    except OSError as error:
        raise InputError(f"table of a detector {path} cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"table of a detector {path} lacks or contradicts {error}") from error
    if size_mm <= 0 or not all(
        len(one) == 3 and max(map(abs, one)) < size_mm for one in offsets.values()
    ):
        raise InputError(
            f"table of a detector {path}: size_m is {table['size_m']}, or an offset_mm is not "
            "three numbers below it"
        )
    return {part: (x / size_mm, y / size_mm, z / size_mm) for part, (x, y, z) in offsets.items()}
