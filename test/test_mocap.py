"""The record of a clip, its file, the frames of a split, and the layouts of data sets."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_datasets import HUMANEVA_ORDER, MPI_ORDER, any_turn, people

from erd_ros.errors import InputError
from erd_ros.mocap import Cameras, Clip, read_clips, read_mocap, write_clips
from erd_ros.mocap.clip import measured_joints, turned_up
from erd_ros.skeleton import H36M17, HUMANEVA15, MPI_INF_3DHP28, conversion_matrix


def cameras(seed=0):
    generator = np.random.default_rng(seed)
    return Cameras(
        ("a", "b"),
        np.stack([any_turn(seed), any_turn(seed + 1)]),
        generator.normal(size=(2, 3)),
        generator.normal(size=(2, 3, 3)),
        generator.normal(size=(2, 5)),
    )


def clip(name="walk", subject="S1", action="Walking", split="train", frames=6, seed=0):
    keypoints = np.random.default_rng(seed).uniform(0, 900, (frames, 2, 17, 2))
    return Clip(
        name, subject, action, split, people(frames, seed).astype(np.float32), 25.0,
        keypoints.astype(np.float32), cameras(seed),
    )  # fmt: skip


def three_clips():
    return [
        clip("a", "S1", "Walking", "train", 6, 0),
        clip("b", "S2", "Sitting", "train", 4, 1),
        clip("c", "S9", "Walking", "test", 5, 2),
    ]


def test_what_is_written_is_read(tmp_path):
    clips = three_clips()
    clips[1].positions_in_world[2, 5] = np.nan
    clips[1].keypoints[0, 1] = np.nan
    write_clips(tmp_path / "new" / "mine.npz", clips, "a test")
    back = read_clips(tmp_path / "new" / "mine.npz")
    assert len(back) == 3
    for one, other in zip(back, clips, strict=True):
        for name in ("name", "subject", "action", "split", "frames_per_second"):
            assert getattr(one, name) == getattr(other, name)
        np.testing.assert_array_equal(one.positions_in_world, other.positions_in_world)
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
        assert one.cameras.names == other.cameras.names
        for name in ("rotation_world_to_camera", "translation", "intrinsics", "distortion"):
            np.testing.assert_array_equal(getattr(one.cameras, name), getattr(other.cameras, name))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.npz"]


def test_clips_without_keypoints_and_cameras_stay_without(tmp_path):
    bare = [replace(each, keypoints=None, cameras=None) for each in three_clips()]
    write_clips(tmp_path / "mine.npz", bare, "a test")
    assert all(c.keypoints is None and c.cameras is None for c in read_clips(tmp_path / "mine.npz"))


def test_frames_know_their_clip_subject_and_action(tmp_path):
    clips = three_clips()
    write_clips(tmp_path / "mine.npz", clips, "a test")
    write_clips(tmp_path / "other.npz", [clip("d", "X", "Waving", "train", 3, 5)], "a test")
    mocap = read_mocap(tmp_path, ["mine", "other"], "train")
    assert len(mocap) == 6 + 4 + 3
    expected = [clips[0], clips[1], clip("d", "X", "Waving", "train", 3, 5)]
    np.testing.assert_array_equal(
        mocap.positions_in_world, np.concatenate([c.positions_in_world for c in expected])
    )
    repeated = [c for c in expected for _ in c.positions_in_world]
    assert [mocap.subjects[i] for i in mocap.subject] == [c.subject for c in repeated]
    assert [mocap.actions[i] for i in mocap.action] == [c.action for c in repeated]
    assert [mocap.sources[i] for i in mocap.source] == ["mine"] * 10 + ["other"] * 3
    assert mocap.clip.tolist() == [0] * 6 + [1] * 4 + [3] * 3
    assert (mocap.subjects, mocap.actions) == (("S1", "S2", "X"), ("Sitting", "Walking", "Waving"))
    assert read_mocap(tmp_path, ["mine"], "test").actions == ("Walking",)


def test_real_motion_capture_states_its_actions(shared_data):
    mocap = read_mocap(shared_data, ["cmu", "accad", "mhad", "uiprmd"], "train")
    assert len(mocap) == 175_416  # as the data's README counts them
    assert len(mocap.subjects) == 31
    assert {"jumping in place", "deep squat", "Walk to Run | Subject #127 (Action Adventure "
            "Obstacles, running, jumping, ducking, rolling)"} <= set(mocap.actions)  # fmt: skip
    assert "" not in mocap.actions
    # A clip is of one subject, one action and one source.
    for index in (mocap.subject, mocap.action, mocap.source):
        assert len(set(zip(mocap.clip, index, strict=True))) == len(np.unique(mocap.clip))
    mhad = mocap.source == 2
    actions = {mocap.actions[i] for i in np.unique(mocap.action[mhad])}
    assert "sit down" in actions
    assert "deep squat" not in actions


def test_real_clips_are_read(shared_data):
    clips = read_clips(shared_data / "accad.npz")
    assert len(clips) == 298
    assert (clips[0].name, clips[0].subject) == ("Female1_A01_Stand", "accad_female1")
    assert sum(len(c.positions_in_world) for c in clips) == 44_085
    assert {c.frames_per_second for c in clips} == {25}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions_in_world": np.ones((4, 16, 3), np.float32)}, r"shape \(4, 16, 3\), expected"),
        ({"positions_in_world": np.ones((0, 17, 3), np.float32)}, "expected at least one frame"),
        ({"frames_per_second": 0.0}, "0.0 frames per second, expected more than 0"),
        ({"keypoints": np.ones((6, 3, 17, 2), np.float32)}, r"expected \(6, 2, 17, 2\)"),
        ({"keypoints": np.ones((5, 2, 17, 2), np.float32)}, r"expected \(6, 2, 17, 2\)"),
    ],
)
def test_clips_that_contradict_themselves(change, message):
    with pytest.raises(InputError, match=message):
        replace(clip(), **change)


def test_cameras_that_contradict_themselves():
    with pytest.raises(InputError, match=r"translation of 2 cameras has the shape \(3,\)"):
        replace(cameras(), translation=np.zeros(3))


def test_clips_that_do_not_go_together(tmp_path):
    path = tmp_path / "mine.npz"
    with pytest.raises(InputError, match="clips of 0 frame rates"):
        write_clips(path, [], "a test")
    one, other = clip(), clip("other")
    with pytest.raises(InputError, match=r"2 frame rates, expected one: 25.0, 50.0"):
        write_clips(path, [one, replace(other, frames_per_second=50.0)], "a test")
    with pytest.raises(InputError, match="1 of 2 clips have keypoints, of"):
        write_clips(path, [one, replace(other, keypoints=None)], "a test")
    with pytest.raises(InputError, match="1 of 2 clips have cameras"):
        write_clips(path, [one, replace(other, cameras=None)], "a test")
    assert not path.exists()
    path.mkdir()
    with pytest.raises(InputError, match=r"mine\.npz cannot be written"):
        write_clips(path, [one], "a test")


def test_a_file_that_lacks_an_array(tmp_path):
    write_clips(tmp_path / "mine.npz", three_clips(), "a test")
    with np.load(tmp_path / "mine.npz") as archive:
        arrays = dict(archive)
    for name in ("clip_id", "clip_subject", "clip_split", "positions"):
        np.savez(tmp_path / "less.npz", **{k: v for k, v in arrays.items() if k != name})
        with pytest.raises(InputError, match=rf"less\.npz lacks or contradicts '{name}'"):
            read_mocap(tmp_path, ["less"], "train")
        with pytest.raises(InputError, match=r"less\.npz lacks or contradicts"):
            read_clips(tmp_path / "less.npz")
    del arrays["clip_action"]  # older files are without
    np.savez(tmp_path / "older.npz", **arrays)
    assert read_mocap(tmp_path, ["older"], "train").actions == ("",)


@pytest.mark.parametrize(
    ("layout", "published"), [(HUMANEVA15, HUMANEVA_ORDER), (MPI_INF_3DHP28, MPI_ORDER)]
)
def test_layouts_of_data_sets_stand_in_the_published_order(layout, published):
    assert layout.joint_names == tuple(published.split())
    assert layout.parents.count(-1) == 1
    assert len(layout.bones) == len(layout) - 1
    flip = layout.flip
    for joint, parent in enumerate(layout.parents):
        mirrored = -1 if parent == -1 else flip[parent]
        assert layout.parents[flip[joint]] == mirrored
    matrix = conversion_matrix(layout, H36M17)
    np.testing.assert_array_equal(matrix[np.ix_(H36M17.flip, flip)], matrix)


@pytest.mark.parametrize(
    ("layout", "missing", "renamed"),
    [
        (HUMANEVA15, {"spine", "neck_nose"}, {}),
        (MPI_INF_3DHP28, set(), {"thorax": "neck", "neck_nose": "head"}),
    ],
)
def test_only_what_a_data_set_measures_is_taken_from_it(layout, missing, renamed):
    points = np.random.default_rng(0).normal(size=(4, len(layout), 3))
    chosen = measured_joints(points, layout)
    for joint, name in enumerate(H36M17.joint_names):
        if name in missing:
            assert np.isnan(chosen[:, joint]).all()
        else:
            theirs = layout.index(renamed.get(name, name))
            np.testing.assert_allclose(chosen[:, joint], points[:, theirs], rtol=1e-6)


def test_y_up_becomes_z_up_and_hands_stay():
    axes = np.eye(3)
    turned = turned_up(axes, "y")
    np.testing.assert_array_equal(turned[1], [0, 0, 1])
    assert np.linalg.det(turned) == pytest.approx(1)
    np.testing.assert_array_equal(turned_up(axes, "z"), axes)
    with pytest.raises(InputError, match="the up axis is 'x', expected y or z"):
        turned_up(axes, "x")
