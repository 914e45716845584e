"""The closed-form root against numpy's SVD solution of the same rows."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.errors import InputError
from erd_ros.geometry.root import (
    ROOT_SOLVERS,
    root_from_depth,
    root_from_rays,
    solve_root,
    solve_root_weak_perspective,
)


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


def weak_perspective_people(seed, noise):
    """Rays of joints that all count as being at the root's depth."""
    generator = np.random.default_rng(seed)
    _, joints, weights, root = random_people(generator, 100)
    rays = (joints[..., :2] + root[:, None, :2]) / root[:, None, 2:]
    return rays + generator.normal(0, noise, rays.shape), joints, weights, root


def lstsq_scale_and_shift(source, target, weights):
    """The scale s and shift t, by numpy, for which s * source + t comes closest to the target."""
    seen = weights > 0
    root_weight = np.sqrt(weights[seen])[:, None]
    rows = np.zeros((2, seen.sum(), 3))
    for axis in (0, 1):
        rows[axis, :, 0] = source[seen, axis]
        rows[axis, :, 1 + axis] = 1
    rows = (rows * root_weight).reshape(-1, 3)
    return np.linalg.lstsq(rows, (target[seen] * root_weight).T.reshape(-1), rcond=None)[0]


def test_weak_perspective_gives_the_root_of_weak_perspective_back():
    rays, joints, weights, root = weak_perspective_people(0, noise=0.0)
    given = np.stack(solve_root_weak_perspective(rays, joints, weights), -1)
    np.testing.assert_allclose(given, root, atol=1e-9)
    for ray, joint, weight, (x, y, z) in zip(rays, joints, weights, given, strict=True):
        scale, *shift = lstsq_scale_and_shift(joint[:, :2], ray, weight)
        np.testing.assert_allclose([x / z, y / z, 1 / z], [*shift, scale], atol=1e-9)


def test_weak_perspective_lies_between_the_two_least_squares_depths():
    """Joints fitted to rays and rays fitted to joints: theirs differ by the cosine squared."""
    rays, joints, weights, _ = weak_perspective_people(1, noise=0.01)
    x, y, depth = solve_root_weak_perspective(rays, joints, weights)
    for index, (ray, joint, weight) in enumerate(zip(rays, joints, weights, strict=True)):
        far = 1 / lstsq_scale_and_shift(joint[:, :2], ray, weight)[0]
        near = lstsq_scale_and_shift(ray, joint[:, :2], weight)[0]
        assert near < depth[index] < far
        assert depth[index] == pytest.approx(np.sqrt(near * far))
        moved = joint[:, :2] + np.array([x[index], y[index]])
        centroid = np.average(moved, axis=0, weights=weight)
        seen = np.average(ray, axis=0, weights=weight)
        np.testing.assert_allclose(centroid / depth[index], seen, atol=1e-9)


@pytest.mark.parametrize("solver", ROOT_SOLVERS.values(), ids=ROOT_SOLVERS)
def test_solvers_in_torch_are_those_in_numpy(solver):
    arrays = random_people(np.random.default_rng(6), 50)[:3]
    expected = np.stack(solver(*arrays), -1)
    given = torch.stack(solver(*(torch.from_numpy(array) for array in arrays)), -1)
    np.testing.assert_allclose(given.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("solver", ROOT_SOLVERS.values(), ids=ROOT_SOLVERS)
@pytest.mark.parametrize("seen", [0, 1])
def test_solvers_and_their_gradients_stay_finite(solver, seen):
    tensors = [torch.from_numpy(a).float() for a in random_people(np.random.default_rng(7), 3)[:3]]
    tensors[2][:, seen:] = 0
    for tensor in tensors[:2]:
        tensor.requires_grad_()
    root = torch.stack(solver(*tensors), -1)
    assert (root[:, 2] == 0).all()
    root.sum().backward()
    assert all(tensor.grad.isfinite().all() for tensor in tensors[:2])


def test_weak_perspective_gets_better_with_distance_on_the_optical_axis():
    """Off the axis it does not: depth moves joints across the image there, however far."""
    _, joints, _, _ = random_people(np.random.default_rng(8), 200)
    medians = []
    for distance in (3.0, 30.0, 300.0):
        points = joints + np.array([0, 0, distance])
        rays = points[..., :2] / points[..., 2:]
        depth = solve_root_weak_perspective(rays, joints, np.ones(rays.shape[:2]))[2]
        medians.append(np.median(np.abs(depth / distance - 1)))
    assert medians[0] > 5 * medians[1] > 25 * medians[2]
    assert medians[2] < 1e-3


def test_root_from_depth():
    """AbsPoseLifter eqs. 5 and 6 in pixels: R_x = (r_x - c_x) R_z / alpha, R_z = alpha R~_z."""
    generator = np.random.default_rng(9)
    alpha, centre = 1145.0, np.array([512.0, 515.0])
    canonical = generator.uniform(2, 6, (4, 5)) / alpha
    pixels = generator.uniform(0, 1000, (4, 5, 2))
    expected = np.empty((4, 5, 3))
    for index in np.ndindex(4, 5):
        depth = alpha * canonical[index]
        expected[index] = [*(pixels[index] - centre) * depth / alpha, depth]
    given = np.stack(root_from_depth((pixels - centre) / alpha, alpha * canonical), -1)
    np.testing.assert_allclose(given, expected, rtol=1e-12)
