"""CMU's motion capture in its spread BVH layout, and what is said of odd skeletons."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from test_mocap_bvh import write_rig

from erd_ros.errors import InputError
from erd_ros.mocap.bvh_clips import bvh_clips
from erd_ros.mocap.options import ReaderOptions
from erd_ros.skeleton import H36M17

UNIT = 0.0254 / 0.45
# name, parent, offset in CMU's unit; the file has no thorax bone: neck and shoulders lie in Spine1.
JOINTS = [
    ("Hips", None, (0, 0, 0)),
    ("LHipJoint", "Hips", (0, 0, 0)),
    ("LeftUpLeg", "LHipJoint", (1.6, -1.8, 0.7)),
    ("LeftLeg", "LeftUpLeg", (2.5, -7.0, 0)),
    ("LeftFoot", "LeftLeg", (2.5, -6.9, 0)),
    ("RHipJoint", "Hips", (0, 0, 0)),
    ("RightUpLeg", "RHipJoint", (-1.5, -1.8, 0.7)),
    ("RightLeg", "RightUpLeg", (-2.6, -7.2, 0)),
    ("RightFoot", "RightLeg", (-2.5, -7.0, 0)),
    ("LowerBack", "Hips", (0, 0, 0)),
    ("Spine", "LowerBack", (0, 2.1, -0.2)),
    ("Spine1", "Spine", (0.05, 2.1, 0)),
    ("Neck", "Spine1", (0, 0, 0)),
    ("Neck1", "Neck", (-0.1, 1.6, 0.3)),
    ("Head", "Neck1", (0.1, 1.7, -0.3)),
    ("LeftShoulder", "Spine1", (0, 0, 0)),
    ("LeftArm", "LeftShoulder", (3.5, 0.7, -0.5)),
    ("LeftForeArm", "LeftArm", (5.3, 0, 0)),
    ("LeftHand", "LeftForeArm", (3.5, 0, 0)),
    ("RightShoulder", "Spine1", (0, 0, 0)),
    ("RightArm", "RightShoulder", (-3.4, 0.9, -0.1)),
    ("RightForeArm", "RightArm", (-5.3, 0, 0)),
    ("RightHand", "RightForeArm", (-3.6, 0, 0)),
]
HEAD_END = (0.04, 1.7, -0.15)
THORAX = (0.05, 2.1, 0)  # as the bone below it


def _tree(name):
    _, parent, offset = next(row for row in JOINTS if row[0] == name)
    children = [row[0] for row in JOINTS if row[1] == name]
    channels = "CHANNELS 3 Zrotation Yrotation Xrotation"
    if parent is None:
        channels = "CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"
    end = HEAD_END if name == "Head" else (0, 0, 0)
    ends = [] if children else ["End Site", "{", f"OFFSET {' '.join(map(str, end))}", "}"]
    return [
        f"{'JOINT' if parent else 'ROOT'} {name}", "{", f"OFFSET {' '.join(map(str, offset))}",
        channels, *(line for child in children for line in _tree(child)), *ends, "}",
    ]  # fmt: skip


def write_cmu(path, frames=5, seed=0, frame_time=".0083333", t_pose=True):
    """A file in the layout, and where CMU's skeleton has its joints (F, 3), metres, y up."""
    generator = np.random.default_rng(seed)
    angles = {name: generator.uniform(-6, 6, (frames, 3)).round(4) for name, *_ in JOINTS}
    place = (np.array([1.0, 17.0, -5.0]) + generator.normal(0, 0.01, (frames, 3))).round(4)
    rows = np.concatenate([place, *angles.values()], 1)
    opening = np.zeros((1, rows.shape[1]))
    opening[0, :3] = 1, 17, -5
    opening[0, 3 + 3 * 2] = -21  # the thigh, as the conversion has it
    if t_pose:
        rows = np.concatenate([opening, rows])
    text = ["HIERARCHY", *_tree("Hips"), "MOTION", f"Frames: {len(rows)}"]
    text += [f"Frame Time: {frame_time}", *(" ".join(f"{v:g}" for v in row) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(text) + "\n")
    return _by_scipy(place, angles)


def _by_scipy(place, angles):
    places, turns = {}, {}
    for name, parent, offset in JOINTS:
        turn = Rotation.from_euler("ZYX", angles[name], degrees=True)
        if name in ("Neck", "LeftShoulder", "RightShoulder"):
            offset = THORAX
        places[name] = place if parent is None else places[parent] + turns[parent].apply(offset)
        turns[name] = turn if parent is None else turns[parent] * turn
    places["end"] = places["Head"] + turns["Head"].apply(HEAD_END)
    return {name: UNIT * at[:, [0, 2, 1]] * [1, -1, 1] for name, at in places.items()}


def only(path, **options):
    (clip,) = bvh_clips(path, ReaderOptions(**options))[1]
    return clip


def test_cmus_layout_has_its_trunk_its_head_and_no_t_pose(tmp_path):
    truth = write_cmu(tmp_path / "14_07.bvh")
    clip = only(tmp_path / "14_07.bvh")
    ours = {
        "left_hip": "LeftUpLeg", "right_ankle": "RightFoot", "spine": "Spine", "thorax": "Neck1",
        "neck_nose": "Head", "left_shoulder": "LeftArm", "right_wrist": "RightHand",
    }  # fmt: skip
    assert len(clip.positions_in_world) == 5
    for name, theirs in ours.items():
        joint = clip.positions_in_world[:, H36M17.index(name)]
        np.testing.assert_allclose(joint, truth[theirs], atol=3e-5, err_msg=name)
    top = 2 * truth["end"] - truth["Head"]
    np.testing.assert_allclose(clip.positions_in_world[:, 10], top, atol=3e-5)
    bones = np.linalg.norm(np.diff(clip.positions_in_world[:, [0, 7, 8, 9, 10]], axis=1), axis=-1)
    trunk, head = np.median(bones[:, :2].sum(1)), np.median(bones[:, 2:].sum(1))
    assert trunk == pytest.approx(0.55, abs=0.05)  # 0.32 before
    assert head == pytest.approx(0.29, abs=0.03)  # 0.11 before
    (remark,) = clip.remarks
    assert "T-pose left out" in remark
    assert "thorax bone that it lacks put back" in remark


def test_cmus_layout_without_t_pose_keeps_every_frame(tmp_path):
    write_cmu(tmp_path / "a.bvh", t_pose=False)
    clip = only(tmp_path / "a.bvh")
    assert len(clip.positions_in_world) == 5
    assert "T-pose" not in clip.remarks[0]
    write_cmu(tmp_path / "b.bvh", frames=0)
    with pytest.raises(InputError, match=r"b\.bvh: the file has no frame but the T-pose"):
        only(tmp_path / "b.bvh")


def test_units_are_names_or_metres(tmp_path):
    write_cmu(tmp_path / "a.bvh")
    with pytest.raises(InputError, match=r"the leg is 0\.14\d m long where lengths are in cm"):
        only(tmp_path / "a.bvh", unit="cm")
    usual, stated = only(tmp_path / "a.bvh"), only(tmp_path / "a.bvh", unit="0.056444")
    np.testing.assert_array_equal(usual.positions_in_world, stated.positions_in_world)
    for wrong in ("feet", "0", "-1", "nan", "inf"):
        with pytest.raises(InputError, match=f"unknown unit '{wrong}'.*or a number of metres"):
            ReaderOptions(unit=wrong)


@pytest.mark.parametrize(
    ("joints", "part"),
    [
        ("thorax: Spine1\nspine: Spine", r"the trunk \(pelvis, spine, thorax\) is 0\.\d+ m"),
        ("head_top: Head", r"the head with neck \(thorax, neck_nose, head_top\) is 0\.\d+ m"),
    ],
)
def test_a_trunk_or_head_that_nobody_has_is_named(tmp_path, joints, part):
    write_rig(tmp_path / "a.bvh")
    (tmp_path / "joints.yaml").write_text(joints)
    with pytest.raises(InputError, match=part + ".* where the leg is .*say with --joints"):
        only(tmp_path / "a.bvh", joints=tmp_path / "joints.yaml")


def test_frame_rates_and_subjects_by_clip(tmp_path):
    for name in ("skl_s01_a01", "skl_s02_a01", "33_01"):
        write_cmu(tmp_path / "files" / f"{name}.bvh")
    rates = tmp_path / "rates.yaml"
    rates.write_text("33_*: 60\n'skl_s02*': 50\nskl_s02_a01: 100\n")
    options = ReaderOptions(source_fps=rates, subject=r"s\d\d|^\d+")
    clips = {clip.name: clip for clip in bvh_clips(tmp_path / "files", options)[1]}
    found = {name: (c.subject, round(c.frames_per_second)) for name, c in clips.items()}
    assert found == {
        "skl_s01_a01": ("s01", 120), "skl_s02_a01": ("s02", 100), "33_01": ("33", 60),
    }  # fmt: skip
    assert only(tmp_path / "files" / "33_01.bvh", source_fps=30).frames_per_second == 30
    with pytest.raises(InputError, match=r"--subject \(x\+\) finds no subject in '33_01\.bvh'"):
        list(bvh_clips(tmp_path / "files", ReaderOptions(subject="(x+)"))[1])
    with pytest.raises(InputError, match=r"--subject \(: no regular expression"):
        ReaderOptions(subject="(")
    rates.write_text("33_01: fast\n")
    with pytest.raises(InputError, match=r"the frame rate of '33_01' is 'fast', expected a number"):
        bvh_clips(tmp_path / "files", ReaderOptions(source_fps=rates))


def test_lines_after_the_stated_frames_are_remarked(tmp_path):
    write_rig(tmp_path / "a.bvh")
    text = (tmp_path / "a.bvh").read_text()
    (tmp_path / "a.bvh").write_text(text.replace("Frames:\t6", "Frames:\t4"))
    assert "the file goes on" in only(tmp_path / "a.bvh").remarks[0]


def test_thousands_of_joints_are_read_at_once_however_they_nest(tmp_path):
    """3,000 in each other were a RecursionError, 20,000 beside each other took 40 s."""
    motion = "MOTION\nFrames: 1\nFrame Time: 0.04\n"
    head = "HIERARCHY\nROOT r\n{\nOFFSET 0 0 0\nCHANNELS 1 Zrotation\n"
    joints = [f"JOINT j{i}\n{{\nOFFSET 0 1 0\nCHANNELS 1 Zrotation\n" for i in range(20_000)]
    deep = head + "".join(joints[:3000]) + "}\n" * 3001 + motion + "0 " * 3001
    wide = head + "}\n".join(joints) + "}\n}\n" + motion + "0 " * 20_001
    for text in (deep, wide):
        (tmp_path / "a.bvh").write_text(text)
        with pytest.raises(InputError, match="no joint is called leftupleg") as caught:
            only(tmp_path / "a.bvh")
        assert len(str(caught.value)) < 2000
