import numpy as np
import pytest

from erd_ros.errors import InputError
from erd_ros.pose import Keypoints2D, Pose3D
from erd_ros.skeleton import COCO17, H36M17, Skeleton


def keypoints(persons=2, skeleton=COCO17, confidence=0.8):
    pixels = np.random.default_rng(0).uniform(0, 600, (persons, len(skeleton), 2))
    return Keypoints2D(skeleton, pixels, np.full((persons, len(skeleton)), confidence))


def with_values(index, pixels=None, confidence=None):
    made = keypoints()
    new_pixels, new_confidence = made.pixels.copy(), made.confidence.copy()
    if pixels is not None:
        new_pixels[index] = pixels
    if confidence is not None:
        new_confidence[index] = confidence
    return Keypoints2D(COCO17, new_pixels, new_confidence)


@pytest.mark.parametrize(
    "values",
    [
        {"pixels": np.nan},
        {"pixels": (np.nan, 5)},
        {"pixels": (5, np.inf)},
        {"confidence": 0},
        {"confidence": -1},
        {"confidence": np.nan},
    ],
)
def test_missing_is_nan_and_zero_confidence_however_it_is_said(values):
    made = with_values((1, 3), **values)
    assert np.isnan(made.pixels[1, 3]).all()
    assert made.confidence[1, 3] == 0
    untouched = np.ones((2, 17), bool)
    untouched[1, 3] = False
    np.testing.assert_array_equal(made.pixels[untouched], keypoints().pixels[untouched])
    assert (made.confidence[untouched] == np.float32(0.8)).all()


def test_zero_is_a_position_like_any_other():
    made = with_values((0, 0), pixels=(0, 0))
    assert made.pixels[0, 0].tolist() == [0, 0]
    assert made.confidence[0, 0] > 0


def test_confidence_above_one_is_one():
    assert with_values((0, 0), confidence=99).confidence.max() == 1


def test_arrays_are_copied_as_float32_and_the_callers_left_alone():
    pixels = np.full((1, 17, 2), 5.0)
    confidence = np.zeros((1, 17))
    made = Keypoints2D(COCO17, pixels, confidence)
    assert made.pixels.dtype == made.confidence.dtype == np.float32
    assert (pixels == 5).all()


def test_nobody_is_a_valid_answer():
    nobody = keypoints(persons=0)
    assert len(nobody) == 0
    converted = nobody.to_layout(H36M17)
    assert converted.pixels.shape == (0, 17, 2)
    assert converted.confidence.shape == (0, 17)


def test_conversion_takes_each_joint_by_its_name():
    source = keypoints()
    target = source.to_layout(H36M17)
    for name in ("left_hip", "right_wrist", "left_ankle"):
        np.testing.assert_allclose(
            target.pixels[:, H36M17.index(name)], source.pixels[:, COCO17.index(name)]
        )
    hips = [COCO17.index("left_hip"), COCO17.index("right_hip")]
    np.testing.assert_allclose(target.pixels[:, 0], source.pixels[:, hips].mean(1), rtol=1e-6)
    head_top = H36M17.index("head_top")
    assert np.isnan(target.pixels[:, head_top]).all()
    assert (target.confidence[:, head_top] == 0).all()


def test_a_derived_joint_is_as_good_as_the_worst_behind_it():
    left_hip, left_ear = COCO17.index("left_hip"), COCO17.index("left_ear")
    target = with_values((0, left_hip), confidence=0.3).to_layout(H36M17)
    assert target.confidence[:, 0].tolist() == [np.float32(0.3), np.float32(0.8)]
    target = with_values((0, left_hip), pixels=np.nan).to_layout(H36M17)
    gone = [joint for joint in range(17) if target.confidence[0, joint] == 0]
    names = [H36M17.joint_names[joint] for joint in gone]
    assert names == ["pelvis", "left_hip", "spine", "head_top"]
    assert np.isnan(target.pixels[0, gone]).all()
    assert np.isfinite(np.delete(target.pixels[0], gone, axis=0)).all()
    target = with_values((0, left_ear), pixels=np.nan).to_layout(H36M17)
    assert target.confidence[0, H36M17.index("neck_nose")] == 0


def test_conversion_there_and_back_keeps_what_both_have():
    source = keypoints(skeleton=H36M17)
    back = source.to_layout(COCO17).to_layout(H36M17)
    common = [H36M17.index(name) for name in H36M17.joint_names if name in COCO17.joint_names]
    assert len(common) == 12
    np.testing.assert_array_equal(back.pixels[:, common], source.pixels[:, common])


@pytest.mark.parametrize(
    ("pixels", "confidence", "message"),
    [
        (
            (2, 16, 2),
            (2, 17),
            r"pixels of layout 'coco17' has shape \(2, 16, 2\), expected \(2, 17",
        ),
        ((2, 17, 3), (2, 17), r"\(2, 17, 3\), expected \(2, 17, 2\)"),
        ((17, 2), (17,), r"\(17, 2\), expected \(17, 17, 2\)"),
        ((2, 17, 2), (1, 17), r"confidence of layout 'coco17' has shape \(1, 17\)"),
    ],
)
def test_wrong_shapes_name_both_shapes(pixels, confidence, message):
    with pytest.raises(InputError, match=message):
        Keypoints2D(COCO17, np.zeros(pixels), np.zeros(confidence))


SHAPES = {
    "joints_in_camera": (2, 17, 3),
    "root_in_camera": (2, 3),
    "confidence": (2, 17),
    "residual_px": (2,),
}


def test_poses_hold_what_they_are_given():
    arrays = {name: np.full(shape, np.nan, np.float32) for name, shape in SHAPES.items()}
    pose = Pose3D(H36M17, **arrays)
    assert len(pose) == 2
    assert all(getattr(pose, name) is array for name, array in arrays.items())


@pytest.mark.parametrize("wrong", SHAPES)
def test_poses_of_wrong_shape_are_refused(wrong):
    arrays = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    arrays[wrong] = arrays[wrong][..., None]
    with pytest.raises(InputError, match=f"{wrong} has shape"):
        Pose3D(H36M17, **arrays)
    with pytest.raises(InputError, match=r"\(2, 17, 3\), expected \(2, 3, 3\)"):
        Pose3D(Skeleton("three", ("a", "b", "c"), (-1, 0, 0)), *map(np.zeros, SHAPES.values()))
