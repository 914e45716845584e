"""Calibrations that no camera has are refused with their number; those of real cameras are not."""

import json

import numpy as np
import pytest

from erd_ros.demo.calibration import camera_from_field_of_view, camera_from_file
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.geometry.camera_check import check_plausible


def camera(fx=600.0, fy=600.0, cx=320.0, cy=240.0, d=(), model="plumb_bob", size=(640, 480)):
    return Camera(*size, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), d, model)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (camera(0.94, 1.25, 0.5, 0.5), r"0.94 and 1.25, expected 25.6 to 38400 pixels.*fractions"),
        (camera(4.2, 4.2, 2.4, 1.8), r"4.2 and 4.2, expected 25.6.*millimetres"),
        (camera(cx=0.0, cy=0.0), r"\(0, 0\), expected near \(320, 240\)"),
        (camera(cx=0.0), r"\(0, 240\), expected near"),
        (camera(fy=6000.0), "600 and 6000 pixels, expected a ratio of 3"),
        (camera(1200, 1200, 640, 480), "about 1280x960 and not an image of 640x480"),
        (camera(300, 300, 160, 120), "about 320x240 and not"),
        (camera(1800, 1800, 960, 540), "about 1920x1080 and not"),
        (camera(480, 480, 240, 180), "about 480x360 and not"),
        (camera(900, 900, 640, 360, size=(1920, 1080)), "about 1280x720 and not"),
        (camera(d=(300.0, -200, 0, 0)), r"D = \[300.0, -200.0.*factor of .*expected 0.75 to 4"),
        (camera(d=(1e300, 0, 0, 0)), "expected 0.75 to 4"),
        (camera(d=(0.0, 1e298, 0, 0)), "expected 0.75 to 4"),
        (camera(d=(300.0, 0, 0, 0)), "expected 0.75 to 4"),
        (camera(d=(-300.0, 200, 0, 0)), r"D = \[-300.0.*factor of nan"),
        (camera(d=(0.1, 0, 150.0, 0, 0)), r"150.0.*expected 0.75 to 4"),
        (camera(d=(-200.0, 0, 0, 0), model="equidistant"), r"-200.0.*factor of nan"),
    ],
)
def test_what_no_camera_has_is_refused_with_its_number(wrong, said):
    with pytest.raises(InputError, match=said) as error:
        check_plausible(wrong)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "right",
    [
        camera(),
        camera(9000, 9000, 310, 251),  # telephoto, 4 degrees
        camera(36000, 36000),  # 1 degree
        camera(60, 60),  # 159 degrees
        camera(195, 195, 320, 235, (-0.01, 0.02, -0.008, 0.001), "equidistant"),  # 190 degrees
        camera(125, 125, 320, 240, (0, 0, 0, 0), "equidistant"),  # its circle fills the height
        camera(280, 281, 300, 260, (-0.35, 0.15, 0.001, -0.0005, -0.03)),
        camera(620, 310),  # fields of half the height
        camera(cx=320, cy=20),  # the lower part of a larger image, without a ROI
        camera(cx=100, cy=400),  # a corner of it
        camera(350, 350, 315, 205),
        # OAK-D's own kind: a rational function of large terms that nearly cancel.
        camera(800, 800, d=(10.2, -117.6, 7e-4, -6e-4, 400.1, 10.0, -116.5, 396.4)),
        camera(d=(8.2, 4.5, 5e-4, -3e-4, 0.2, 8.6, 7.1, 1.1)),  # Azure Kinect's
        camera_from_field_of_view(768, 432, 5),
        camera_from_field_of_view(432, 768, 160),
    ],
)
def test_what_real_cameras_have_is_taken(right):
    check_plausible(right)


def test_calibrations_of_data_sets_are_taken(shared_data):
    calibration = json.loads((shared_data / "human36m_cameras.json").read_text())
    for one in calibration["intrinsics"].values():
        d = tuple(one[key] for key in ("k1", "k2", "p1", "p2", "k3"))
        check_plausible(camera(one["fx"], one["fy"], one["cx"], one["cy"], d, size=(1000, 1002)))


def test_a_file_of_another_resolution_is_refused(tmp_path):
    path = tmp_path / "camera.yaml"
    path.write_text(
        "image_width: 640\nimage_height: 480\ndistortion_model: plumb_bob\n"
        "camera_matrix: {rows: 3, cols: 3, data: [1200, 0, 640, 0, 1200, 480, 0, 0, 1]}\n"
        "distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}\n"
    )
    with pytest.raises(InputError, match="about 1280x960"):
        camera_from_file(path)
