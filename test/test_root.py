"""The closed-form root against numpy's SVD solution of the same rows."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.errors import InputError
from erd_ros.geometry.root import root_from_rays, solve_root


def random_people(generator, persons, joints=17):
    """Rays, relative joints, weights and the root of people in view, keypoints with errors."""
    relative = generator.normal(0, [0.25, 0.5, 0.25], (persons, joints, 3))
    relative[:, 0] = 0
    depth = generator.uniform(2, 6, (persons, 1))
    root = np.concatenate([generator.uniform(-0.5, 0.5, (persons, 2)) * depth, depth], -1)
    points = relative + root[:, None]
    points[..., 2] = np.maximum(points[..., 2], 0.5)
    relative = points - root[:, None]
    rays = points[..., :2] / points[..., 2:] + generator.normal(0, 0.005, (persons, joints, 2))
    weights = generator.uniform(0.1, 1, (persons, joints))
    weights[generator.random((persons, joints)) < 0.4] = 0
    weights[:, [2, 5, 10]] = 0.7  # three are always seen
    return rays, relative, weights, root


def lstsq_root(rays, joints, weights):
    """ERD paper eq. 5 as linear rows, solved by numpy."""
    rows, right = [], []
    for (x, y), (p_x, p_y, p_z), weight in zip(rays, joints, weights, strict=True):
        if weight > 0:
            rows += [np.sqrt(weight) * np.array([1, 0, -x]), np.sqrt(weight) * np.array([0, 1, -y])]
            right += [np.sqrt(weight) * (x * p_z - p_x), np.sqrt(weight) * (y * p_z - p_y)]
    return np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]


@pytest.mark.parametrize("seed", range(5))
def test_equals_lstsq(seed):
    rays, joints, weights, _ = random_people(np.random.default_rng(seed), 100)
    expected = [lstsq_root(*one) for one in zip(rays, joints, weights, strict=True)]
    np.testing.assert_allclose(root_from_rays(rays, joints, weights), expected, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_in_float32_as_the_graph_computes_it(seed):
    people = random_people(np.random.default_rng(seed), 100)[:3]
    rays, joints, weights = (array.astype(np.float32) for array in people)
    expected = [
        lstsq_root(*one)
        for one in zip(*(a.astype(float) for a in (rays, joints, weights)), strict=True)
    ]
    tensors = (torch.from_numpy(array) for array in (rays, joints, weights))
    given = torch.stack(solve_root(*tensors), -1)
    assert given.dtype == torch.float32
    np.testing.assert_allclose(given.numpy(), expected, atol=1e-5)


def test_exact_rays_give_the_root_back():
    generator = np.random.default_rng(0)
    _, joints, weights, root = random_people(generator, 50)
    points = joints + root[:, None]
    rays = points[..., :2] / points[..., 2:]
    np.testing.assert_allclose(root_from_rays(rays, joints, weights), root, atol=1e-9)


def test_weights_count_by_their_ratio_and_joints_in_any_order():
    rays, joints, weights, _ = random_people(np.random.default_rng(1), 20)
    root = root_from_rays(rays, joints, weights)
    np.testing.assert_allclose(root_from_rays(rays, joints, weights * 0.01), root, atol=1e-9)
    order = np.random.default_rng(2).permutation(17)
    shuffled = root_from_rays(rays[:, order], joints[:, order], weights[:, order])
    np.testing.assert_allclose(shuffled, root, atol=1e-9)


def test_a_person_twice_as_large_is_twice_as_far():
    rays, joints, weights, _ = random_people(np.random.default_rng(3), 20)
    root = root_from_rays(rays, joints, weights)
    np.testing.assert_allclose(root_from_rays(rays, 2 * joints, weights), 2 * root, atol=1e-9)


def test_missing_joints_have_no_say():
    rays, joints, weights, _ = random_people(np.random.default_rng(4), 20)
    hidden = weights == 0
    root = root_from_rays(rays, joints, weights)
    np.testing.assert_array_equal(
        root_from_rays(np.where(hidden[..., None], np.nan, rays), joints, weights), root
    )
    np.testing.assert_allclose(
        root_from_rays(rays, np.where(hidden[..., None], np.nan, joints), weights), root
    )


@pytest.mark.parametrize("seen", [0, 1])
def test_too_few_joints_give_nan_and_the_graph_stays_finite(seen):
    rays, joints, weights, _ = random_people(np.random.default_rng(5), 3)
    weights[:, seen:] = 0
    assert np.isnan(root_from_rays(rays, joints, weights)).all()
    assert np.isfinite(solve_root(rays, joints, weights)).all()


def test_shapes_and_weights_that_do_not_fit():
    with pytest.raises(InputError, match=r"rays \(3, 2\) and joints \(4, 3\)"):
        root_from_rays(np.zeros((3, 2)), np.zeros((4, 3)))
    with pytest.raises(InputError, match=r"weights have shape \(2,\), expected \(4,\)"):
        root_from_rays(np.zeros((4, 2)), np.zeros((4, 3)), np.ones(2))
    with pytest.raises(InputError, match="negative"):
        root_from_rays(np.zeros((4, 2)), np.zeros((4, 3)), [-1, 1, 1, 1])
