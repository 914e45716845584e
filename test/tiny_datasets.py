"""Small files in the layouts of public data sets, made up, with the truth they were made from."""

import json

import numpy as np
import scipy.io
from scipy.spatial.transform import Rotation

from erd_ros.skeleton import H36M17

# Upright, z up, metres: H36M17 from pelvis to right wrist.
STANDING = np.array(
    [
        (0, 0, 0.9),
        *((-0.12, 0, 0.9), (-0.12, 0, 0.45), (-0.12, 0, 0)),
        *((0.12, 0, 0.9), (0.12, 0, 0.45), (0.12, 0, 0)),
        *((0, 0, 1.15), (0, 0, 1.4), (0, 0.05, 1.5), (0, 0, 1.65)),
        *((0.18, 0, 1.4), (0.3, 0, 1.15), (0.35, 0, 0.9)),
        *((-0.18, 0, 1.4), (-0.3, 0, 1.15), (-0.35, 0, 0.9)),
    ]
)
H36M_SIDES = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
# Where H36M17's joints stand among Human3.6M's 32, by its makers' numbers.
H36M32_PLACES = dict(
    zip(
        H36M17.joint_names,
        [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27],
        strict=True,
    )
)
HUMANEVA_ORDER = """
pelvis thorax left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist
left_hip left_knee left_ankle right_hip right_knee right_ankle head_top
"""
MPI_ORDER = """
spine3 spine4 spine2 spine pelvis neck head head_top
left_clavicle left_shoulder left_elbow left_wrist left_hand
right_clavicle right_shoulder right_elbow right_wrist right_hand
left_hip left_knee left_ankle left_foot left_toe
right_hip right_knee right_ankle right_foot right_toe
"""


def any_turn(seed):
    """A rotation (3, 3)."""
    return Rotation.from_rotvec(np.random.default_rng(seed).normal(size=3)).as_matrix()


def people(frames, seed=0):
    """(F, 17, 3) metres: somebody sways, turns and walks."""
    generator = np.random.default_rng(seed)
    sway = np.cumsum(generator.normal(0, 0.01, (frames, 17, 3)), 0)
    turns = Rotation.from_euler("z", np.linspace(0, 1, frames)[:, None]).as_matrix()
    return (STANDING + sway) @ turns.swapaxes(1, 2) + generator.uniform(-1, 1, 3) * [1, 1, 0]


def write_human36m(folder, subjects=("S1", "S5", "S9"), frames=20, cameras=4):
    """data_3d_h36m.npz, data_2d_h36m_test.npz; positions (F, 17, 3), keypoints (F, C, 17, 2)."""
    positions, keypoints, truth = {}, {}, {}
    for seed, subject in enumerate(subjects):
        positions[subject], keypoints[subject] = {}, {}
        for take, action in enumerate(("Directions", "Directions 1", "WalkTogether 2")):
            joints = people(frames, 10 * seed + take)
            raw = np.random.default_rng(seed).normal(size=(frames, 32, 3)).astype(np.float32)
            raw[:, list(H36M32_PLACES.values())] = joints
            found = np.random.default_rng(take).uniform(0, 1000, (cameras, frames + 3, 17, 2))
            positions[subject][action] = raw
            keypoints[subject][action] = [camera.astype(np.float32) for camera in found]
            truth[subject, action] = joints, found[:, :frames].swapaxes(0, 1)
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=positions)
    metadata = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": H36M_SIDES}
    np.savez_compressed(folder / "data_2d_h36m_test.npz", positions_2d=keypoints, metadata=metadata)
    return truth


def write_cameras(path, subjects=("S1", "S5", "S9")):
    """A file as human36m_cameras.json, with numbers that differ everywhere."""
    generator = np.random.default_rng(0)
    names = ("54138969", "55011271", "58860488", "60457274")
    keys = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3")
    content = {
        "intrinsics": {n: dict(zip(keys, generator.normal(size=9), strict=True)) for n in names},
        "extrinsics": {
            subject: {
                name: {
                    "R": any_turn(seed).tolist(),
                    "t_mm": generator.normal(0, 3000, 3).tolist(),
                }
                for name in names
            }
            for seed, subject in enumerate(subjects)
        },
    }
    path.write_text(json.dumps(content))
    return content


def write_humaneva(folder, frames=24):
    """data_3d_humaneva15.npz; (subject with its part, action) to positions (F, 17, 3)."""
    positions, truth = {}, {}
    chosen = [H36M17.index(name) for name in HUMANEVA_ORDER.split()]
    for seed, subject in enumerate(("Train/S1", "Train/S2", "Validate/S1", "Validate/S2")):
        positions[subject] = {}
        for take, action in enumerate(("Walking 1 chunk0", "Jog 1 chunk2")):
            joints = people(frames, 10 * seed + take)
            positions[subject][action] = joints[:, chosen].astype(np.float32)
            truth[subject, action] = joints
    np.savez_compressed(folder / "data_3d_humaneva15.npz", positions_3d=positions)
    return truth


def write_mpi_inf_3dhp(folder, subject="S3", sequence="Seq2", frames=30, first_camera=0):
    """annot.mat and camera.calibration; positions (F, 17, 3) in metres, y up, and extrinsics."""
    place = folder / subject / sequence
    place.mkdir(parents=True)
    joints = people(frames) @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0.0]])  # y up: (x, z, -y)
    named = dict(zip(H36M17.joint_names, joints.swapaxes(0, 1), strict=True))
    named |= {"neck": named["thorax"], "head": named["neck_nose"]}
    nowhere = np.random.default_rng(1).normal(size=(frames, 3))
    in_world = 1000 * np.stack([named.get(name, nowhere) for name in MPI_ORDER.split()], 1)
    extrinsics, annotations = [], np.empty((3, 1), object)
    for camera in range(3):
        turn, move = any_turn(camera), (100 * camera, 5, 4000)
        extrinsics.append(np.block([[turn, np.array(move)[:, None]], [np.zeros(3), 1]]))
        annotations[camera, 0] = (in_world @ turn.T + move).reshape(frames, -1)
    text = ["Skeletool Camera Calibration File V1.0"]
    for camera, extrinsic in enumerate(extrinsics):
        intrinsic = np.array(
            [[1497 + camera, 0, 1024, 0], [0, 1496, 1051, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
        )
        text += [
            f"name          {camera}", "  sensor      10 10", "  size        2048 2048",
            "  animated    0", "  intrinsic   " + " ".join(map(str, intrinsic.ravel())) + " ",
            "  extrinsic   " + " ".join(map(str, extrinsic.ravel())) + " ", "  radial      0",
        ]  # fmt: skip
    (place / "camera.calibration").write_text("\n".join(text) + "\n")
    order = np.roll(np.arange(3), -first_camera)
    content = {
        "annot3": annotations[order], "univ_annot3": annotations[order] * 0,
        "cameras": order[None].astype(np.uint8), "frames": np.arange(frames)[:, None],
    }  # fmt: skip
    scipy.io.savemat(place / "annot.mat", content)
    return joints, extrinsics
