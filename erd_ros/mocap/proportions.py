"""Whether a skeleton is as large as people are, and moves as they do."""

from pathlib import Path

import numpy as np

from erd_ros.errors import InputError
from erd_ros.mocap.clip import Clip
from erd_ros.mocap.options import UNITS
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17

# Hip to ankle of people, metres: a wrong unit lies outside.
_LEG_LENGTHS = (0.4, 1.3)
# Lengths by the leg's; of 2,206 clips of four sources 0.58 to 0.75 and 0.32 to 0.44. A joint that
# is taken for another lies outside.
_PARTS = {
    "trunk": (("pelvis", "spine", "thorax"), (0.48, 0.95)),
    "head with neck": (("thorax", "neck_nose", "head_top"), (0.22, 0.62)),
}
_FARTHEST = 1e5  # metres from the origin
_FASTEST_WRIST = 15.0  # m/s; of the same clips 11 and, in one reconstructed, 16


def check_proportions(path: Path, positions: FloatArray, unit: str) -> None:
    """Raises InputError where leg, trunk or head (F, 17, 3) are not as long as people's.

    Another leg means another unit, another trunk or head that joints are not what they are taken
    for. Parts that the source lacks are not looked at.
    """
    places = np.abs(positions[np.isfinite(positions).all(-1)])
    if np.isinf(positions).any() or places.max(initial=0) > _FARTHEST:
        raise InputError(f"{path}: a joint is more than {_FARTHEST:g} m from the origin")
    leg = _length(positions, ("left_hip", "left_knee", "left_ankle"))
    low, high = _LEG_LENGTHS
    if not low <= leg <= high:
        raise InputError(
            f"{path}: the leg is {leg:.3g} m long where lengths are in {unit}, expected {low} "
            f"to {high}; another unit, one of {', '.join(UNITS)} or a number of metres?"
        )
    for part, (joints, (shortest, longest)) in _PARTS.items():
        length = _length(positions, joints)
        if not np.isnan(length) and not shortest * leg <= length <= longest * leg:
            raise InputError(
                f"{path}: the {part} ({', '.join(joints)}) is {length:.2f} m long where the leg is "
                f"{leg:.2f} m, expected {shortest * leg:.2f} to {longest * leg:.2f}; say with "
                "--joints which of the file's joints these are"
            )


def _length(positions: FloatArray, joints: tuple[str, ...]) -> float:
    """Median over the frames of the way along the joints, metres; NaN where one is missing."""
    points = positions[:, [H36M17.index(joint) for joint in joints]]
    with np.errstate(over="ignore", invalid="ignore"):
        way = np.linalg.norm(np.diff(points, axis=1), axis=-1).sum(-1)
    return float(np.median(way))


def odd_motion(clip: Clip) -> tuple[str, ...]:
    """What of a clip's motion nobody does: a wrist too fast, the head below the thorax."""
    remarks = []
    wrists = clip.positions_in_world[:, [H36M17.index("left_wrist"), H36M17.index("right_wrist")]]
    speeds = np.linalg.norm(np.diff(wrists, axis=0), axis=-1) * clip.frames_per_second
    if (speeds > _FASTEST_WRIST).any():
        frame = int(np.nanargmax(speeds.max(1)))
        remarks.append(
            f"a wrist faster than {_FASTEST_WRIST:g} m/s ({np.nanmax(speeds):.0f} after frame "
            f"{frame}); a frame that does not belong, or another --source-fps?"
        )
    heads, thoraxes = (
        clip.positions_in_world[:, H36M17.index(n), 2] for n in ("head_top", "thorax")
    )
    if np.mean(heads < thoraxes) > 0.5:
        remarks.append("the head upside down in most frames; another --up-axis, other --joints?")
    return tuple(remarks)


def lies(clip: Clip) -> bool:
    """Whether the trunk is nearer to level than to upright in most frames."""
    trunk = clip.positions_in_world[:, H36M17.index("thorax")] - clip.positions_in_world[:, 0]
    level = np.linalg.norm(trunk[:, :2], axis=-1)
    return bool(np.mean(level > np.abs(trunk[:, 2])) > 0.5)
