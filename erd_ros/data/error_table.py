"""Tables of 2D errors, detected minus true in pixels: what an error model is fitted to."""

import csv
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.npz_arrays import read_npz_arrays, write_npz_arrays
from erd_ros.skeleton import H36M17

Array = NDArray[np.float64]

_COLUMNS = ["joint", "x", "y"]
_FARTHEST = 1e6  # pixels
# The table has a row for the joint with most errors and a column for each joint.
_MOST_JOINTS = 256


def read_error_table(path: Path) -> tuple[Array, tuple[str, ...]]:
    """Errors (N, J, 2) in pixels, NaN where a joint has none, and the joints' names.

    An .npz file holds ``errors`` and ``joint_names``; a .csv file has the columns joint, x, y, a
    row for each error, in any order. Raises InputError for another file, and names its line.
    """
    if path.suffix not in _READERS:
        raise InputError(f"{path} ends in '{path.suffix}', expected {' or '.join(_READERS)}")
    if not path.is_file():
        raise InputError(f"table {path} does not exist")
    errors, names = _READERS[path.suffix](path)
    if np.nanmax(np.abs(errors), initial=0) > _FARTHEST:
        raise InputError(
            f"table {path} has errors of more than {_FARTHEST:g} pixels; expected detected minus "
            "true in pixels of an image about 1000 wide, NaN for none"
        )
    return errors, names


def write_error_table(
    path: Path, errors: NDArray[np.floating[Any]], joint_names: Sequence[str]
) -> None:
    """Write errors (N, J, 2) to an .npz file. Raises InputError when it cannot be written."""
    if path.suffix != ".npz":
        raise InputError(f"--out is {path}, expected a name that ends in .npz")
    arrays = {"errors": errors, "joint_names": np.array(list(joint_names))}
    write_npz_arrays(path, arrays, compressed=True)


def _read_npz(path: Path) -> tuple[Array, tuple[str, ...]]:
    arrays = read_npz_arrays(path, "table", ("errors", "joint_names"))
    try:
        joints = arrays["joint_names"]
        if joints.dtype.kind != "U" or joints.ndim != 1 or arrays["errors"].dtype.kind not in "fiu":
            raise InputError(f"table {path}: errors are no numbers, or joint_names no names")
        with np.errstate(invalid="ignore"):
            errors = np.asarray(arrays["errors"], np.float64)
        names = tuple(map(str, joints.tolist()))
    except KeyError as error:
        raise InputError(f"table {path} cannot be read: it lacks {error}") from error
    if errors.ndim != 3 or errors.shape[1:] != (len(names), 2):
        raise InputError(
            f"errors of {path} have the shape {errors.shape}, expected (N, {len(names)}, 2)"
        )
    return errors, names


def _read_csv(path: Path) -> tuple[Array, tuple[str, ...]]:
    by_joint: dict[str, list[tuple[float, float]]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file, skipinitialspace=True)
            header = next(rows, [])
            if header != _COLUMNS:
                raise InputError(f"{path}, line 1: {reprlib.repr(header)}, expected {_COLUMNS}")
            for row in rows:
                joint, x, y = _csv_row(path, rows.line_num, row)
                by_joint.setdefault(joint, []).append((x, y))
                if len(by_joint) > _MOST_JOINTS:
                    raise InputError(f"{path} names more than {_MOST_JOINTS} joints")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"table {path} cannot be read: {error}") from error
    if not by_joint:
        raise InputError(f"table {path} has no row")
    names = tuple(sorted(by_joint, key=_place))
    errors = np.full((max(map(len, by_joint.values())), len(names), 2), np.nan)
    for column, name in enumerate(names):
        errors[: len(by_joint[name]), column] = by_joint[name]
    return errors, names


def _csv_row(path: Path, line: int, row: list[str]) -> tuple[str, float, float]:
    try:
        joint, x, y = row
        return joint, float(x), float(y)
    except ValueError:
        raise InputError(
            f"{path}, line {line}: '{','.join(row)[:60]}', expected a joint's name and two numbers"
        ) from None


def _place(name: str) -> tuple[int, str]:
    """H36M17's joints in their order, then others by name."""
    known = H36M17.joint_names
    return (known.index(name) if name in known else len(known), name)


_READERS = {".npz": _read_npz, ".csv": _read_csv}
