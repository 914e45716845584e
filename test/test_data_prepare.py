"""`erd data prepare`: from a data set's files to what training reads."""

from dataclasses import replace

import numpy as np
import pytest
from test_mocap_asf_amc import write_amc, write_asf
from test_mocap_bvh import write_rig
from tiny_datasets import people, write_cameras, write_human36m, write_humaneva, write_mpi_inf_3dhp

from erd_ros.cli import main
from erd_ros.commands import data as command
from erd_ros.errors import InputError
from erd_ros.mocap import Clip, read_clips, read_mocap
from erd_ros.mocap.prepare import SOURCES, at_rate
from erd_ros.mocap.proportions import lies, odd_motion
from erd_ros.mocap.splits import PROTOCOLS, subject_splits
from erd_ros.skeleton import H36M17


def prepared(tmp_path, capsys, *words):
    """Run the command on ``data`` in tmp_path; the clips it wrote and what it printed."""
    out = tmp_path / "out" / "mine.npz"
    code = main(["data", "prepare", *map(str, words), "--out", str(out)])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return read_clips(out), printed.out


def refused(capsys, *words):
    """What the command says of words that it cannot carry out."""
    assert main(["data", *map(str, words)]) == 1
    return capsys.readouterr().err.splitlines()[-1]


def test_human36m_by_its_first_protocol(tmp_path, capsys):
    truth = write_human36m(tmp_path, ("S1", "S5", "S6", "S7", "S8", "S9", "S11"))
    write_cameras(tmp_path / "cameras.json", tuple({subject for subject, _ in truth}))
    clips, printed = prepared(
        tmp_path, capsys, tmp_path, "--source", "human36m", "--splits", "protocol-1", "--val", "S8",
        "--detections", tmp_path / "data_2d_h36m_test.npz", "--cameras", tmp_path / "cameras.json",
    )  # fmt: skip
    splits = {split: {c.subject for c in clips if c.split == split} for split in ("val", "test")}
    assert splits == {"val": {"S8"}, "test": {"S9", "S11"}}
    for clip in clips:
        positions, keypoints = truth[tuple(clip.name.split("/"))]
        np.testing.assert_allclose(clip.positions_in_world, positions[::2], atol=1e-6)
        np.testing.assert_allclose(clip.keypoints, keypoints[::2], rtol=1e-6)
        assert clip.frames_per_second == 25
        assert len(clip.cameras.names) == 4
    assert "21 clips; train 120 frames of S1, S5, S6, S7; val 30 frames of S8; test 60" in printed
    mocap = read_mocap(tmp_path / "out", ["mine"], "test")
    assert mocap.subjects == ("S11", "S9")
    assert mocap.actions == ("Directions", "WalkTogether")
    assert np.bincount(mocap.action).tolist() == [40, 20]


def test_humaneva_by_its_own_split(tmp_path, capsys):
    write_humaneva(tmp_path)
    clips, printed = prepared(tmp_path, capsys, tmp_path, "--source", "humaneva", "--fps", "60")
    assert {(c.split, c.subject) for c in clips} == {
        (split, subject) for split in ("train", "test") for subject in ("S1", "S2")
    }
    assert printed.endswith("without spine, neck_nose\n")


def test_spine_and_neck_midway_where_there_are_none(tmp_path, capsys):
    """With --derive HumanEva's 15 joints are 17, and can be trained on."""
    write_humaneva(tmp_path)
    clips, printed = prepared(tmp_path, capsys, tmp_path, "--source", "humaneva", "--derive")
    assert "without" not in printed
    index = H36M17.index
    for clip in clips:
        joints = clip.positions_in_world
        for joint, ends in {
            "spine": ("pelvis", "thorax"),
            "neck_nose": ("thorax", "head_top"),
        }.items():
            midway = (joints[:, index(ends[0])] + joints[:, index(ends[1])]) / 2
            np.testing.assert_allclose(joints[:, index(joint)], midway, atol=1e-6)


def test_the_others_by_the_subjects_named(tmp_path, capsys):
    for subject in ("07", "08", "09"):
        write_asf(tmp_path / "cmu" / subject / f"{subject}.asf")
        write_amc(tmp_path / "cmu" / subject / f"{subject}_01.amc", frames=49)
        write_rig(tmp_path / "bvh" / f"P{subject}" / "walk.bvh", frames=5, frame_time=0.02)
    write_mpi_inf_3dhp(tmp_path / "mpi", "S1", "Seq1", frames=4)
    write_mpi_inf_3dhp(tmp_path / "mpi", "S8", "Seq1", frames=4)
    clips, _ = prepared(
        tmp_path, capsys, tmp_path / "cmu", "--source", "asf-amc", "--val", "08", "--test", "09"
    )
    assert [(c.name, c.split) for c in clips] == [
        ("07_01", "train"), ("08_01", "val"), ("09_01", "test"),
    ]  # fmt: skip
    assert {len(c.positions_in_world) for c in clips} == {11}  # 0.4 s from the first frame on
    (tmp_path / "who.yaml").write_text("train: [P07, P08]\ntest: [P09]\n")
    clips, _ = prepared(
        tmp_path, capsys, tmp_path / "bvh", "--source", "bvh", "--splits", tmp_path / "who.yaml"
    )
    assert [c.split for c in clips] == ["train", "train", "test"]
    assert {len(c.positions_in_world) for c in clips} == {3}
    clips, _ = prepared(
        tmp_path, capsys, tmp_path / "mpi", "--source", "mpi-inf-3dhp", "--test", "S8"
    )
    assert [(c.name, c.split) for c in clips] == [("S1_Seq1", "train"), ("S8_Seq1", "test")]


def test_words_that_do_not_go_together(tmp_path, capsys):
    write_rig(tmp_path / "P1" / "a.bvh")
    out = ("--out", tmp_path / "out.npz")
    bvh = ("prepare", tmp_path, "--source", "bvh")
    assert "does not say who tests" in refused(capsys, *bvh, *out)
    assert "--detections means nothing to --source bvh, which takes --actions" in refused(
        capsys, *bvh, *out, "--test", "P1", "--detections", "x.npz"
    )
    assert "no clip of P2; the clips are of P1" in refused(capsys, *bvh, *out, "--test", "P2")
    assert "--val and --test: P1 is in val and in test" in refused(
        capsys, *bvh, *out, "--val", "P1", "--test", "P1"
    )
    assert "expected a name that ends in .npz" in refused(
        capsys, *bvh, "--test", "P1", "--out", tmp_path / "out.npy"
    )
    assert (
        "--fps is 50, expected more than 0 and at most the 25 frames per second of 'a'"
        in refused(capsys, *bvh, *out, "--test", "P1", "--fps", "50")
    )
    assert "--splits is 'protocol-3', expected a YAML file or one of protocol-1" in refused(
        capsys, *bvh, *out, "--splits", "protocol-3"
    )
    (tmp_path / "who.yaml").write_text("train: P1\n")
    assert "'train' is 'P1', expected lists of subjects" in refused(
        capsys, *bvh, *out, "--splits", tmp_path / "who.yaml"
    )
    (tmp_path / "who.yaml").write_text("train: [P0]\n")
    assert "no clip of P0" in refused(capsys, *bvh, *out, "--splits", tmp_path / "who.yaml")
    write_rig(tmp_path / "P0" / "b.bvh")
    assert "'a' is of subject P1, who is in no split" in refused(
        capsys, *bvh, *out, "--splits", tmp_path / "who.yaml"
    )
    assert "--cameras means nothing" in refused(
        capsys, *bvh, *out, "--test", "P1", "--cameras", "x.json"
    )
    assert not (tmp_path / "out.npz").exists()


def test_protocols_are_abs_pose_lifters():
    """AbsPoseLifter 4.1: subjects 1, 5, 6, 7, 8 against 9, 11; 1, 5, 6, 7, 8, 9 against 11."""
    first, second = (subject_splits(name, (), ()) for name in PROTOCOLS)
    assert {s for s, split in first.items() if split == "test"} == {"S9", "S11"}
    assert {s for s, split in second.items() if split == "test"} == {"S11"}
    assert set(first) == set(second) == {f"S{n}" for n in (1, 5, 6, 7, 8, 9, 11)}


@pytest.mark.parametrize("rate", [120.0, 119.88, 60.0, 30.0, 25.0, 24.9])
def test_frames_are_chosen_where_the_time_is_nearest(rate):
    positions = people(101).astype(np.float32)
    clip = Clip("a", "S1", "", "train", positions, rate)
    slow = at_rate(clip, 25.0)
    times = np.arange(len(slow.positions_in_world)) / 25
    if rate < 25:
        times *= 25 / rate
    nearest = np.abs(np.arange(101) / rate - times[:, None]).argmin(1)
    difference = np.abs(slow.positions_in_world - positions[nearest]).max((1, 2))
    assert (difference == 0).mean() > 0.95  # halfway between two either is the nearest
    assert 101 / rate - 1 / 25 - 1 / rate < times[-1] <= 100 / rate + 1e-9


@pytest.mark.parametrize("rate", [0.0, -25.0, float("nan"), 40.0])
def test_frame_rates_that_cannot_be(rate):
    clip = Clip("a", "S1", "", "train", people(5).astype(np.float32), 30.0)
    with pytest.raises(InputError, match="--fps"):
        at_rate(clip, rate)


def test_interpolated_frames_are_where_people_were():
    """30 to 25 Hz: by the nearest frame a wrist errs by centimetres, on the curve by under 1 mm."""

    def swing(times):  # a wrist at up to 6 m/s
        positions = people(len(times), 1) * 0
        positions[:, 13, 0] = 0.6 * np.sin(10 * times)
        return positions.astype(np.float32)

    clip = Clip("a", "S1", "", "train", swing(np.arange(300) / 30), 30.0)
    error = {}
    for interpolate in (False, True):
        slow = at_rate(clip, 25.0, interpolate).positions_in_world
        difference = slow - swing(np.arange(len(slow)) / 25)
        error[interpolate] = np.percentile(np.linalg.norm(difference[:, 13], axis=-1), 99)
    assert error[False] > 0.05
    assert error[True] < 0.001
    clip.positions_in_world[3, 13] = np.nan
    slow = at_rate(clip, 25.0, True).positions_in_world[:, 13, 0]
    assert np.flatnonzero(np.isnan(slow)).tolist() == [2, 3]  # frames 2.4 and 3.6


def test_interpolation_takes_frames_that_are_there_as_they_are():
    clip = Clip("a", "S1", "", "train", people(9).astype(np.float32), 50.0)
    np.testing.assert_array_equal(
        at_rate(clip, 25.0, True).positions_in_world, clip.positions_in_world[::2]
    )


def test_bad_files_are_skipped_where_asked(tmp_path, capsys, caplog):
    for subject in ("P1", "P2"):
        write_rig(tmp_path / subject / f"{subject}_a.bvh")
    (tmp_path / "P1" / "broken.bvh").write_text("HIERARCHY\nROOT Hips\n{\n")
    words = ("prepare", tmp_path, "--source", "bvh", "--test", "P2", "--out", tmp_path / "a.npz")
    message = refused(capsys, *words)
    assert "broken.bvh, line 3: the file ends here, expected 'OFFSET'" in message
    assert "--skip-bad goes on without" in message
    clips, _ = prepared(tmp_path, capsys, *words[1:6], "--skip-bad")
    assert [clip.name for clip in clips] == ["P1_a", "P2_a"]
    assert "broken.bvh, line 3: the file ends here" in caplog.text
    assert "1 of 3 clips are skipped" in caplog.text
    for path in tmp_path.rglob("P*_a.bvh"):
        path.unlink()
    assert "none of the 1 clips can be read" in refused(capsys, *words, "--skip-bad")


def test_motion_that_nobody_makes_is_remarked(tmp_path, capsys, caplog):
    frames = people(30).astype(np.float32)
    clip = Clip("a", "S1", "", "train", frames, 25.0)
    assert odd_motion(clip) == ()
    assert not lies(clip)
    frames[20, 13, 0] += 0.7
    (fast,) = odd_motion(clip)
    assert "a wrist faster than 15 m/s" in fast
    assert "after frame 19" in fast or "after frame 20" in fast
    frames[..., 2] *= -1
    assert "the head upside down in most frames" in odd_motion(clip)[1]
    lying = replace(clip, positions_in_world=frames[..., [0, 2, 1]])
    assert lies(lying)
    write_rig(tmp_path / "P1" / "a.bvh")
    prepared(tmp_path, capsys, tmp_path, "--source", "bvh", "--test", "P1")
    assert "a: a wrist faster than 15 m/s" in caplog.text


def test_the_command_knows_every_source():
    import argparse

    parser = argparse.ArgumentParser()
    command._add_prepare(parser)
    (source,) = (action for action in parser._actions if action.dest == "source")
    assert set(source.choices) == set(SOURCES)
