"""Where a detector puts its joints: found again from keypoints whose offsets are known."""

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation
from tiny_mocap import STANDING

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.cli import main
from erd_ros.data.detector_joints import PARTS, SCORES, Truth, measured_joints, sizes
from erd_ros.data.joint_table import SIZE_M
from erd_ros.data.renders import read_keypoints, read_truth, write_keypoints
from erd_ros.errors import InputError
from erd_ros.mocap.body_frames import body_frames
from erd_ros.mocap.body_table import LANDMARKS
from erd_ros.mocap.landmarks import BOTH_SIDES, landmark_points
from erd_ros.pose import Keypoints2D
from erd_ros.skeleton import BLAZEPOSE33, COCO17, H36M17

COUNT = 400
# To the front, to the outside, along the part, in sizes of the person.
OFFSETS = {"shoulder": (0.0, -0.01, 0.03), "hip": (0.012, 0.02, 0.0), "wrist": (0, 0, -0.02)}
NOISE = 0.008


def shown(seed=0):
    """People in all directions before cameras, with arms and legs bent."""
    generator = np.random.default_rng(seed)
    bent = generator.normal(0, 0.06, (COUNT, 17, 3))
    joints = STANDING + bent * (np.arange(17) > 0)[:, None]
    forward = np.cross(joints[:, 11] - joints[:, 14], [0, 0, 1.0])
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
    ankles = joints[:, [H36M17.index("left_ankle"), H36M17.index("right_ankle")]]
    toes = ankles + 0.18 * forward[:, None] - [0, 0, 0.06]
    local = np.tile(generator.normal(0, 0.08, (len(LANDMARKS), 3)), (COUNT, 1, 1))
    local[:, LANDMARKS.index("left_big_toe")] = (0.18, 0, 0)
    marks = landmark_points(joints, toes, local)
    angles = np.stack([generator.normal(0, 0.2, COUNT), generator.uniform(0, 6.28, COUNT)], -1)
    turns = Rotation.from_euler("XZ", angles)
    down = Rotation.from_euler("x", -90, degrees=True).inv().as_matrix()
    rotation = down[None] @ turns.as_matrix()
    place = np.stack([generator.uniform(-0.3, 0.3, COUNT), np.ones(COUNT), np.full(COUNT, 4.0)], -1)
    seen = [one @ rotation.swapaxes(1, 2) + place[:, None] for one in (joints, marks)]
    intrinsics = np.tile(np.array([[700.0, 0, 320], [0, 700, 320], [0, 0, 1]]), (COUNT, 1, 1))
    return Truth(seen[0], seen[1], intrinsics, (640, 640))


def pixels(truth, points):
    image = np.einsum("nij,nj->ni", truth.intrinsics, points / points[:, 2:])
    return image[:, :2]


def found_by(truth, layout, seed=1):
    """Keypoints with the known offsets, noise, and scores that tell of its size."""
    generator = np.random.default_rng(seed)
    toes = truth.landmarks[:, [BOTH_SIDES.index(f"{s}_big_toe") for s in ("left", "right")]]
    frames = body_frames(truth.joints, toes)
    size = sizes(truth.joints)[:, None]
    keypoints = np.full((COUNT, len(layout), 3), 0.95)
    for index, name in enumerate(layout.joint_names):
        part = name.removeprefix("left_").removeprefix("right_")
        true = name.replace("foot_index", "big_toe")
        if true in BOTH_SIDES:
            points = truth.landmarks[:, BOTH_SIDES.index(true)]
        elif name in H36M17.joint_names:
            points = truth.joints[:, H36M17.index(name)]
        else:
            points = truth.joints[:, 0]
        if part in OFFSETS:
            side = "right" if name.startswith("right") else "left"
            outside = [1, -1 if side == "right" else 1, 1]
            axes = frames[PARTS[part].format(side)] * outside
            points = points + size * np.einsum("nij,j->ni", axes, np.array(OFFSETS[part]))
        unsure = generator.random(COUNT) < 0.3
        keypoints[unsure, index, 2] = 0.6
        noise = NOISE * (1 + 2 * unsure)[:, None] * generator.standard_normal((COUNT, 2))
        scale = truth.intrinsics[:, 0, 0] * size[:, 0] / points[:, 2]
        keypoints[:, index, :2] = pixels(truth, points) + noise * scale[:, None]
    return keypoints


@pytest.fixture(scope="module")
def truth():
    return shown()


@pytest.mark.parametrize("layout", [COCO17, BLAZEPOSE33])
def test_offsets_spread_and_scores_are_found_again(truth, layout):
    measured = measured_joints(truth, found_by(truth, layout), layout)
    assert (measured.found, measured.lost, measured.exchanged) == (1.0, 0.0, 0.0)
    assert ("foot_index" in measured.places) == (layout is BLAZEPOSE33)
    for part, place in measured.places.items():
        error = np.abs(place.offset - OFFSETS.get(part, (0, 0, 0)))
        assert (error < 4 * place.error + 2e-4).all(), (part, place.offset, place.error)
        sure, unsure = place.scores[SCORES.index(0.9)], place.scores[SCORES.index(0.5)]
        assert sure[0] == pytest.approx(0.7, abs=0.08)
        assert sure[1] == pytest.approx(NOISE, rel=0.15)
        assert unsure[1] == pytest.approx(3 * NOISE, rel=0.25)
        assert abs(place.before) < 0.2 or np.isnan(place.before)


def test_a_few_wild_keypoints_change_no_offset(truth):
    keypoints = found_by(truth, COCO17)
    keypoints[::10, COCO17.index("left_wrist"), :2] += 150
    place = measured_joints(truth, keypoints, COCO17).places["wrist"]
    np.testing.assert_allclose(place.offset, OFFSETS["wrist"], atol=0.003)
    assert place.outliers > 0.04


def test_persons_lost_and_sides_exchanged_are_counted_and_left_out(truth):
    keypoints = found_by(truth, COCO17)
    clean = measured_joints(truth, keypoints, COCO17)
    # In these images left and right are far enough apart to tell.
    shoulders = [COCO17.index(f"{side}_shoulder") for side in ("left", "right")]
    wide = np.abs(keypoints[:, shoulders[0], 0] - keypoints[:, shoulders[1], 0]) > 25
    exchanged = np.flatnonzero(wide)[:40]
    keypoints[exchanged] = keypoints[exchanged][:, list(COCO17.flip)]
    others = np.setdiff1d(np.arange(COUNT), exchanged)
    keypoints[others[:20]] = np.nan
    keypoints[others[20:40], :, :2] += 300
    measured = measured_joints(truth, keypoints, COCO17)
    assert measured.found == pytest.approx(0.95)
    assert measured.lost == pytest.approx(20 / 380)
    assert measured.exchanged == pytest.approx(40 / 380, abs=0.02)
    for part in ("shoulder", "hip", "wrist"):
        near = 6 * clean.places[part].error
        assert (np.abs(measured.places[part].offset - clean.places[part].offset) < near).all()


def test_what_does_not_fit_is_named(truth):
    with pytest.raises(InputError, match=r"expected \(400, 17, 3\)"):
        measured_joints(truth, np.zeros((3, 17, 3)), COCO17)
    with pytest.raises(InputError, match="found in 0 of 400 images"):
        measured_joints(truth, np.full((COUNT, 17, 3), np.nan), COCO17)


def test_the_command_writes_what_was_measured(truth, tmp_path, capsys):
    arrays = {n: getattr(truth, n) for n in ("joints", "landmarks", "intrinsics")}
    np.savez(tmp_path / "truth.npz", **arrays)
    assert len(read_truth(tmp_path)) == COUNT
    found = [
        Keypoints2D(COCO17, one[None, :, :2], one[None, :, 2]) for one in found_by(truth, COCO17)
    ]
    found[3] = Keypoints2D(COCO17, np.zeros((0, 17, 2)), np.zeros((0, 17)))
    write_keypoints(tmp_path / "found.npz", found, COCO17)
    assert np.isnan(read_keypoints(tmp_path / "found.npz")[3]).all()
    words = ["data", "measure-joints", str(tmp_path), "--keypoints", str(tmp_path / "found.npz")]
    words += ["--layout", "coco17", "--detector", "made up", "--out", str(tmp_path / "out.yaml")]
    assert main(words) == 0
    assert "found in 99.8% of 400 images" in capsys.readouterr().out
    table = yaml.safe_load((tmp_path / "out.yaml").read_text())
    shoulder = table["joints"]["shoulder"]
    wanted = np.array(OFFSETS["shoulder"]) * SIZE_M * 1000
    np.testing.assert_allclose(shoulder["offset_mm"], wanted, atol=4)
    assert shoulder["part"] == "chest"
    assert table["joints"]["nose"]["correlation_of_sides"] is None


def test_folders_and_files_of_another_kind_are_named(tmp_path):
    with pytest.raises(InputError, match="erd data render"):
        read_truth(tmp_path)
    np.savez(tmp_path / "truth.npz", joints=np.zeros((2, 17, 3)))
    with pytest.raises(InputError, match="lacks landmarks"):
        read_truth(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_keypoints(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", keypoints=np.zeros(3))
    with pytest.raises(InputError, match=r"shape \(N, J, 3\)"):
        read_keypoints(tmp_path / "other.npz")
