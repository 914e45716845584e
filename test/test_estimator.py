import numpy as np
import pytest
from tiny_onnx import DEPTH, FIGURE, write_tiny_onnx

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.pose import Keypoints2D
from erd_ros.runtime import load
from erd_ros.runtime.estimator import Estimator, EstimatorConfig
from erd_ros.skeleton import BLAZEPOSE33, BODY25, COCO17, H36M17, Skeleton, conversion_matrix

CAMERA = Camera(
    1280, 720, [[900, 0, 640], [0, 900, 360], [0, 0, 1]], (-0.3, 0.1, 0.001, 0.0005), "plumb_bob"
)
ROOTS = np.array([[0, 0, DEPTH], [1.2, -0.3, DEPTH], [-1.0, 0.4, DEPTH]], np.float32)


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    return load(write_tiny_onnx(tmp_path_factory.mktemp("model") / "tiny.onnx"))


def keypoints_of(roots=ROOTS, skeleton=H36M17):
    """What CAMERA sees of the tiny model's figure at these roots; layouts by joint name."""
    pixels = np.full((len(roots), len(skeleton), 2), np.nan)
    projected = CAMERA.project(FIGURE + np.asarray(roots)[:, None])
    for index, name in enumerate(skeleton.joint_names):
        name = "thorax" if name == "neck" else name
        if name in H36M17.joint_names:
            pixels[:, index] = projected[:, H36M17.index(name)]
    return Keypoints2D(skeleton, pixels, np.full(pixels.shape[:2], 0.9))


def changed(keypoints, person, joints, pixels=None, confidence=None):
    new_pixels, new_confidence = keypoints.pixels.copy(), keypoints.confidence.copy()
    if pixels is not None:
        new_pixels[person, joints] = pixels
    if confidence is not None:
        new_confidence[person, joints] = confidence
    return Keypoints2D(keypoints.skeleton, new_pixels, new_confidence)


def test_persons_come_back_where_they_were_put(backend):
    pose = Estimator(backend).estimate(keypoints_of(), CAMERA)
    assert pose.skeleton == H36M17
    np.testing.assert_allclose(pose.root_in_camera, ROOTS, atol=1e-5)
    np.testing.assert_allclose(pose.joints_in_camera, ROOTS[:, None] + FIGURE, atol=1e-5)
    np.testing.assert_allclose(pose.confidence, 0.9)
    np.testing.assert_allclose(pose.residual_px, 0, atol=1e-2)
    for array in (pose.joints_in_camera, pose.root_in_camera, pose.confidence, pose.residual_px):
        assert array.dtype == np.float32


def test_the_residual_is_in_pixels_of_the_distorted_image(backend):
    keypoints = keypoints_of()
    # Three of sixteen joints seen are off by 5 pixels: sqrt(3 * 25 / 16).
    joints = [3, 10, 16]
    moved = changed(keypoints, 1, joints, pixels=keypoints.pixels[1, joints] + (3, 4))
    moved = changed(moved, 1, [5], confidence=0)
    pose = Estimator(backend).estimate(moved, CAMERA)
    np.testing.assert_allclose(pose.residual_px, [0, np.sqrt(75 / 16), 0], atol=1e-2)


def test_nobody_gives_an_empty_pose(backend):
    pose = Estimator(backend).estimate(keypoints_of(ROOTS[:0]), CAMERA)
    assert len(pose) == 0
    assert pose.joints_in_camera.shape == (0, 17, 3)
    assert pose.residual_px.shape == (0,)


@pytest.mark.parametrize("skeleton", [BODY25, COCO17, BLAZEPOSE33])
def test_other_layouts_are_read_by_joint_name(backend, skeleton):
    keypoints = keypoints_of(skeleton=skeleton)
    pose = Estimator(backend).estimate(keypoints, CAMERA)
    # The pelvis of COCO and BlazePose is the midpoint of the hips on the image, near the truth.
    np.testing.assert_allclose(pose.root_in_camera, ROOTS, atol=0.02)
    given = [name in skeleton.joint_names for name in H36M17.joint_names]
    np.testing.assert_allclose(pose.confidence[:, given], 0.9)
    assert (pose.confidence[:, H36M17.index("head_top")] == 0).all()


def is_nowhere(pose, person):
    values = (pose.joints_in_camera, pose.root_in_camera, pose.residual_px)
    return all(np.isnan(value[person]).all() for value in values)


@pytest.mark.parametrize("spoil", ["confidence", "nan", "outside"])
def test_a_person_with_too_few_keypoints_is_nowhere_and_the_others_stay(backend, spoil):
    values = {
        "confidence": {"confidence": 0.29},
        "nan": {"pixels": np.nan},
        "outside": {"pixels": (1280 + 129.0, 300)},
    }[spoil]
    whole = Estimator(backend).estimate(keypoints_of(), CAMERA)
    estimator = Estimator(backend, EstimatorConfig(min_keypoints=5))
    five = changed(keypoints_of(), 1, range(5, 17), **values)
    pose = estimator.estimate(five, CAMERA)
    np.testing.assert_array_equal(pose.root_in_camera, whole.root_in_camera)
    assert (pose.confidence[1] > 0).sum() == 5
    four = changed(keypoints_of(), 1, range(4, 17), **values)
    pose = estimator.estimate(four, CAMERA)
    assert is_nowhere(pose, 1)
    np.testing.assert_array_equal(pose.joints_in_camera[::2], whole.joints_in_camera[::2])
    np.testing.assert_array_equal(pose.residual_px[::2], whole.residual_px[::2])


def test_a_face_alone_is_not_a_body(backend):
    # BlazePose gives eleven points of the face; the model's joints are built from two of them.
    pixels = np.full((1, 33, 2), np.nan)
    pixels[0, :11] = np.random.default_rng(0).uniform(300, 400, (11, 2))
    pose = Estimator(backend).estimate(Keypoints2D(BLAZEPOSE33, pixels, np.ones((1, 33))), CAMERA)
    assert is_nowhere(pose, 0)


def test_keypoints_just_outside_the_image_are_kept(backend):
    keypoints = changed(keypoints_of(), 0, [3], pixels=(1280 + 127.0, 300))
    confidence = Estimator(backend).estimate(keypoints, CAMERA).confidence
    assert confidence[0, 3] > 0
    strict = Estimator(backend, EstimatorConfig(image_margin=0))
    assert strict.estimate(keypoints, CAMERA).confidence[0, 3] == 0


def test_keypoints_that_the_lens_cannot_see_are_missing(backend):
    # This lens ends at a radius of 1.05: 562 pixels from the centre, inside the image's corners.
    lens = Camera(1280, 720, CAMERA.intrinsics, (-0.3, 0, 0, 0), "plumb_bob")
    keypoints = changed(keypoints_of(), 0, [3], pixels=(1279.0, 719))
    pose = Estimator(backend).estimate(keypoints, lens)
    assert pose.confidence[0, 3] == 0
    assert np.isfinite(pose.joints_in_camera).all()
    assert np.isfinite(pose.residual_px).all()


@pytest.mark.parametrize("depth", [-2.0, 0.0, np.nan, np.inf])
def test_an_impossible_root_is_nowhere(tmp_path, depth):
    estimator = Estimator(load(write_tiny_onnx(tmp_path / "tiny.onnx", depth=depth)))
    pose = estimator.estimate(keypoints_of(), CAMERA)
    assert all(is_nowhere(pose, person) for person in range(3))


def test_a_joint_that_was_seen_cannot_be_behind_the_camera(tmp_path):
    figure = FIGURE.copy()
    figure[13, 2] = -5  # a wrist one metre behind the camera
    estimator = Estimator(load(write_tiny_onnx(tmp_path / "tiny.onnx", figure=figure)))
    assert is_nowhere(estimator.estimate(keypoints_of(), CAMERA), 0)
    unseen = changed(keypoints_of(), 0, [13], confidence=0)
    assert np.isfinite(estimator.estimate(unseen, CAMERA).joints_in_camera[0]).all()


def test_states_of_persons_follow_from_pose_and_layout(backend):
    keypoints = keypoints_of(skeleton=BODY25)
    keypoints = changed(keypoints, 1, [BODY25.index("left_wrist")], confidence=0)
    keypoints = changed(keypoints, 2, range(25), confidence=0)
    pose = Estimator(backend).estimate(keypoints, CAMERA)
    givable = conversion_matrix(BODY25, pose.skeleton).any(1)
    # BODY_25's eyes and ears are not in the figure, so neck_nose cannot be built.
    givable[H36M17.index("neck_nose")] = False
    assert np.isfinite(pose.root_in_camera).all(-1).tolist() == [True, True, False]
    assert (pose.confidence[:, givable] > 0).all(-1).tolist() == [True, False, False]


def test_a_layout_that_means_nothing_to_the_model_is_refused(backend):
    hand = Skeleton("hand3", ("thumb", "index", "left_wrist"), (-1, 0, 0))
    keypoints = Keypoints2D(hand, np.ones((1, 3, 2)), np.ones((1, 3)))
    with pytest.raises(InputError, match=r"only 1 keypoints of layout 'hand3'.*at least 5"):
        Estimator(backend).estimate(keypoints, CAMERA)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_keypoints": 1}, "min_keypoints is 1, expected 2"),
        ({"min_confidence": 1.5}, "min_confidence is 1.5, expected 0 to 1"),
        ({"min_confidence": float("nan")}, "min_confidence is nan"),
        ({"image_margin": -0.1}, "image_margin is -0.1"),
    ],
)
def test_bad_configurations_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        EstimatorConfig(**values)
