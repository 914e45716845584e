"""MPI-INF-3DHP's annotations and calibrations."""

import numpy as np
import pytest
import scipy.io
from tiny_datasets import write_mpi_inf_3dhp

from erd_ros.errors import InputError
from erd_ros.mocap.mpi_inf_3dhp import mpi_inf_3dhp_clips, read_calibration
from erd_ros.mocap.options import ReaderOptions

# Camera 0 of S1/Seq1 as the data set states it: 1.5 m above the floor, level, y up in the world.
CAMERA_0 = """Skeletool Camera Calibration File V1.0
name          0
  sensor      10 10
  size        2048 2048
  animated    0
  intrinsic   1497.693 0 1024.704 0 0 1497.103 1051.394 0 0 0 1 0 0 0 0 1
  extrinsic   0.9650164 0.00488022 0.262144 -562.8666 -0.004488356 -0.9993728 0.0351275 1398.138 \
0.262151 -0.03507521 -0.9643893 3852.623 0 0 0 1
  radial      0
"""


@pytest.mark.parametrize("first_camera", [0, 2])
def test_positions_are_in_the_world_whatever_the_camera(tmp_path, first_camera):
    joints, extrinsics = write_mpi_inf_3dhp(tmp_path, first_camera=first_camera)
    count, clips = mpi_inf_3dhp_clips(tmp_path, ReaderOptions())
    (clip,) = clips
    assert count == 1
    assert (clip.name, clip.subject, clip.action) == ("S3_Seq2", "S3", "Seq2")
    assert clip.frames_per_second == 50
    x, y, z = joints.transpose(2, 0, 1)
    np.testing.assert_allclose(clip.positions_in_world, np.stack([x, -z, y], -1), atol=1e-5)
    for camera, extrinsic in enumerate(extrinsics):
        in_camera = joints[0] @ extrinsic[:3, :3].T + extrinsic[:3, 3] / 1000
        turn = clip.cameras.rotation_world_to_camera[camera]
        ours = clip.positions_in_world[0] @ turn.T + clip.cameras.translation[camera]
        np.testing.assert_allclose(ours, in_camera, atol=1e-5)
        assert clip.cameras.intrinsics[camera][0, 0] == 1497 + camera


def test_frame_rates_are_the_data_sets(tmp_path):
    write_mpi_inf_3dhp(tmp_path, "S1", "Seq1")
    write_mpi_inf_3dhp(tmp_path, "S1", "Seq2")
    _, clips = mpi_inf_3dhp_clips(tmp_path, ReaderOptions())
    assert {clip.name: clip.frames_per_second for clip in clips} == {"S1_Seq1": 25, "S1_Seq2": 50}


def test_a_camera_of_the_data_set_stands_on_the_floor(tmp_path):
    (tmp_path / "camera.calibration").write_text(CAMERA_0)
    cameras = read_calibration(tmp_path / "camera.calibration")
    turn, move = cameras.rotation_world_to_camera[0], cameras.translation[0]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(turn) == pytest.approx(1, abs=1e-5)
    centre = -turn.T @ move
    assert centre[2] == pytest.approx(1.535, abs=0.01)
    assert turn[1] @ [0, 0, 1] < -0.99  # the image's down is the world's down


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("V1.0", "V2.0", 1, "expected 'Skeletool Camera Calibration File V1.0'"),
        ("  sensor", "  lens", 3, "'lens', expected 'sensor'"),
        ("animated    0", "animated    1", 5, "expected one that stands"),
        ("1497.693 0", "1497.693", 6, "'intrinsic' has 15 numbers, expected 16"),
        ("-562.8666", "inf", 7, "expected 16 finite ones"),
        ("radial      0", "radial      1 0.1", 8, "have radial distortion"),
        ("  radial      0\n", "", 7, "the file ends here, expected 'radial'"),
        (CAMERA_0[39:], "", 1, "the file ends without a camera"),
    ],
)
def test_a_broken_calibration_is_named(tmp_path, old, new, line, message):
    path = tmp_path / "camera.calibration"
    assert old in CAMERA_0
    path.write_text(CAMERA_0.replace(old, new, 1))
    with pytest.raises(InputError, match=rf"camera\.calibration, line {line}: ") as caught:
        read_calibration(path)
    assert message in str(caught.value)


def test_broken_annotations_are_named(tmp_path):
    write_mpi_inf_3dhp(tmp_path)
    path = tmp_path / "S3" / "Seq2" / "annot.mat"

    def error():
        with pytest.raises(InputError, match=r"annot\.mat") as caught:
            list(mpi_inf_3dhp_clips(tmp_path, ReaderOptions())[1])
        return str(caught.value)

    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "cannot be read" in error()
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + whole)
    assert "save it again with '-v7'" in error()
    cells = np.empty((1, 1), object)
    cells[0, 0] = np.ones((5, 51))
    scipy.io.savemat(path, {"annot3": cells, "cameras": np.zeros((1, 1))})
    assert "expected annot3, cells of (frames, 84) numbers" in error()
    cells[0, 0] = np.full((5, 84), np.nan)
    scipy.io.savemat(path, {"annot3": cells, "cameras": np.zeros((1, 1))})
    assert "numbers that are not finite" in error()
    cells[0, 0] = np.ones((5, 84))
    scipy.io.savemat(path, {"annot3": cells, "cameras": np.full((1, 1), 7)})
    assert "annotated in camera 7, which the calibration lacks" in error()
    scipy.io.savemat(path, {"annot2": cells})
    assert "cannot be read: 'annot3'" in error()


def test_folders_that_hold_something_else_are_named(tmp_path):
    with pytest.raises(InputError, match=r"holds none that ends in \.mat"):
        mpi_inf_3dhp_clips(tmp_path, ReaderOptions())
    write_mpi_inf_3dhp(tmp_path, "TS1", "Seq1")
    with pytest.raises(InputError, match=r"lies in TS1/Seq1, expected S<number>/Seq<number>"):
        next(mpi_inf_3dhp_clips(tmp_path, ReaderOptions())[1])
