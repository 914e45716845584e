"""The table of bodies, the survey that its real ones are of, and landmarks in frames of bones."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tiny_mocap import STANDING

from erd_ros.errors import InputError
from erd_ros.mocap.ansur import bone_lengths, read_survey
from erd_ros.mocap.body_table import BONES, LANDMARKS, BodyTable, read_bodies, write_bodies
from erd_ros.mocap.landmarks import (
    BOTH_SIDES,
    foot_frames,
    head_frames,
    landmark_points,
    local_places,
    placed,
)
from erd_ros.mocap.stature import size_of_height
from erd_ros.skeleton import H36M17

TABLE = Path(__file__).resolve().parent.parent / "config" / "bodies" / "people.npz"
SPLITS = ("train", "val", "test")


def made(bodies=30):
    generator = np.random.default_rng(0)
    return BodyTable(
        np.array(["ansur2", "anny"] * (bodies // 2)),
        np.array(SPLITS * (bodies // 3)),
        np.array(["f", "m"] * (bodies // 2)),
        generator.integers(3, 80, bodies).astype(np.float32),
        generator.uniform(1, 2, bodies).astype(np.float32),
        generator.uniform(0.05, 0.5, (bodies, len(BONES))).astype(np.float32),
        generator.uniform(-0.2, 0.2, (bodies, len(LANDMARKS), 3)).astype(np.float32),
    )


def spread_given_proportions(table):
    """Standard deviation of the log of the size that all bones' ratios to it leave open."""
    size = np.log(table.size.astype(float))
    ratios = np.log(table.bones.astype(float)) - size[:, None]
    known = np.column_stack([np.ones(len(size)), ratios])
    rest = size - known @ np.linalg.lstsq(known, size, rcond=None)[0]
    return np.sqrt((rest**2).sum() / (len(size) - known.shape[1]))


def test_a_table_comes_back_to_a_tenth_of_a_millimetre(tmp_path):
    table = made()
    write_bodies(tmp_path / "bodies.npz", table)
    for split in SPLITS:
        back, wanted = read_bodies(tmp_path / "bodies.npz", split), table[table.split == split]
        assert set(back.split.tolist()) == {split}
        np.testing.assert_array_equal(back.sex, wanted.sex)
        for name in ("age", "height", "bones", "landmarks"):
            np.testing.assert_allclose(getattr(back, name), getattr(wanted, name), atol=5.1e-5)


def test_lengths_lead_to_the_joints_and_add_up_to_the_size():
    table = made()
    lengths = table.lengths()
    assert (lengths[:, 0] == 0).all()
    np.testing.assert_array_equal(lengths, lengths[:, list(H36M17.flip)])
    joints = ("spine", "thorax", "neck_nose", "head_top", "right_knee", "right_ankle")
    chain = lengths[:, [H36M17.index(name) for name in joints]].sum(1)
    np.testing.assert_allclose(table.size, chain, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bones": np.zeros((30, 3), np.int16)}, r"bones is int16 of shape \(30, 3\)"),
        ({"bones": np.zeros((30, 10), np.int16)}, "not between 0 and 1 m"),
        ({"bone_names": np.array(BONES[::-1])}, "bone_names are not left_hip"),
        ({"sex": np.arange(30)}, "sex is int64 of shape"),
        ({"age": np.zeros((30, 2))}, "age is float64 of shape"),
        ({"split": np.full(30, "test")}, "no body of split 'train'"),
    ],
)
def test_a_table_of_another_layout_is_named(tmp_path, change, message):
    path = tmp_path / "bodies.npz"
    write_bodies(path, made())
    arrays = dict(np.load(path)) | change
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        read_bodies(path, "train")


def test_what_is_no_table_is_named(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_bodies(tmp_path / "none.npz", "train")
    np.savez(tmp_path / "other.npz", age=np.zeros(3))
    with pytest.raises(InputError, match="lacks source, split"):
        read_bodies(tmp_path / "other.npz", "train")
    with pytest.raises(InputError, match="unknown split 'all'"):
        read_bodies(TABLE, "all")
    with pytest.raises(InputError, match="cannot be written"):
        write_bodies(tmp_path / "other.npz" / "bodies.npz", made())


def test_the_table_has_people_of_all_ages_and_the_spread_of_real_ones():
    splits = [read_bodies(TABLE, split) for split in SPLITS]
    assert [len(one) for one in splits] == [7314, 913, 913]
    table = BodyTable(*(np.concatenate([getattr(one, name) for one in splits])
                        for name in BodyTable.__dataclass_fields__))  # fmt: skip
    for split in splits:
        model = split[split.source == "anny"]
        for youngest, oldest in ((3, 6), (6, 12), (12, 18), (18, 65), (65, 90)):
            assert ((model.age >= youngest) & (model.age < oldest)).sum() >= 15
    real, model = (table[table.source == name] for name in ("ansur2", "anny"))
    grown = model[model.age >= 18]
    assert np.log(real.size).std() == pytest.approx(0.052, abs=0.001)
    for people in (real, grown):
        assert spread_given_proportions(people) == pytest.approx(0.04, abs=0.003)
        own = np.log(people.bones / people.size[:, None]).std(0)
        assert own.min() > 0.03
        assert own.max() < 0.08
    ratio = np.median(grown.bones / grown.size[:, None], 0)
    ratio /= np.median(real.bones / real.size[:, None], 0)
    np.testing.assert_allclose(ratio, 1, atol=0.04)
    # Children are no small grown-ups: their heads are larger.
    small = model[model.age < 6]
    head = BONES.index("head_top")
    assert np.mean(small.bones[:, head] / small.size) > 1.15 * np.mean(
        grown.bones[:, head] / grown.size
    )
    assert 0.8 < small.height.min() < small.height.max() < 1.35


@pytest.mark.parametrize("source", ["ansur2", "anny"])
@pytest.mark.parametrize("split", ["val", "test"])
def test_a_height_says_the_size_as_well_as_it_claims(source, split):
    table = read_bodies(TABLE, split)
    table = table[table.source == source]
    told = np.array([size_of_height(float(height), 0.0) for height in table.height])
    within = np.abs(table.size - told[:, 0]) < told[:, 1]
    assert 0.6 < within.mean() < 0.85
    assert np.abs(np.mean(table.size / told[:, 0]) - 1) < 0.002


def test_a_height_that_is_none_is_refused():
    assert size_of_height(1.7, 0.02) == pytest.approx((1.632, 0.0200), abs=1e-4)
    for height, std in ((0.0, 0.01), (1.7, -1.0), (np.nan, 0.01)):
        with pytest.raises(InputError, match="expected above 0"):
            size_of_height(height, std)


def test_bones_of_the_survey_are_its_heights(shared_data):
    survey = read_survey(shared_data / "ansur2.csv")
    bones = bone_lengths(survey)
    assert bones.shape == (6068, len(BONES))
    chain = [BONES.index(name) for name in ("left_knee", "left_ankle", "spine", "thorax")]
    chain += [BONES.index(name) for name in ("neck_nose", "head_top")]
    size = survey.height - survey.measures["lateralmalleolusheight"]
    np.testing.assert_allclose(bones[:, chain].sum(1), size, atol=1e-9)
    # De Leva (1996) has 0.282 and 0.269 m for men of 1.741 m.
    men = survey.sex == "m"
    tall = survey.height[men].mean() / 1.741
    assert bones[men, BONES.index("left_elbow")].mean() / tall == pytest.approx(0.282, abs=0.005)
    assert bones[men, BONES.index("left_wrist")].mean() / tall == pytest.approx(0.269, abs=0.005)


def test_a_survey_that_is_wrong_is_named(tmp_path, shared_data):
    lines = (shared_data / "ansur2.csv").read_text().splitlines()[:4]
    path = tmp_path / "survey.csv"
    for line, message in (
        (lines[2].replace("f,", "x,", 1), "line 3: sex is 'x'"),
        (lines[2].replace("1435", "tall"), "line 3: could not convert"),
    ):
        path.write_text("\n".join([*lines[:2], line, lines[3]]))
        with pytest.raises(InputError, match=message):
            read_survey(path)
    path.write_text("sex,age\nf,20\n")
    with pytest.raises(InputError, match="lacks the columns stature"):
        read_survey(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_survey(tmp_path)


def test_landmarks_turn_and_move_with_the_body():
    joints = STANDING[None].astype(np.float32)
    forward = np.cross(joints[:, 11] - joints[:, 14], [0, 0, 1.0])
    forward /= np.linalg.norm(forward)
    ankles = joints[:, [H36M17.index("left_ankle"), H36M17.index("right_ankle")]]
    toes = (ankles + 0.2 * forward[:, None] - [0, 0, 0.05]).astype(np.float32)
    landmarks = read_bodies(TABLE, "test").landmarks[:1]
    points = landmark_points(joints, toes, landmarks)[0]
    at = dict(zip(BOTH_SIDES, points, strict=True))
    ahead = points @ forward[0] - joints[0, H36M17.index("neck_nose")] @ forward[0]
    named = dict(zip(BOTH_SIDES, ahead, strict=True))
    assert named["nose"] > named["left_eye"] > named["left_ear"]
    assert at["left_heel"][2] < joints[0, H36M17.index("left_ankle"), 2]
    left = (joints[0, 11] - joints[0, 14]) / np.linalg.norm(joints[0, 11] - joints[0, 14])
    assert (at["left_eye"] - at["right_eye"]) @ left > 0.05
    turn = Rotation.from_euler("xyz", (0.3, -0.5, 2.0)).as_matrix()
    moved = landmark_points(joints @ turn.T + 1, toes @ turn.T + 1, landmarks)[0]
    np.testing.assert_allclose(moved, points @ turn.T + 1, atol=1e-5)


def test_places_in_frames_come_back():
    generator = np.random.default_rng(0)
    joints = generator.normal(size=(20, 17, 3)).astype(np.float32)
    toes = generator.normal(size=(20, 3)).astype(np.float32)
    points = generator.normal(size=(20, 4, 3)).astype(np.float32)
    for frames in (head_frames(joints), *(foot_frames(joints, toes, s) for s in ("left", "right"))):
        np.testing.assert_allclose(
            frames[1] @ frames[1].swapaxes(1, 2), np.tile(np.eye(3), (20, 1, 1)), atol=1e-5
        )
        np.testing.assert_allclose(np.linalg.det(frames[1]), 1, atol=1e-5)
        np.testing.assert_allclose(
            placed(*frames, local_places(*frames, points)), points, atol=1e-4
        )
    with pytest.raises(InputError, match="side is 'both'"):
        foot_frames(joints, toes, "both")
