"""A folder of motion capture in the form of the real one, small and made up."""

import json

import numpy as np
from scipy.spatial.transform import Rotation
from tiny_onnx import FIGURE

from erd_ros.skeleton import H36M17

# The stiff figure, upright in a world with z up, feet on the ground.
STANDING = FIGURE[:, [0, 2, 1]] * [1, 1, -1] + [0, 0, 0.9]
_NAMES = [n.replace("right_", "r_").replace("left_", "l_") for n in H36M17.joint_names]
_SPLITS = ("train", "train", "val", "test")


def write_tiny_mocap(folder, sources=("cmu", "accad", "uiprmd"), frames=40):
    """Four clips of ``frames`` per source, one subject each: the figure sways and turns."""
    for seed, source in enumerate(sources):
        np.savez(folder / f"{source}.npz", **_arrays(source, frames, np.random.default_rng(seed)))
    (folder / "human36m_cameras.json").write_text(json.dumps(_cameras()))
    return folder


def _arrays(source, frames, generator):
    clips = len(_SPLITS)
    sway = np.cumsum(generator.normal(0, 0.01, (clips, frames, 17, 3)), axis=1)
    sway[:, :, 0] = 0
    place = generator.uniform(-2, 2, (clips, 1, 1, 3)) * [1, 1, 0]
    turns = Rotation.from_euler("z", generator.uniform(0, 6, (clips, 1))).as_matrix()
    positions = (STANDING + sway) @ turns[:, None].swapaxes(-1, -2) + place
    return {
        "positions": positions.reshape(-1, 17, 3).astype(np.float32),
        "clip_id": np.repeat(np.arange(clips, dtype=np.int32), frames),
        "clip_subject": np.array([f"{source}_{i}" for i in range(clips)]),
        "clip_split": np.array(_SPLITS),
        "joint_names": np.array(_NAMES),
        "up_axis": np.array("z"),
        "unit": np.array("m"),
    }


def _cameras():
    """Two cameras, 5 m from the origin, 1.5 m high, level, for each of three subjects."""
    views = {}
    for name, (right, forward) in {"a": ((1, 0), (0, 1)), "b": ((0, -1), (1, 0))}.items():
        rotation = np.array([[*right, 0], [0, 0, -1], [*forward, 0]], float)
        centre = -5 * rotation[2] + [0, 0, 1.5]
        views[name] = {"R": rotation.tolist(), "t_mm": (-1000 * rotation @ centre).tolist()}
    intrinsics = {name: {"fx": 1145.0, "fy": 1143.0} for name in views}
    extrinsics = {subject: views for subject in ("S1", "S9", "S11")}
    return {"intrinsics": intrinsics, "extrinsics": extrinsics}
