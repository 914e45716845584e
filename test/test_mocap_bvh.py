"""BVH files against chains of scipy's rotations, and what is said of broken ones."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from erd_ros.errors import InputError
from erd_ros.mocap.bvh import joint_positions, read_bvh
from erd_ros.mocap.bvh_clips import bvh_clips
from erd_ros.mocap.options import ReaderOptions
from erd_ros.skeleton import H36M17

# name, parent, offset in centimetres, order of the rotation channels; a person with y up.
RIG = [
    ("Hips", None, (3.0, 95.0, -2.0), "ZXY"),
    ("Spine", "Hips", (0.0, 12.0, 1.0), "ZXY"),
    ("Spine1", "Spine", (0.0, 14.0, 0.5), "XYZ"),
    ("Neck", "Spine1", (0.0, 24.0, 0.0), "YXZ"),
    ("Head", "Neck", (0.0, 9.0, 1.0), "ZXY"),
    ("LeftShoulder", "Spine1", (4.0, 20.0, 0.0), "ZXY"),
    ("LeftArm", "LeftShoulder", (14.0, 0.0, 0.0), "ZYX"),
    ("LeftForeArm", "LeftArm", (28.0, 0.0, 0.0), "ZXY"),
    ("LeftHand", "LeftForeArm", (25.0, 0.0, 0.0), "ZXY"),
    ("RightShoulder", "Spine1", (-4.0, 20.0, 0.0), "ZXY"),
    ("RightArm", "RightShoulder", (-14.0, 0.0, 0.0), "YZX"),
    ("RightForeArm", "RightArm", (-28.0, 0.0, 0.0), "ZXY"),
    ("RightHand", "RightForeArm", (-25.0, 0.0, 0.0), "ZXY"),
    ("LeftUpLeg", "Hips", (9.0, -3.0, 0.0), "ZXY"),
    ("LeftLeg", "LeftUpLeg", (0.0, -42.0, 0.0), "XZY"),
    ("LeftFoot", "LeftLeg", (0.0, -40.0, 0.0), "ZXY"),
    ("RightUpLeg", "Hips", (-9.0, -3.0, 0.0), "ZXY"),
    ("RightLeg", "RightUpLeg", (0.0, -42.0, 0.0), "ZXY"),
    ("RightFoot", "RightLeg", (0.0, -40.0, 0.0), "ZXY"),
]
HEAD_END = (0.0, 11.0, 2.0)


def tree(name, indent=""):
    _, parent, offset, order = next(row for row in RIG if row[0] == name)
    channels = [f"{axis}rotation" for axis in order]
    if parent is None:
        channels = ["Xposition", "Yposition", "Zposition", *channels]
    children = [row[0] for row in RIG if row[1] == name]
    lines = [
        f"{'ROOT' if parent is None else 'JOINT'} {name}",
        "{",
        "  OFFSET " + " ".join(map(str, offset)),
        f"  CHANNELS {len(channels)} {' '.join(channels)}",
        *(line for child in children for line in tree(child, "  ")),
    ]
    if not children:
        end = HEAD_END if name == "Head" else (0.0, 0.0, 0.0)
        lines += ["  End Site", "  {", "    OFFSET " + " ".join(map(str, end)), "  }"]
    return [indent + line for line in [*lines, "}"]]


def depth_first(name="Hips"):
    yield name
    for row in RIG:
        if row[1] == name:
            yield from depth_first(row[0])


def write_rig(path, frames=6, seed=0, frame_time=0.04):
    """A file of the rig in random motion; the place of every joint (F, 3) in centimetres."""
    generator = np.random.default_rng(seed)
    angles = {row[0]: generator.uniform(-60, 60, (frames, 3)).round(4) for row in RIG}
    place = generator.uniform(-50, 150, (frames, 3)).round(4)
    rows = np.concatenate([place, *(angles[name] for name in depth_first())], 1)
    text = ["HIERARCHY", *tree("Hips"), "MOTION", f"Frames:\t{frames}"]
    text += [f"Frame Time: {frame_time}", *(" ".join(map(str, row)) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(text) + "\n")
    return by_scipy(angles, place)


def by_scipy(angles, place):
    places, turns = {"Hips": place}, {}
    for name, parent, offset, order in RIG:
        turn = Rotation.from_euler(order, angles[name], degrees=True)  # intrinsic, as BVH's are
        if parent is not None:
            places[name] = places[parent] + turns[parent].apply(offset)
            turn = turns[parent] * turn
        turns[name] = turn
    places["Head_end"] = places["Head"] + turns["Head"].apply(HEAD_END)
    return places


def test_joints_stand_where_a_chain_of_rotations_puts_them(tmp_path):
    expected = write_rig(tmp_path / "rig.bvh")
    positions = joint_positions(read_bvh(tmp_path / "rig.bvh"))
    for name, place in expected.items():
        np.testing.assert_allclose(positions[name], place, atol=1e-9, err_msg=name)


def test_clips_are_in_metres_with_z_up(tmp_path):
    expected = write_rig(tmp_path / "Anna" / "walk_slowly.bvh")
    count, clips = bvh_clips(tmp_path, ReaderOptions())
    (clip,) = clips
    assert count == 1
    assert (clip.name, clip.subject, clip.action) == ("walk_slowly", "Anna", "slowly")
    assert clip.frames_per_second == pytest.approx(25)

    def metres(name):
        x, y, z = expected[name].T / 100
        return np.stack([x, -z, y], 1)

    joint = H36M17.index
    positions = clip.positions_in_world
    ours = {
        "right_knee": "RightLeg",
        "left_ankle": "LeftFoot",
        "spine": "Spine1",
        "thorax": "Neck",
        "neck_nose": "Head",
        "head_top": "Head_end",
        "left_shoulder": "LeftArm",
        "right_elbow": "RightForeArm",
        "left_wrist": "LeftHand",
    }
    for name, theirs in ours.items():
        np.testing.assert_allclose(positions[:, joint(name)], metres(theirs), atol=1e-6)
    hips = (metres("LeftUpLeg") + metres("RightUpLeg")) / 2
    np.testing.assert_allclose(positions[:, joint("pelvis")], hips, atol=1e-6)


def test_subject_of_files_side_by_side_is_their_first_word(tmp_path):
    write_rig(tmp_path / "Female1_B03_Walk.bvh")
    (clip,) = bvh_clips(tmp_path / "Female1_B03_Walk.bvh", ReaderOptions())[1]
    assert (clip.subject, clip.action) == ("Female1", "B03 Walk")


def test_joints_and_actions_as_told(tmp_path):
    expected = write_rig(tmp_path / "a_b.bvh")
    (tmp_path / "joints.yaml").write_text(
        "thorax: {LeftShoulder: 0.5, RightShoulder: 0.5}\nspine: Spine\n"
    )
    (tmp_path / "actions.yaml").write_text("a_b: Sitting\n")
    options = ReaderOptions(
        joints=tmp_path / "joints.yaml", actions=tmp_path / "actions.yaml", unit="cm", up_axis="z"
    )
    (clip,) = bvh_clips(tmp_path, options)[1]
    middle = (expected["LeftShoulder"] + expected["RightShoulder"]) / 200
    thorax, spine = (clip.positions_in_world[:, H36M17.index(n)] for n in ("thorax", "spine"))
    np.testing.assert_allclose(thorax, middle, atol=1e-6)
    np.testing.assert_allclose(spine, expected["Spine"] / 100, atol=1e-6)
    assert clip.action == "Sitting"


def test_a_rig_without_a_head_lacks_its_joints(tmp_path):
    write_rig(tmp_path / "a.bvh")
    text = (tmp_path / "a.bvh").read_text().replace("JOINT Head", "JOINT Top")
    (tmp_path / "a.bvh").write_text(text)
    (clip,) = bvh_clips(tmp_path, ReaderOptions())[1]
    missing = [H36M17.index("neck_nose"), H36M17.index("head_top")]
    assert np.isnan(clip.positions_in_world[:, missing]).all()
    assert np.isfinite(np.delete(clip.positions_in_world, missing, 1)).all()


def line_of(path, start):
    return next(
        n for n, row in enumerate(path.read_text().splitlines(), 1) if row.strip().startswith(start)
    )


@pytest.mark.parametrize(
    ("old", "new", "start", "message"),
    [
        ("OFFSET 0.0 12.0 1.0", "OFFSET 0.0 12.0", "OFFSET 0.0 12.0", "has 2 numbers, expected 3"),
        ("Zrotation Xrotation Yrotation\n  JOINT Spine", "Wrotation\n  JOINT Spine", "CHANNELS 6",
         "expected their number and then"),
        ("Frames:\t6", "Frames:\tsix", "Frames", "'six', expected numbers"),
        ("Frames:\t6", "Frames:\t0", "Frames", "is 0.0, expected a whole number"),
        ("Frame Time: 0.04", "Frame Time: 0", "Frame Time", "expected more than 0"),
        ("JOINT Spine1", "BONE Spine1", "BONE", "'BONE', expected JOINT, End Site or '}'"),
        ("JOINT Spine1", "JOINT Spine", "", "a second joint is called 'Spine'"),
        ("HIERARCHY", "HIERARCHIE", "HIERARCHIE", "expected 'HIERARCHY'"),
    ],
)  # fmt: skip
def test_a_broken_line_is_named(tmp_path, old, new, start, message):
    path = tmp_path / "rig.bvh"
    write_rig(path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=r"rig\.bvh, line \d+: ") as caught:
        read_bvh(path)
    assert message in str(caught.value)
    if start:
        assert f"line {line_of(path, start)}:" in str(caught.value)


def test_a_truncated_file_is_named_with_its_last_line(tmp_path):
    path = tmp_path / "rig.bvh"
    write_rig(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-2]))
    with pytest.raises(InputError, match=rf"line {len(lines) - 2}: .*expected frame 5 of 6"):
        read_bvh(path)
    path.write_text("\n".join([*lines[:-1], lines[-1][:40]]))
    with pytest.raises(
        InputError, match=rf"line {len(lines)}: frame 6 has \d+ numbers, expected 60"
    ):
        read_bvh(path)
    path.write_text("\n".join(lines[:20]))
    with pytest.raises(InputError, match="line 20: the file ends here"):
        read_bvh(path)
    path.write_bytes(b"\xff\xfe\x00BVH")
    with pytest.raises(InputError, match=r"rig\.bvh cannot be read"):
        read_bvh(path)


def test_wrong_joints_units_and_folders_are_named(tmp_path):
    path = tmp_path / "rig.bvh"
    write_rig(path)
    with pytest.raises(InputError, match=r"rig\.bvh: the leg is 82 m long .* in m, expected"):
        list(bvh_clips(path, ReaderOptions(unit="m"))[1])
    path.write_text(path.read_text().replace("JOINT LeftLeg", "JOINT Shank"))
    with pytest.raises(InputError, match=r"leftleg or leftknee.*say with --joints.*left_knee"):
        list(bvh_clips(path, ReaderOptions())[1])
    (tmp_path / "joints.yaml").write_text("left_knee: LeftShank\n")
    with pytest.raises(InputError, match=r"'left_knee' is to be made of 'LeftShank'.*lacks"):
        list(bvh_clips(path, ReaderOptions(joints=tmp_path / "joints.yaml"))[1])
    with pytest.raises(InputError, match=r"holds none that ends in \.bvh"):
        bvh_clips(tmp_path / "nowhere", ReaderOptions())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("left_nee: X", "no joint 'left_nee'; choose from pelvis"),
        ("left_knee: [A, B]", "'left_knee' is .*expected a joint of the source"),
        ("- left_knee", "holds list, expected"),
        ("left_knee: {A: 1\nb", r"joints\.yaml, line 2: no YAML"),
    ],
)
def test_files_of_joints_that_are_wrong(tmp_path, text, message):
    write_rig(tmp_path / "rig.bvh")
    (tmp_path / "joints.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        bvh_clips(tmp_path, ReaderOptions(joints=tmp_path / "joints.yaml"))
