"""ASF and AMC files against chains of scipy's rotations, and what is said of broken ones."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from erd_ros.errors import InputError
from erd_ros.mocap.amc import asf_amc_clips, bone_ends, read_amc
from erd_ros.mocap.asf import read_asf
from erd_ros.mocap.options import ReaderOptions
from erd_ros.skeleton import H36M17

METRES = 0.0254 / 0.45  # CMU's unit of length
# name, parent, direction at rest, length, axes in degrees, degrees of freedom
BONES = [
    ("lhipjoint", "root", (0.6, -0.8, 0), 2.5, (0, 0, 0), ""),
    ("lfemur", "lhipjoint", (0.34, -0.94, 0), 7.2, (0, 0, 20), "rx ry rz"),
    ("ltibia", "lfemur", (0.34, -0.94, 0), 7.4, (0, 0, 20), "rx"),
    ("lfoot", "ltibia", (0.07, -0.2, 0.97), 2.4, (-90, 7, 20), "rx rz"),
    ("rhipjoint", "root", (-0.6, -0.8, 0), 2.5, (0, 0, 0), ""),
    ("rfemur", "rhipjoint", (-0.34, -0.94, 0), 7.2, (0, 0, -20), "rx ry rz"),
    ("rtibia", "rfemur", (-0.34, -0.94, 0), 7.4, (0, 0, -20), "rx"),
    ("lowerback", "root", (0, 1, 0.02), 2.0, (5, 0, 3), "rx ry rz"),
    ("upperback", "lowerback", (0, 1, 0), 2.0, (0, 0, 0), "rx ry rz"),
    ("thorax", "upperback", (0, 1, 0), 2.0, (0, 0, 0), "rx ry rz"),
    ("lowerneck", "thorax", (0, 1, 0), 1.7, (0, 0, 0), "rx ry rz"),
    ("upperneck", "lowerneck", (0, 1, 0.1), 1.7, (0, 0, 0), "rx ry rz"),
    ("head", "upperneck", (0, 1, 0.1), 1.7, (0, 0, 0), "rx ry rz"),
    ("lclavicle", "thorax", (0.9, 0.4, 0), 3.4, (0, 0, 0), "ry rz"),
    ("lhumerus", "lclavicle", (1, 0, 0), 5.0, (180, 30, 90), "rx ry rz"),
    ("lradius", "lhumerus", (1, 0, 0), 3.3, (180, 30, 90), "rx"),
    ("rclavicle", "thorax", (-0.9, 0.4, 0), 3.4, (0, 0, 0), "ry rz"),
    ("rhumerus", "rclavicle", (-1, 0, 0), 5.0, (180, -30, -90), "rx ry rz"),
    ("rradius", "rhumerus", (-1, 0, 0), 3.3, (180, -30, -90), "rx"),
]
MOVING = {name: freedoms.split() for name, *_, freedoms in BONES if freedoms}


def write_asf(path, angle="deg"):
    per_degree = 1 if angle == "deg" else np.pi / 180
    text = [
        "# a comment", ":version 1.10", ":name VICON", ":units", "  mass 1.0", "  length 0.45",
        f"  angle {angle}", ":documentation", "   free words", ":root",
        "   order TX TY TZ RX RY RZ", "   axis XYZ", "   position 0 0 0", "   orientation 0 0 0",
        ":bonedata",
    ]  # fmt: skip
    for number, (name, _, direction, length, axes, freedoms) in enumerate(BONES, 1):
        turned = " ".join(f"{value * per_degree:.12g}" for value in axes)
        text += ["  begin", f"     id {number}", f"     name {name}"]
        text += [f"     direction {' '.join(map(str, direction))}", f"     length {length}"]
        text += [f"     axis {turned}   XYZ"]
        if freedoms:
            limits = ["(-160.0 20.0)"] * len(freedoms.split())
            text += [f"    dof {freedoms}", "    limits " + "\n           ".join(limits)]
        text += ["  end"]
    text += [":hierarchy", "  begin"]
    for parent in dict.fromkeys(parent for _, parent, *_ in BONES):
        text += [f"    {parent} " + " ".join(name for name, p, *_ in BONES if p == parent)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*text, "  end", ""]))


def write_amc(path, frames=5, seed=0, unit=":DEGREES"):
    """A file of random motion, and the end of every bone (F, 3) in metres, y up."""
    generator = np.random.default_rng(seed)
    place = generator.uniform(-20, 20, (frames, 3)).round(5)
    degrees = {"root": generator.uniform(-90, 90, (frames, 3)).round(5)}
    degrees |= {n: generator.uniform(-50, 50, (frames, len(f))).round(5) for n, f in MOVING.items()}
    written = np.rad2deg if unit == ":DEGREES" else np.asarray
    text = ["#!OML:ASF x.ASF", ":FULLY-SPECIFIED", *([unit] if unit else [])]
    for frame in range(frames):
        text.append(str(frame + 1))
        for name, values in degrees.items():
            angles = written(np.deg2rad(values[frame])).tolist()
            moved = place[frame].tolist() if name == "root" else []
            text.append(f"{name} " + " ".join(f"{value:.12g}" for value in moved + angles))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(text) + "\n")
    return by_scipy(place, degrees)


def by_scipy(place, degrees):
    """Orientation: parent * C * M * inverse(C), rotations about fixed axes, x first."""
    ends = {"root": place}
    turns = {"root": Rotation.from_euler("xyz", degrees["root"], degrees=True)}
    for name, parent, direction, length, axes, freedoms in BONES:
        own_axes = Rotation.from_euler("xyz", axes, degrees=True)
        turns[name] = turns[parent]
        if freedoms:
            order = freedoms.replace("r", "").replace(" ", "")
            moved = Rotation.from_euler(order, degrees[name], degrees=True)
            turns[name] = turns[parent] * (own_axes * moved * own_axes.inv())
        ends[name] = ends[parent] + turns[name].apply(length * np.array(direction))
    return {name: METRES * end for name, end in ends.items()}


@pytest.mark.parametrize(
    ("angle", "unit"), [("deg", ":DEGREES"), ("rad", ":DEGREES"), ("rad", ""), ("deg", ":RADIANS")]
)
def test_bones_end_where_a_chain_of_rotations_puts_them(tmp_path, angle, unit):
    write_asf(tmp_path / "07.asf", angle)
    expected = write_amc(tmp_path / "07_01.amc", unit=unit)
    asf = read_asf(tmp_path / "07.asf")
    ends = bone_ends(asf, read_amc(tmp_path / "07_01.amc", asf))
    assert set(ends) == set(expected)
    for name, end in expected.items():
        np.testing.assert_allclose(ends[name], end, atol=1e-9, err_msg=name)


def test_clips_of_a_folder_of_subjects(tmp_path):
    for subject, take in (("07", "07_01"), ("07", "07_02"), ("08", "08_01")):
        write_asf(tmp_path / "subjects" / subject / f"{subject}.asf")
        expected = write_amc(tmp_path / "subjects" / subject / f"{take}.amc", seed=int(take[-1]))
    (tmp_path / "actions.yaml").write_text('"08_01": walk\n')
    options = ReaderOptions(actions=tmp_path / "actions.yaml", source_fps=60)
    count, clips = asf_amc_clips(tmp_path / "subjects", options)
    clips = list(clips)
    assert count == 3
    assert [(c.name, c.subject, c.action) for c in clips] == [
        ("07_01", "07", ""), ("07_02", "07", ""), ("08_01", "08", "walk"),
    ]  # fmt: skip
    assert {clip.frames_per_second for clip in clips} == {60}

    def up(name):
        x, y, z = expected[name].T
        return np.stack([x, -z, y], 1)

    positions = {n: clips[2].positions_in_world[:, i] for i, n in enumerate(H36M17.joint_names)}
    for ours, theirs in {
        "left_hip": "lhipjoint", "right_ankle": "rtibia", "spine": "lowerback",
        "thorax": "lowerneck", "neck_nose": "upperneck", "left_shoulder": "lclavicle",
        "right_wrist": "rradius",
    }.items():  # fmt: skip
        np.testing.assert_allclose(positions[ours], up(theirs), atol=1e-6, err_msg=ours)
    hips = (up("lhipjoint") + up("rhipjoint")) / 2
    np.testing.assert_allclose(positions["pelvis"], hips, atol=1e-6)
    np.testing.assert_allclose(positions["head_top"], 2 * up("head") - up("upperneck"), atol=1e-6)


def test_skeletons_side_by_side_are_told_by_their_names(tmp_path):
    write_amc(tmp_path / "07_01.amc")
    with pytest.raises(InputError, match=r"07_01\.amc: expected one \.asf file .* has 0"):
        list(asf_amc_clips(tmp_path, ReaderOptions())[1])
    write_asf(tmp_path / "07.asf")
    write_asf(tmp_path / "08.asf")
    (clip,) = asf_amc_clips(tmp_path, ReaderOptions())[1]
    assert clip.subject == "07"
    (tmp_path / "07_01.amc").rename(tmp_path / "walk.amc")
    with pytest.raises(InputError, match="has 2"):
        list(asf_amc_clips(tmp_path, ReaderOptions())[1])


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("  length 0.45", "  length 0", 6, "length is 0.0, expected more than 0"),
        ("angle deg", "angle grad", 7, "the angle is 'grad', expected deg or rad"),
        ("order TX TY TZ RX RY RZ", "order TX TX", 11, "degrees of freedom are 'TX TX'"),
        ("position 0 0 0", "position 1 0 0", 13, "position is not 0 0 0"),
        ("axis 0 0 0   XYZ\n  end", "axis 0 0 0   XYY\n  end", 22, "'xyy', expected one such"),
        ("     length 2.5\n", "", 21, "the bone that ends here has no 'length'"),
        ("direction 0.6 -0.8 0", "direction 0.6 -0.8", 22, "has 2 numbers, expected 3"),
        ("name lfemur", "name lhipjoint", 33, "a second bone is called 'lhipjoint'"),
        ("dof rx ry rz", "dof rx ry tx", 33, "expected some of rx, ry, rz"),
        ("ltibia lfoot", "ltibia lfemur", None, "'lfemur' is no bone, or has two parents"),
        ("    lfemur ltibia\n", "", None, "'ltibia' has children before it has a parent"),
    ],
)
def test_a_broken_line_of_a_skeleton_is_named(tmp_path, old, new, line, message):
    path = tmp_path / "07.asf"
    write_asf(path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    place = rf"07\.asf, line {line}: " if line else r"07\.asf, line \d+: "
    with pytest.raises(InputError, match=place) as caught:
        read_asf(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (12, "the file ends without ':root' or ':hierarchy'"),
        (20, "expected 'end' of a bone"),
        (-2, "expected 'end' of the hierarchy"),
    ],
)
def test_a_truncated_skeleton_is_named(tmp_path, lines, message):
    path = tmp_path / "07.asf"
    write_asf(path)
    path.write_text("\n".join(path.read_text().splitlines()[:lines]))
    with pytest.raises(InputError, match=r"07\.asf, line \d+: ") as caught:
        read_asf(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("\n2\n", "\n3\n", 23, "expected the number of frame 2 alone"),
        ("lfemur", "femur", 6, "'femur', expected a bone that frame 1 has not had yet"),
        ("lfoot", "ltibia", 8, "'ltibia', expected a bone that frame 1 has not had yet"),
        ("\nltibia ", "\nltibia 1 ", 7, "'ltibia' has 2 numbers, expected 1"),
        ("\nltibia ", "\nltibia x", 7, "expected numbers"),
    ],
)
def test_a_broken_line_of_a_motion_is_named(tmp_path, old, new, line, message):
    write_asf(tmp_path / "07.asf")
    path = tmp_path / "07_01.amc"
    write_amc(path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=rf"07_01\.amc, line {line}: ") as caught:
        read_amc(path, read_asf(tmp_path / "07.asf"))
    assert message in str(caught.value)


def test_a_truncated_motion_is_named_with_its_last_line(tmp_path):
    write_asf(tmp_path / "07.asf")
    path = tmp_path / "07_01.amc"
    write_amc(path)
    lines = path.read_text().splitlines()
    asf = read_asf(tmp_path / "07.asf")
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(InputError, match=rf"line {len(lines) - 1}: .*expected a bone of frame 5"):
        read_amc(path, asf)
    path.write_text("\n".join(lines[:3]))
    with pytest.raises(InputError, match="line 3: the file ends without a frame"):
        read_amc(path, asf)


def test_another_skeleton_than_cmus_is_named(tmp_path):
    write_asf(tmp_path / "07.asf")
    write_amc(tmp_path / "07_01.amc")
    for name in ("07.asf", "07_01.amc"):
        (tmp_path / name).write_text((tmp_path / name).read_text().replace("lradius", "lforearm"))
    with pytest.raises(InputError, match=r"07\.asf: joint 'left_wrist' is to be made of 'lradius'"):
        list(asf_amc_clips(tmp_path, ReaderOptions())[1])
    (tmp_path / "07.asf").write_text((tmp_path / "07.asf").read_text().replace("0.45", "1.0"))
    (tmp_path / "joints.yaml").write_text("left_wrist: lforearm\n")
    with pytest.raises(InputError, match=r"the leg is 0\.37"):
        list(asf_amc_clips(tmp_path, ReaderOptions(joints=tmp_path / "joints.yaml"))[1])
