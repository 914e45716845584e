import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera

DATA = Path(os.environ.get("ERD_DATA", Path(__file__).parents[2] / "shared")) / "data"
K = [[600.0, 0, 321.5], [0, 610.0, 238.25], [0, 0, 1]]
WIDE_K = [[280.0, 0, 321.5], [0, 281.0, 238.25], [0, 0, 1]]

CAMERAS = {
    "pinhole": Camera(640, 480, K),
    "plumb_bob0": Camera(640, 480, K, (), "plumb_bob"),
    "plumb_bob4": Camera(640, 480, K, (0.1, -0.25, 0.001, -0.0005), "plumb_bob"),
    "plumb_bob5": Camera(640, 480, K, (-0.35, 0.15, 0.001, -0.0005, -0.03), "plumb_bob"),
    "rational": Camera(
        640, 480, K, (0.3, -2.6, 5e-4, -3e-4, 1.5, 0.2, -2.4, 1.4), "rational_polynomial"
    ),
    "rational_strong": Camera(
        640, 480, K, (8.2, 4.5, 5e-4, -3e-4, 0.2, 8.6, 7.1, 1.1), "rational_polynomial"
    ),
    "thin_prism": Camera(
        640, 480, K,
        (0.1, -0.25, 1e-3, -5e-4, 0.1, 0.02, -0.03, 0.01, 2e-3, -1e-3, 1.5e-3, 8e-4),
        "rational_polynomial",
    ),
    "tilted": Camera(
        640, 480, K,
        (0.1, -0.25, 1e-3, -5e-4, 0.1, 0.02, -0.03, 0.01, 2e-3, -1e-3, 1.5e-3, 8e-4, 0.03, -0.02),
        "plumb_bob",
    ),
    "equidistant": Camera(640, 480, WIDE_K, (-0.01, 0.02, -0.008, 0.001), "equidistant"),
}  # fmt: skip


@pytest.fixture(params=CAMERAS)
def camera(request):
    return CAMERAS[request.param]


def image_grid(camera, step=20):
    columns = np.arange(0, camera.width, step)
    rows = np.arange(0, camera.height, step)
    return np.stack(np.meshgrid(columns, rows), axis=-1).astype(float)


def distort_by_hand(camera, rays):
    """The models' published formulas, written out: the reference that is not OpenCV."""
    x, y = rays[..., 0], rays[..., 1]
    r2 = x * x + y * y
    d = (*camera.distortion, *(0.0,) * 14)[:14]
    if camera.distortion_model == "equidistant":
        r = np.sqrt(r2)
        theta = np.arctan(r)
        powers = sum(k * theta ** (2 * i + 2) for i, k in enumerate(d[:4]))
        scale = np.divide(theta * (1 + powers), r, out=np.ones_like(r), where=r > 0)
        x, y = x * scale, y * scale
    else:
        k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, about_x, about_y = d
        radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
        x, y = (
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + s1 * r2 + s2 * r2**2,
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + s3 * r2 + s4 * r2**2,
        )
        x, y = on_tilted_sensor(x, y, about_x, about_y)
    k = camera.intrinsics
    return np.stack([k[0, 0] * x + k[0, 2], k[1, 1] * y + k[1, 2]], axis=-1)


def on_tilted_sensor(x, y, about_x, about_y):
    """OpenCV's calib3d, "Detailed Description": the tilt of a Scheimpflug camera's sensor."""
    turn_x = [
        [1, 0, 0],
        [0, np.cos(about_x), np.sin(about_x)],
        [0, -np.sin(about_x), np.cos(about_x)],
    ]
    turn_y = [
        [np.cos(about_y), 0, -np.sin(about_y)],
        [0, 1, 0],
        [np.sin(about_y), 0, np.cos(about_y)],
    ]
    turn = np.array(turn_y) @ np.array(turn_x)
    onto = np.array([[turn[2, 2], 0, -turn[0, 2]], [0, turn[2, 2], -turn[1, 2]], [0, 0, 1]])
    across, down, along = np.moveaxis(
        np.stack([x, y, np.ones_like(x)], -1) @ (onto @ turn).T, -1, 0
    )
    return across / along, down / along


def test_rays_project_back_to_their_pixels(camera):
    pixels = image_grid(camera)
    rays = camera.rays(pixels)
    assert np.isfinite(rays).all()
    np.testing.assert_allclose(distort_by_hand(camera, rays), pixels, atol=1e-3)
    points = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) * 3.7
    np.testing.assert_allclose(camera.project(points), pixels, atol=1e-3)


def test_projection_equals_the_formulas(camera):
    generator = np.random.default_rng(0)
    points = generator.uniform((-1, -0.8, 2), (1, 0.8, 9), (200, 17, 3))
    expected = distort_by_hand(camera, points[..., :2] / points[..., 2:])
    np.testing.assert_allclose(camera.project(points), expected, atol=1e-6)


def test_one_call_for_all_persons_equals_one_by_one(camera):
    pixels = np.random.default_rng(1).uniform((0, 0), (640, 480), (4, 17, 2)).astype(np.float32)
    singly = np.stack([[camera.rays(pixel) for pixel in person] for person in pixels])
    np.testing.assert_allclose(camera.rays(pixels), singly, atol=1e-12)
    assert camera.rays(pixels[:0]).shape == (0, 17, 2)
    assert camera.project(np.zeros((0, 17, 3))).shape == (0, 17, 2)


def test_missing_stays_missing(camera):
    pixels = np.array([[320.0, 240], [np.nan, 240], [320, np.inf], [100, 50]])
    assert np.isfinite(camera.rays(pixels)).all(-1).tolist() == [True, False, False, True]
    points = np.array([[0.0, 0, 2], [np.nan, 0, 2], [0.1, 0, 0], [0.1, 0, -2]])
    assert np.isfinite(camera.project(points)).all(-1).tolist() == [True, False, False, False]


def test_inputs_are_left_as_they_were(camera):
    pixels = np.array([[320.0, 240], [np.nan, 240]])
    kept = pixels.copy()
    camera.rays(pixels)
    np.testing.assert_array_equal(pixels, kept)


@pytest.mark.parametrize("name", ["plumb_bob4", "plumb_bob5", "equidistant", "rational_strong"])
def test_pixels_that_the_lens_cannot_see_are_nan_never_garbage(name):
    camera = CAMERAS[name]
    columns, rows = np.meshgrid(np.linspace(-9000, 9000, 91), np.linspace(-9000, 9000, 91))
    pixels = np.stack([columns, rows], axis=-1)
    rays = camera.rays(pixels)
    found = np.isfinite(rays).all(-1)
    assert not found.all()
    assert found[np.isfinite(rays).any(-1)].all()
    assert np.abs(distort_by_hand(camera, rays[found]) - pixels[found]).max() < 1e-3


def test_points_off_the_lens_are_not_folded_into_the_image():
    camera = CAMERAS["plumb_bob5"]
    ray = np.array([3.0, 0])
    folded = distort_by_hand(camera, ray)
    assert abs(folded[0]) > 5000 or 0 <= folded[0] < 640  # the bare formula gives some pixel
    assert np.isnan(camera.project(np.array([3.0, 0, 1]))).all()
    # k1 = -0.35 alone turns at r = sqrt(1 / (3 * 0.35)) = 0.976
    turning = Camera(640, 480, K, (-0.35, 0, 0, 0), "plumb_bob")
    points = np.array([[0.97, 0, 1], [0.99, 0, 1], [0.69, 0.69, 1], [-0.71, 0.70, 1]])
    assert np.isfinite(turning.project(points)).all(-1).tolist() == [True, False, True, False]


def test_equidistant_beyond_a_quarter_turn_is_missing():
    camera = Camera(
        640, 480, [[200, 0, 320], [0, 200, 240], [0, 0, 1]], (0, 0, 0, 0), "equidistant"
    )
    # theta = 0.5 pi lies 314 pixels from the centre
    rays = camera.rays(np.array([[320 + 300.0, 240], [320 + 318.0, 240]]))
    np.testing.assert_allclose(rays[0], [np.tan(1.5), 0], atol=1e-6)
    assert np.isnan(rays[1]).all()


def test_a_plain_camera_divides_by_the_focal_length():
    rays = CAMERAS["pinhole"].rays(np.array([[321.5, 238.25], [921.5, 848.25]]))
    np.testing.assert_allclose(rays, [[0, 0], [1, 1]], atol=1e-12)


def test_real_people_before_really_calibrated_cameras():
    """Motion capture seen by Human3.6M's four cameras: its true rays come back from the pixels."""
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not there")
    calibration = json.loads((DATA / "human36m_cameras.json").read_text())
    positions = np.load(DATA / "accad.npz")["positions"][::400].astype(float)
    positions -= positions.mean((0, 1)) * (1, 1, 0)  # the middle of the room
    for name, one in calibration["intrinsics"].items():
        extrinsics = calibration["extrinsics"]["S1"][name]
        translation = np.array(extrinsics["t_mm"]) / 1000
        points = positions @ np.transpose(extrinsics["R"]) + translation
        points = points[points[..., 2].min(1) > 2]
        k1, k2, p1, p2, k3 = (one[key] for key in ("k1", "k2", "p1", "p2", "k3"))
        intrinsics = [[one["fx"], 0, one["cx"]], [0, one["fy"], one["cy"]], [0, 0, 1]]
        camera = Camera(1000, 1002, intrinsics, (k1, k2, p1, p2, k3), "plumb_bob")
        rays = points[..., :2] / points[..., 2:]
        pixels = distort_by_hand(camera, rays)
        inside = ((pixels >= 0) & (pixels < 1000)).all(-1)
        assert inside.sum() > 500
        np.testing.assert_allclose(camera.rays(pixels)[inside], rays[inside], atol=1e-6)
        np.testing.assert_allclose(camera.project(points)[inside], pixels[inside], atol=1e-3)


def changed(row, column, value):
    matrix = np.array(K)
    matrix[row, column] = value
    return matrix


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((640, 480, changed(0, 0, 0)), "not calibrated.*0 and 610 pixels.*camera_calibration"),
        ((640, 480, changed(1, 1, -1)), "not calibrated"),
        ((640, 480, np.zeros((3, 3))), "camera_calibration"),
        ((640, 480, changed(0, 2, np.nan)), "nan.*finite"),
        ((640, 480, np.eye(2)), "3 x 3"),
        ((640, 480, changed(0, 1, 3.0)), "skewed or transposed"),
        ((640, 480, np.transpose(K)), "skewed or transposed"),
        ((0, 480, K), "0 x 480 pixels.*CameraInfo"),
        ((640, 480, K, (0.1,) * 4, "fisheye"), "unknown distortion model 'fisheye'.*'equidistant'"),
        (
            (640, 480, K, (0.1,), "ftheta"),
            "'ftheta'; choose one of pinhole, plumb_bob, rational_polynomial",
        ),
        (
            (640, 480, K, (0.1,) * 3, "plumb_bob"),
            "3 coefficients, expected 0 or 4 or 5 or 8 or 12 or 14",
        ),
        ((640, 480, K, (0.1,) * 6, "rational_polynomial"), "6 coefficients, expected 0 or 4"),
        ((640, 480, K, (0.1,) * 15, ""), "15 coefficients, expected 0"),
        ((640, 480, K, (), "equidistant"), "0 coefficients, expected 4"),
        ((640, 480, K, (0.1, np.nan, 0, 0), "plumb_bob"), "not all finite"),
    ],
)
def test_bad_cameras_are_told_what_to_do(arguments, message):
    with pytest.raises(InputError, match=message):
        Camera(*arguments)


def test_wrong_shapes_are_named():
    with pytest.raises(InputError, match=r"pixels has shape \(4, 3\), expected \(\.\.\., 2\)"):
        CAMERAS["pinhole"].rays(np.zeros((4, 3)))
    with pytest.raises(InputError, match=r"points_in_camera has shape \(\), expected"):
        CAMERAS["pinhole"].project(np.float64(3))


@pytest.mark.parametrize("name", ["", "pinhole", "plumb_bob", "rational_polynomial"])
@pytest.mark.parametrize("count", [0, 4, 5, 8, 12, 14])
def test_coefficients_are_taken_by_their_number_as_opencv_takes_them(name, count):
    coefficients = CAMERAS["tilted"].distortion[:count]
    camera = Camera(640, 480, K, coefficients, name)
    points = np.random.default_rng(2).uniform((-1, -0.8, 2), (1, 0.8, 9), (50, 3))
    none = np.zeros(3)
    expected = cv2.projectPoints(
        points, none, none, np.array(K), np.array(coefficients or [0.0] * 4)
    )
    np.testing.assert_allclose(camera.project(points), expected[0][:, 0], atol=1e-9)
    pixels = image_grid(camera)
    np.testing.assert_allclose(distort_by_hand(camera, camera.rays(pixels)), pixels, atol=1e-3)


@pytest.mark.parametrize(
    ("model", "given", "kept"),
    [("plumb_bob", 6, 5), ("", 9, 8), ("rational_polynomial", 20, 14), ("equidistant", 8, 4)],
)
def test_trailing_zeros_say_nothing(model, given, kept):
    number = min(kept, 5)
    coefficients = tuple(0.01 for _ in range(number)) + (0.0,) * (given - number)
    camera = Camera(640, 480, K, coefficients, model)
    assert len(camera.distortion) == kept
    same = Camera(640, 480, K, coefficients[:number], model)
    np.testing.assert_allclose(camera.rays([100.0, 50]), same.rays([100.0, 50]), atol=1e-12)
