"""Readers of motion files against files that have been changed at random.

``python -m benchmark.fuzz_motion --inputs 100000 --seed 0`` writes a small good file of each kind,
changes bytes, numbers and lengths of it and reads it again. A reader may give an answer or raise
InputError; all else, and what takes longer than a second, is printed with the bytes that did it.
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmark.changed_files import changed_inside
from erd_ros.errors import InputError
from erd_ros.mocap import read_clips, read_human36m_calibrations, read_human36m_cameras, read_mocap
from erd_ros.mocap.amc import read_amc
from erd_ros.mocap.asf import read_asf
from erd_ros.mocap.bvh_clips import bvh_clips
from erd_ros.mocap.clip import Clip
from erd_ros.mocap.human36m import human36m_clips
from erd_ros.mocap.matlab import read_first_arrays
from erd_ros.mocap.mpi_inf_3dhp import read_calibration
from erd_ros.mocap.npz_objects import read_npz_object
from erd_ros.mocap.options import FrameRates, ReaderOptions, read_actions, read_recipes
from erd_ros.mocap.splits import subject_splits
from erd_ros.mocap.videopose3d import read_keypoints
from erd_ros.skeleton import H36M17

LONGEST = 1.0  # seconds that a reader may take

Reader = Callable[[Path], object]


def _read_bvh(path: Path) -> object:
    return list(bvh_clips(path, ReaderOptions())[1])


def _read_asf_amc(path: Path) -> object:
    return read_amc(path, read_asf(path.with_name("good.asf")))


def _read_errors(path: Path) -> object:
    from erd_ros.data.error_table import read_error_table

    return read_error_table(path)


def _read_error_model(path: Path) -> object:
    from erd_ros.data.error_model import read_error_model

    return read_error_model(path)


def _human36m(path: Path) -> object:
    return list(human36m_clips(path, ReaderOptions())[1])


# The seed's file name to what reads it.
READERS: Mapping[str, Reader] = {
    "rig.bvh": _read_bvh,
    "good.asf": read_asf,
    "motion.amc": _read_asf_amc,
    "plain.mat": lambda path: read_first_arrays(path, ("annot3", "cameras")),
    "compressed.mat": lambda path: read_first_arrays(path, ("annot3", "cameras")),
    "camera.calibration": read_calibration,
    "clips.npz": read_clips,
    "stored.npz": lambda path: read_mocap(path.parent, [path.stem], "train"),
    "objects.npz": lambda path: read_npz_object(path, "positions_3d"),
    "human36m.npz": _human36m,
    "keypoints.npz": read_keypoints,
    "human36m_cameras.json": lambda path: (
        read_human36m_calibrations(path),
        read_human36m_cameras(path.parent),
    ),
    "joints.yaml": read_recipes,
    "actions.yaml": read_actions,
    "rates.yaml": FrameRates,
    "who.yaml": lambda path: subject_splits(str(path), (), ()),
    "errors.csv": _read_errors,
    "errors.npz": _read_errors,
    "model.json": _read_error_model,
}


def write_seeds(folder: Path) -> None:
    """A small good file for each of READERS."""
    generator = np.random.default_rng(0)
    (folder / "rig.bvh").write_text(_bvh())
    (folder / "good.asf").write_text(_ASF)
    (folder / "motion.amc").write_text(_AMC)
    _write_mat(folder)
    camera = "name 0\n sensor 10 10\n size 2048 2048\n animated 0\n"
    matrix = "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"
    (folder / "camera.calibration").write_text(
        f"Skeletool Camera Calibration File V1.0\n{camera} intrinsic {matrix}\n"
        f" extrinsic {matrix}\n radial 0\n"
    )
    _write_clips(folder, generator)
    _write_objects(folder, generator)
    lens = dict.fromkeys(("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3"), 1.5)
    view = {"R": np.eye(3).tolist(), "t_mm": [0.0, 1.0, 2.0]}
    cameras = {"intrinsics": {"a": lens}, "extrinsics": {"S1": {"a": view}}}
    (folder / "human36m_cameras.json").write_text(json.dumps(cameras))
    (folder / "joints.yaml").write_text("left_knee: Shank\nthorax: {A: 0.5, B: 0.5}\n")
    (folder / "actions.yaml").write_text('"07_01": walk\n"07_02": [run]\n')
    (folder / "rates.yaml").write_text('"33_*": 60\n"07_01": 120.0\n')
    (folder / "who.yaml").write_text("train: [S1, S5]\ntest: [S9]\n")
    (folder / "errors.csv").write_text("joint,x,y\nleft_knee,1.5,-2\nneck,0.1,3e2\n")
    np.savez_compressed(
        folder / "errors.npz", errors=generator.normal(size=(3, 2, 2)), joint_names=["a", "b"]
    )
    joint = {"mean": [0.0, 1.0], "deviation": [1.0, 2.0], "inlier_share": 0.9}
    model = {
        "kind": "mixture", "unit": "pixels of a Human3.6M image, about 1000 wide",
        "half_range": 50.0, "joints": {"neck": joint},
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(model))


def _bvh() -> str:
    names = {"Hips": "Spine LeftUpLeg RightUpLeg", "Spine": "Neck LeftArm RightArm", "Neck": "Head"}
    for side in ("Left", "Right"):
        names |= {f"{side}UpLeg": f"{side}Leg", f"{side}Leg": f"{side}Foot"}
        names |= {f"{side}Arm": f"{side}ForeArm", f"{side}ForeArm": f"{side}Hand"}
    offsets = {"Spine": "0 25 0", "Neck": "0 25 0", "Head": "0 10 0"}
    offsets |= {"LeftUpLeg": "9 0 0", "RightUpLeg": "-9 0 0"}

    def joint(name: str, kind: str) -> list[str]:
        moves = "6 Xposition Yposition Zposition" if kind == "ROOT" else "3"
        lines = [f"{kind} {name}", "{", f"OFFSET {offsets.get(name, '3 -40 0')}"]
        lines.append(f"CHANNELS {moves} Zrotation Xrotation Yrotation")
        for below in names.get(name, "").split():
            lines += joint(below, "JOINT")
        end = ["End Site", "{", "OFFSET 0 15 0", "}"] if name not in names else []
        return [*lines, *end, "}"]

    lines = joint("Hips", "ROOT")
    row = " ".join(["1"] * (3 + 3 * sum(line.startswith("CHANNELS") for line in lines)))
    return "\n".join(["HIERARCHY", *lines, "MOTION", "Frames: 2", "Frame Time: .04", row, row, ""])


_ASF = """:units
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     name lowerback
     direction 0 1 0.02
     length 2.0
     axis 5 0 3 XYZ
     dof rx ry rz
     limits (-160.0 20.0)
  end
:hierarchy
  begin
    root lowerback
  end
"""
_AMC = ":FULLY-SPECIFIED\n:DEGREES\n" + "".join(
    f"{frame}\nroot 1 2 3 4 5 6\nlowerback 7 8.5 9\n" for frame in (1, 2, 3)
)


def _write_mat(folder: Path) -> None:
    import scipy.io

    cells = np.empty((2, 1), object)
    cells[:, 0] = [np.arange(168.0).reshape(2, 84) + 0.5, np.ones((2, 84))]
    content = {"frames": np.arange(3), "annot3": cells, "cameras": np.array([[0, 1]], np.uint8)}
    scipy.io.savemat(folder / "plain.mat", content)
    scipy.io.savemat(folder / "compressed.mat", content, do_compression=True)


def _write_clips(folder: Path, generator: np.random.Generator) -> None:
    from erd_ros.mocap import write_clips

    clips = []
    for name in ("a", "b"):
        positions = generator.normal(size=(3, len(H36M17), 3)).astype(np.float32)
        clips.append(Clip(name, "S1", "walk", "train", positions, 25.0))
    write_clips(folder / "clips.npz", clips, "made up")
    with np.load(folder / "clips.npz") as arrays:
        np.savez(folder / "stored.npz", **arrays)


def _write_objects(folder: Path, generator: np.random.Generator) -> None:
    poses = {"S1": {"Walking 1": generator.normal(size=(2, 32, 3)).astype(np.float32)}}
    np.savez(folder / "objects.npz", positions_3d=np.array(poses, object))
    np.savez_compressed(folder / "human36m.npz", positions_3d=np.array(poses, object))
    sides = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
    metadata = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": sides}
    keypoints = {"S1": {"Walking 1": [generator.normal(size=(2, 17, 2))]}}
    np.savez(
        folder / "keypoints.npz",
        positions_2d=np.array(keypoints, object),
        metadata=np.array(metadata, object),
    )


def try_reader(name: str, folder: Path, content: bytes) -> str | None:
    """What a reader of READERS did wrong with a content: None where it did nothing wrong."""
    path = folder / name
    path.write_bytes(content)
    begun = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            READERS[name](path)
    except InputError as error:
        if len(str(error)) > 20_000:
            return f"a message of {len(str(error))} characters"
    except (Exception, Warning):
        return traceback.format_exc(limit=-4)
    taken = time.process_time() - begun
    return f"it took {taken:.2f} s" if taken > LONGEST else None


def fuzz(folder: Path, inputs: int, seed: int) -> dict[str, tuple[str, bytes]]:
    """What went wrong, once of each kind, and the content that did it."""
    write_seeds(folder)
    seeds = {name: (folder / name).read_bytes() for name in READERS}
    generator = np.random.default_rng(seed)
    found: dict[str, tuple[str, bytes]] = {}
    for name, content in seeds.items():
        try_reader(name, folder, content)  # imports take their time
        if wrong := try_reader(name, folder, content):
            found[f"{name}: the seed: {wrong}"] = name, content
    for number in range(inputs):
        name = list(seeds)[number % len(seeds)]
        content = changed_inside(name, seeds[name], generator)
        if wrong := try_reader(name, folder, content):
            found.setdefault(f"{name}: {wrong}", (name, content))
        (folder / name).write_bytes(seeds[name])
    return found


def main() -> int:
    """Fuzz as the command line says; 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(Path(folder), arguments.inputs, arguments.seed)
    for wrong, (_, content) in found.items():
        print(wrong, content[:300], sep="\n")
    by_reader = dict(Counter(name for name, _ in found.values()))
    print(f"{arguments.inputs} inputs; wrong, by reader: {by_reader}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
