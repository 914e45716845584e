"""Detectors of several layouts in training: joints built, errors, what is hidden."""

import numpy as np
import pytest
from tiny_mocap import STANDING

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.data.cameras import CameraConfig, robot_views
from erd_ros.data.layout_keypoints import LayoutConfig, detect_in_layouts
from erd_ros.errors import InputError
from erd_ros.evaluate.robot_keypoints import _joints_of
from erd_ros.pose import Keypoints2D
from erd_ros.skeleton import H36M17, SKELETONS

PERSONS = 2000
EXACT = LayoutConfig(exact_share=1, scattered_share=0, part_share=0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def views():
    standing = torch.from_numpy(STANDING.astype(np.float32)).repeat(PERSONS, 1, 1)
    return robot_views(standing, CameraConfig(robot_distance=(3, 6)), generator())


def detected(views, **options):
    config = LayoutConfig(**options) if options else EXACT
    return detect_in_layouts(views.points_in_camera, views.half_image, config, generator(1))


def exactly(**options):
    return {"exact_share": 1.0, "scattered_share": 0.0, "part_share": 0.0, **options}


@pytest.mark.parametrize("name", sorted(SKELETONS))
def test_joints_are_built_as_the_estimator_builds_them(views, name):
    skeleton = SKELETONS[name]
    rays, confidence = detected(views, **exactly(layouts=(name,), lowest_confidence=1.0))
    points = _joints_of(skeleton, views.points_in_camera.double().numpy())
    exact = points[..., :2] / points[..., 2:]
    seen = (np.abs(exact) < views.half_image[:, None].numpy()).all(-1)
    keypoints = Keypoints2D(skeleton, exact.astype(np.float32), seen.astype(np.float32))
    expected = keypoints.to_layout(H36M17)
    np.testing.assert_array_equal(confidence > 0, expected.confidence > 0)
    both = expected.confidence > 0
    np.testing.assert_allclose(rays.numpy()[both], expected.pixels[both], atol=1e-5)


def test_an_overconfident_detector_says_one_number_of_all_and_errs_as_ever(views):
    options = exactly(layouts=("h36m17",), exact_share=0.0)
    honest_rays, honest = detected(views, **options)
    rays, confidence = detected(views, **options, overconfident_share=0.5)
    torch.testing.assert_close(rays, honest_rays)
    assert torch.equal(confidence > 0, honest > 0)
    lowest = torch.where(confidence > 0, confidence, 2.0).amin(1)
    same = lowest == confidence.amax(1)
    assert same.float().mean() == pytest.approx(0.5, abs=0.05)
    torch.testing.assert_close(confidence[~same], honest[~same])
    assert 0.3 <= lowest[same].min() < 0.4 < 0.9 < lowest[same].max() <= 1


def test_detectors_may_mean_other_places_along_the_bones(views):
    options = exactly(layouts=("h36m17",), least_seen=2)
    exact, _ = detected(views, **options)
    rays, _ = detected(views, **options, definition_share=0.5)
    still = [H36M17.index(name) for name in ("pelvis", "spine", "thorax")]
    torch.testing.assert_close(rays[:, still], exact[:, still])
    moved = (rays - exact).abs().amax((1, 2)) > 1e-6
    assert moved.float().mean() == pytest.approx(0.5, abs=0.05)
    # On the line from the parent through the joint, and as far on the left as on the right.
    pelvis, *hips = (H36M17.index(name) for name in ("pelvis", "left_hip", "right_hip"))
    left, right = ((rays - rays[:, [pelvis]])[moved, hip] for hip in hips)
    bone, _ = ((exact - exact[:, [pelvis]])[moved, hip] for hip in hips)
    across = bone[:, 0] * left[:, 1] - bone[:, 1] * left[:, 0]
    torch.testing.assert_close(across, torch.zeros_like(across), atol=1e-5, rtol=0)
    wide = (left.norm(dim=-1) + right.norm(dim=-1)) / (
        exact[moved][:, hips[0]] - exact[moved][:, hips[1]]
    ).norm(dim=-1)
    assert wide.std() == pytest.approx(0.12, abs=0.03)


def test_errors_grow_with_the_person_and_with_doubt(views):
    exact, _ = detected(views, **exactly(layouts=("h36m17",)))
    noisy = {"layouts": ("h36m17",), "exact_share": 0.0, "error_level": (1.0, 1.0)}
    rays, confidence = detected(views, **exactly(**noisy))
    size = ((exact - exact.mean(1, keepdim=True)) ** 2).sum(-1).mean(1).sqrt()
    error = (rays - exact).norm(dim=-1) / size[:, None]
    wrist, pelvis = (H36M17.index(name) for name in ("left_wrist", "pelvis"))
    assert error[:, wrist].median() > 1.4 * error[:, pelvis].median()
    assert 0.02 < error[:, pelvis].median() < 0.06
    assert (error[:, pelvis] > 0.25).float().mean() == pytest.approx(0.022, abs=0.012)
    sure = confidence[:, pelvis] > 0.9
    unsure = (confidence[:, pelvis] > 0) & (confidence[:, pelvis] < 0.6)
    assert error[sure, pelvis].median() < 0.8 * error[unsure, pelvis].median()
    doubled, _ = detected(views, **exactly(**noisy | {"error_level": (2.0, 2.0)}))
    np.testing.assert_allclose(doubled - exact, 2 * (rays - exact), atol=1e-5)


def test_parts_and_single_joints_are_hidden(views):
    whole = (detected(views, **exactly(layouts=("h36m17",)))[1] > 0).all(1)
    lost = {"layouts": ("h36m17",), "part_share": 1.0}
    seen = detected(views, **exactly(**lost))[1][whole] > 0
    knees = [H36M17.index(f"{side}_knee") for side in ("left", "right")]
    both, one = (~seen[:, knees]).all(1), (~seen[:, knees]).sum(1) == 1
    assert both.float().mean() == pytest.approx(3 / 8, abs=0.06)  # legs twice, all below the waist
    assert one.float().mean() == pytest.approx(2 / 8, abs=0.06)
    assert not seen.all(1).any()
    scattered = {"layouts": ("h36m17",), "scattered_share": 1.0, "scattered": 0.4}
    seen = detected(views, **exactly(**scattered))[1][whole] > 0
    assert (~seen).float().mean() == pytest.approx(0.2, abs=0.03)


def test_a_sample_keeps_enough_joints_or_all_in_the_image(views):
    rays, confidence = detected(views, **exactly(scattered_share=1.0, scattered=1.0))
    seen = (confidence > 0).sum(1)
    in_image = (detected(views, **exactly())[1] > 0).sum(1)
    assert ((seen >= LayoutConfig().least_seen) | (seen == in_image)).all()
    assert torch.isfinite(rays).all()


def test_the_generator_decides(views):
    one, other = (detected(views, layouts=tuple(SKELETONS)) for _ in range(2))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layouts": ("coco",)}, "layouts are coco; choose of h36m17, coco17"),
        ({"layouts": ()}, "layouts are none"),
        ({"error_level": (2.0, 1.0)}, "error_level is 2.0 to 1.0"),
        ({"part_share": 1.5}, "part_share is 1.5, expected 0 to 1"),
        ({"lowest_confidence": 0.0}, "lowest_confidence is 0.0"),
    ],
)
def test_configurations_that_make_no_sense(options, message):
    with pytest.raises(InputError, match=message):
        LayoutConfig(**options)
