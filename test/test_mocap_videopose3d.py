"""Human3.6M and HumanEva-I in VideoPose3D's processed form."""

import numpy as np
import pytest
from tiny_datasets import (
    H36M_SIDES,
    people,
    write_cameras,
    write_human36m,
    write_humaneva,
)

from erd_ros.errors import InputError
from erd_ros.mocap.human36m import human36m_clips
from erd_ros.mocap.humaneva import humaneva_clips
from erd_ros.mocap.options import ReaderOptions
from erd_ros.mocap.videopose3d import read_keypoints
from erd_ros.skeleton import COCO17, H36M17


def test_human36m_is_its_17_joints_with_keypoints_and_cameras(tmp_path):
    truth = write_human36m(tmp_path)
    calibration = write_cameras(tmp_path / "cameras.json")
    options = ReaderOptions(
        detections=tmp_path / "data_2d_h36m_test.npz", cameras=tmp_path / "cameras.json"
    )
    count, clips = human36m_clips(tmp_path, options)
    clips = {clip.name: clip for clip in clips}
    assert count == len(clips) == len(truth)
    for (subject, name), (positions, keypoints) in truth.items():
        clip = clips[f"{subject}/{name}"]
        assert (clip.subject, clip.split, clip.frames_per_second) == (subject, "", 50)
        assert clip.action == {"D": "Directions", "W": "WalkTogether"}[name[0]]
        np.testing.assert_allclose(clip.positions_in_world, positions, atol=1e-6)
        np.testing.assert_allclose(clip.keypoints, keypoints, rtol=1e-6)
        assert clip.cameras.names == ("54138969", "55011271", "58860488", "60457274")
        third = calibration["extrinsics"][subject]["58860488"]
        np.testing.assert_allclose(clip.cameras.rotation_world_to_camera[2], third["R"])
        np.testing.assert_allclose(1000 * clip.cameras.translation[2], third["t_mm"])
        lens = calibration["intrinsics"]["58860488"]
        expected = [lens[key] for key in ("k1", "k2", "p1", "p2", "k3")]
        np.testing.assert_allclose(clip.cameras.distortion[2], expected)
        assert clip.cameras.intrinsics[2][0, 2] == lens["cx"]
        assert clip.cameras.intrinsics[2][1, 1] == lens["fy"]


def test_human36m_without_more_is_positions_alone(tmp_path):
    write_human36m(tmp_path)
    _, clips = human36m_clips(tmp_path / "data_3d_h36m.npz", ReaderOptions())
    clip = next(clips)
    assert clip.keypoints is None
    assert clip.cameras is None


def test_humaneva_keeps_its_split_and_lacks_spine_and_neck(tmp_path):
    truth = write_humaneva(tmp_path)
    count, clips = humaneva_clips(tmp_path, ReaderOptions())
    clips = {clip.name: clip for clip in clips}
    assert count == len(clips) == len(truth)
    missing = [H36M17.index("spine"), H36M17.index("neck_nose")]
    for (part, name), positions in truth.items():
        clip = clips[f"{part}/{name}"]
        assert clip.split == {"Train": "train", "Validate": "test"}[part.partition("/")[0]]
        assert clip.subject == part.partition("/")[2]
        assert clip.action == name.split()[0]
        assert clip.frames_per_second == 60
        assert np.isnan(clip.positions_in_world[:, missing]).all()
        others = np.delete(np.arange(17), missing)
        np.testing.assert_allclose(
            clip.positions_in_world[:, others], positions[:, others], atol=1e-6
        )


def write_keypoints(path, keypoints, sides, layout):
    metadata = {"layout_name": layout, "num_joints": 17, "keypoints_symmetry": sides}
    np.savez(path, positions_2d={"S1": {"Walk": keypoints}}, metadata=metadata)


def test_keypoints_of_coco_fill_the_joints_they_have(tmp_path):
    sides = [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]
    keypoints = np.random.default_rng(0).uniform(0, 900, (7, 17, 3)).astype(np.float32)
    write_keypoints(tmp_path / "a.npz", [keypoints], sides, "coco")
    (camera,) = read_keypoints(tmp_path / "a.npz")["S1", "Walk"]
    assert camera.shape == (7, 17, 2)  # the third column is a score
    for name in ("left_ankle", "right_shoulder"):
        np.testing.assert_array_equal(
            camera[:, H36M17.index(name)], keypoints[:, COCO17.index(name), :2]
        )
    for name in ("pelvis", "spine", "thorax", "neck_nose", "head_top"):
        assert np.isnan(camera[:, H36M17.index(name)]).all()


def test_files_of_other_layouts_are_named(tmp_path):
    path = tmp_path / "data_3d_h36m.npz"
    np.savez(path, positions_3d={"S1": {"Walk": people(4).astype(np.float32)}})
    with pytest.raises(
        InputError, match=r"h36m\.npz: S1, 'Walk' has the shape \(4, 17, 3\), expected \(frames, 32"
    ):
        human36m_clips(path, ReaderOptions())
    np.savez(path, positions_3d={"S1": np.ones(3)})
    with pytest.raises(InputError, match="holds no dictionary of subjects"):
        human36m_clips(path, ReaderOptions())
    np.savez(path, positions_3d={"Trial/S1": {"Walk": np.ones((4, 15, 3))}})
    with pytest.raises(InputError, match="part 'Trial', expected Train or Validate"):
        humaneva_clips(path, ReaderOptions())
    write_keypoints(path, [np.ones((4, 16, 2))], [[3, 4, 5], [0, 1, 2]], "mpii")
    with pytest.raises(InputError, match="layout 'mpii', expected one of h36m17, humaneva15"):
        read_keypoints(path)
    write_keypoints(path, 5, H36M_SIDES, "h36m")
    with pytest.raises(InputError, match="S1, 'Walk' is no list of cameras"):
        read_keypoints(path)
    with pytest.raises(InputError, match=r"nowhere.* does not exist"):
        human36m_clips(tmp_path / "nowhere.npz", ReaderOptions())


def test_detections_and_cameras_that_do_not_belong_are_named(tmp_path):
    write_human36m(tmp_path, frames=20)
    other = tmp_path / "other"
    other.mkdir()
    write_human36m(other, frames=10)
    detections = other / "data_2d_h36m_test.npz"
    with pytest.raises(InputError, match="has 13 frames of keypoints and 20 of poses"):
        next(human36m_clips(tmp_path, ReaderOptions(detections=detections))[1])
    write_human36m(other, subjects=("S5",))
    with pytest.raises(InputError, match=r"test\.npz has no keypoints of S1, 'Directions'"):
        next(human36m_clips(tmp_path, ReaderOptions(detections=detections))[1])
    write_cameras(tmp_path / "cameras.json", subjects=("S5", "S9"))
    with pytest.raises(InputError, match="has no cameras of S1; it has those of S5, S9"):
        next(human36m_clips(tmp_path, ReaderOptions(cameras=tmp_path / "cameras.json"))[1])
    (tmp_path / "cameras.json").write_text('{"intrinsics": {}, "extrinsics": {"S1": {"a": {}}}}')
    with pytest.raises(InputError, match=r"cameras\.json lacks 'R'; expected 'intrinsics'"):
        human36m_clips(tmp_path, ReaderOptions(cameras=tmp_path / "cameras.json"))
    (tmp_path / "cameras.json").write_text("{")
    with pytest.raises(InputError, match=r"cameras\.json is no JSON"):
        human36m_clips(tmp_path, ReaderOptions(cameras=tmp_path / "cameras.json"))
