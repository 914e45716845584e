"""Size and depth of a person: the closed form, each cue alone, absent cues, feet off the ground."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from test_model_options import everyone, model_of
from tiny_mocap import STANDING, write_tiny_mocap

from erd_ros.cues import ANKLE_HEIGHT, CUES, Cues
from erd_ros.data.batches import Simulation, SimulationConfig
from erd_ros.data.cues import CueConfig
from erd_ros.errors import InputError
from erd_ros.mocap import read_human36m_cameras, read_mocap
from erd_ros.models import sizing
from erd_ros.models.known import Known, Prior, no_cues
from erd_ros.models.posed import Keypoints, Posed
from erd_ros.models.size import SizeAndDepthSolver
from erd_ros.models.sizing import Sizing, size_of
from erd_ros.models.view import look_at_person
from erd_ros.skeleton import H36M17

PERSONS = 300
CAMERA_HEIGHT = 1.2
COLUMN = {name: index for index, name in enumerate(CUES)}


def test_rows_are_solved_as_numpy_solves_them():
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(20, 3, 5))
    rows[:, :, :2] = [[1, 0], [0, 1], [0, 0]]  # which ask for the variances
    informations = generator.uniform(0.1, 9, (20, 5))
    informations[:, :2] = 0
    given, information = torch.from_numpy(rows), torch.from_numpy(informations)
    solved = SizeAndDepthSolver(given).solve(information[..., None])
    excess = solved.excess(given)[..., 0]
    for person in range(20):
        design, value, information = rows[person, :2].T, -rows[person, 2], informations[person]
        weight = np.sqrt(information)
        expected = np.linalg.lstsq(weight[:, None] * design, weight * value, rcond=None)[0]
        covariance = np.linalg.inv((design * information[:, None]).T @ design)
        np.testing.assert_allclose(solved.solution[person, :, 0], [*expected, 1], rtol=1e-9)
        variances = np.einsum("ri,ij,rj->r", design, covariance, design)
        np.testing.assert_allclose(solved.variances[person, :, 0], variances, rtol=1e-9)
        np.testing.assert_allclose(excess[person], design @ expected - value, rtol=1e-9)


def test_one_row_far_surer_than_the_others_costs_no_digits():
    """A depth to a millimetre beside a guess of the size to 10 cm, in float32."""
    ratio, guess, depth = 2.5, 1.6, 4.2
    rows = torch.tensor([[[-ratio, 1, 0], [1, 0, 1], [0, -guess, -depth]]])
    information = torch.tensor([[[400], [100], [1e6]]])
    solved = SizeAndDepthSolver(rows).solve(information)
    weight = np.sqrt(information[0, :, 0].numpy().astype(float))
    design = rows[0, :2].T.numpy().astype(float) * weight[:, None]
    expected = np.linalg.lstsq(design, weight * [0, guess, depth], rcond=None)[0]
    np.testing.assert_allclose(solved.solution[0, :2, 0], expected, rtol=3e-7)


@pytest.fixture(scope="module")
def standing():
    """People of all sizes on the ground before a level camera: view, pose, size, root, cues."""
    generator = torch.Generator().manual_seed(0)
    scale = 1 + 0.15 * torch.randn((PERSONS, 1, 1), generator=generator)
    points = torch.from_numpy(STANDING.astype(np.float32)) * scale
    lowest = points[..., 2].amin(1, keepdim=True)
    points[..., 2] += ANKLE_HEIGHT - lowest
    points = torch.stack([points[..., 0], CAMERA_HEIGHT - points[..., 2], points[..., 1]], -1)
    points[..., 2] += 2 + 4 * torch.rand((PERSONS, 1), generator=generator)
    view = look_at_person(points[..., :2] / points[..., 2:], torch.ones(PERSONS, 17))
    root = points[:, 0]
    size = size_of(points, H36M17)
    pose = view.from_camera(points - root[:, None]) / size[:, None, None]
    return view, pose, size, root


def solved(standing, **cues):
    view, pose, *_ = standing
    rows = no_cues(PERSONS, pose).clone()
    for name, value in cues.items():
        rows[:, COLUMN[name]] = torch.as_tensor(value)
    prior = Prior(torch.full((PERSONS,), 0.5), torch.full((PERSONS,), -2.0))
    known, module = Known.of(Keypoints.of(view), prior, rows), Sizing(H36M17)
    # Feet are weighed by the last solution: as in a model, a step comes after a step.
    sized = module(known, pose, module(known, pose).solved)
    return sized, view.to_camera(sized.root[:, None])[:, 0]


def ground(deviation):
    return {
        "up_x": 0.0, "up_y": -1.0, "up_z": 0.0, "camera_height": CAMERA_HEIGHT,
        "camera_height_variance": deviation**2,
    }  # fmt: skip


@torch.no_grad()
def test_without_cues_the_guess_decides(standing):
    sized, _ = solved(standing)
    np.testing.assert_allclose(sized.size, np.exp(0.5), rtol=1e-4)
    np.testing.assert_allclose(sized.size_variance.sqrt(), np.exp(0.5) * np.exp(-2.0), rtol=0.05)
    # The sigma along the ray is what the size leaves open.
    relative = sized.depth_variance.sqrt() / sized.root[:, 2]
    np.testing.assert_allclose(relative, np.exp(-2.0), rtol=0.05)


@torch.no_grad()
@pytest.mark.parametrize("cue", ["size", "ground", "depth"])
def test_one_good_cue_fixes_size_and_root(standing, cue):
    _, _, size, truth = standing
    cues = {
        "size": {"size": size, "size_variance": 1e-6},
        "ground": ground(0.001),
        "depth": {"depth": truth[:, 2], "depth_variance": 1e-6},
    }[cue]
    sized, root = solved(standing, **cues)
    # The ground says less of the size: an ankle's height is known to some centimetres.
    bound = {"size": 0.002, "ground": 0.03, "depth": 0.02}[cue]
    assert (sized.size - size).abs().mean() < bound
    assert (root - truth).norm(dim=-1).mean() < 3 * bound
    alone, _ = solved(standing)
    assert (sized.size_variance < alone.size_variance).all()


@torch.no_grad()
def test_the_own_size_leaves_out_what_was_guessed_and_told(standing):
    told, _ = solved(standing, size=1.0, size_variance=1e-4)
    own_size, own_deviation = told.own_size()
    assert (own_deviation == 100).all()
    assert torch.equal(own_size[:, 0], told.size)
    _, _, size, _ = standing
    on_ground, _ = solved(standing, **ground(0.001))
    both, _ = solved(standing, **ground(0.001), size=size, size_variance=0.01)
    own_size, own_deviation = (one[:, 0] for one in on_ground.own_size())
    assert (own_deviation.square() > on_ground.size_variance).all()
    assert (own_size - size).abs().median() < (on_ground.size - size).abs().median()
    # Which feet stand on the ground is judged with all that is known.
    difference = (both.own_size()[0][:, 0] / own_size - 1).abs()
    assert difference.median() < 0.001


@torch.no_grad()
def test_a_poor_cue_is_no_worse_than_none(standing):
    _, _, size, _ = standing
    alone, _ = solved(standing)
    told, _ = solved(standing, size=size, size_variance=1.0)
    assert (told.size_variance < alone.size_variance).all()
    assert ((told.size - size).abs() <= (alone.size - size).abs() + 1e-6).all()


@torch.no_grad()
def test_the_worse_a_cue_the_less_it_says(standing):
    wrong = {"up_y": -1.0, "camera_height": CAMERA_HEIGHT + 0.3}
    moved = []
    for tilt in (0.0, 0.05, 0.5):
        cues = {**ground(0.02), **wrong, "tilt_variance": tilt**2}
        sized, _ = solved(standing, **cues)
        moved.append(float((sized.size - np.exp(0.5)).abs().mean()))
    assert moved[0] > moved[1] > 2 * moved[2]


@torch.no_grad()
def test_a_tilt_that_errs_pulls_nobody_nearer(standing, monkeypatch):
    """People as large as the guess: however the tilt errs, they stay so large in the mean."""
    monkeypatch.setattr(
        sizing, "_near", lambda excess, variance, _: (1 / variance).expand_as(excess)
    )
    tilt, guess = 0.06 * torch.randn(PERSONS, generator=torch.Generator().manual_seed(1)), 0.5
    # With the camera so high, the keypoints of everybody are those of somebody of that size.
    height = ANKLE_HEIGHT + np.exp(guess) / standing[2] * (CAMERA_HEIGHT - ANKLE_HEIGHT)
    cues = {
        "up_x": 0.0, "up_y": -tilt.cos(), "up_z": tilt.sin(), "camera_height": height,
        "camera_height_variance": 1e-4, "tilt_variance": 0.06**2,
    }  # fmt: skip
    sized, _ = solved(standing, **cues)
    errors = sized.size / np.exp(guess) - 1
    assert errors.std() > 0.05
    # The coefficients' own errors would make it -0.7 %.
    assert abs(errors.mean()) < 0.002


@torch.no_grad()
def test_a_cue_that_is_absent_has_no_influence(standing):
    alone, root = solved(standing)
    odd, same = solved(standing, size=99.0, camera_height=-7.0, depth=0.01, tilt_variance=0.3)
    assert torch.equal(alone.size, odd.size)
    assert torch.equal(root, same)


@torch.no_grad()
def test_a_raised_foot_does_not_count(standing):
    """One ankle 30 cm above the ground: the other alone says where the person stands."""
    view, pose, size, root = standing
    points = view.to_camera(pose * size[:, None, None]) + root[:, None]
    points[:, H36M17.index("left_ankle"), 1] -= 0.3
    view = look_at_person(points[..., :2] / points[..., 2:], torch.ones(PERSONS, 17))
    truth = size_of(points, H36M17)
    pose = view.from_camera(points - root[:, None]) / truth[:, None, None]
    raised, _ = solved((view, pose, truth, root), **ground(0.001))
    assert (raised.size - truth).abs().mean() < 0.08


@torch.no_grad()
def test_feet_that_were_not_seen_do_not_count(standing):
    view, pose, size, root = standing
    points = view.to_camera(pose * size[:, None, None]) + root[:, None]
    confidence = torch.ones(PERSONS, 17)
    confidence[:, [H36M17.index("left_ankle"), H36M17.index("right_ankle")]] = 0
    view = look_at_person(points[..., :2] / points[..., 2:], confidence)
    pose = view.from_camera(points - root[:, None]) / size[:, None, None]
    given, _ = solved((view, pose, size, root), **ground(0.001))
    alone, _ = solved((view, pose, size, root))
    torch.testing.assert_close(given.size, alone.size)


@torch.no_grad()
def test_keypoints_that_fit_all_count_in_full(standing):
    view, pose, *_ = standing
    agreeing = Keypoints.of(view).agreeing(pose)
    torch.testing.assert_close(agreeing.view.confidence, view.confidence)
    torch.testing.assert_close(agreeing.of_depth, Keypoints.of(view).of_depth)


@torch.no_grad()
def test_a_keypoint_on_somebody_else_hardly_moves_the_person(standing):
    view, pose, size, root = standing
    joints = view.to_camera(pose)
    points = size[:, None, None] * joints + root[:, None]
    rays = points[..., :2] / points[..., 2:]
    wrist = H36M17.index("left_wrist")
    rays[:, wrist, 0] += view.scale
    view = look_at_person(rays, torch.ones(PERSONS, 17))
    pose = view.from_camera(joints)
    truth = view.from_camera(root[:, None])[:, 0, 2] / size
    keypoints = Keypoints.of(view)
    agreeing = keypoints.agreeing(pose)
    assert (agreeing.view.share[:, 0, wrist] < 0.1 * view.share[:, 0, wrist]).all()
    plain, robust = (
        (Posed.of(one, pose).ratio[:, 0, 0] / truth - 1).abs().mean()
        for one in (keypoints, agreeing)
    )
    assert robust < 0.2 * plain


@torch.no_grad()
def test_where_no_keypoint_fits_there_is_a_root_all_the_same(standing):
    view, pose, *_ = standing
    agreeing = Keypoints.of(view).agreeing(100 * pose.flip(0))
    torch.testing.assert_close(agreeing.view.share.sum(-1), torch.ones(PERSONS, 1))
    assert Posed.of(agreeing, pose).ratio.isfinite().all()


def test_cues_err_as_their_variances_say(tmp_path):
    folder = write_tiny_mocap(tmp_path)
    mocap, cameras = read_mocap(folder, ["cmu"], "train"), read_human36m_cameras(folder)
    everywhere = CueConfig(size_share=1, ground_share=1, depth_share=1)
    simulation = Simulation(mocap, cameras, SimulationConfig(cues=everywhere))
    batch = simulation.draw(4000, torch.Generator().manual_seed(0))
    cues = {name: batch.cues[:, index] for name, index in COLUMN.items()}
    for name, truth in (("size", size_of(batch.joints, H36M17)), ("depth", batch.root[:, 2])):
        surprise = (cues[name] - truth) / cues[f"{name}_variance"].sqrt()
        assert abs(surprise.mean()) < 0.1
        assert surprise.std() == pytest.approx(1, abs=0.1)
    up = batch.cues[:, COLUMN["up_x"] : COLUMN["up_z"] + 1]
    torch.testing.assert_close(up.norm(dim=-1), torch.ones(len(up)))
    # Where the ground is known, the lowest ankle stands near it.
    known = cues["camera_height_variance"].isfinite()
    points = batch.joints + batch.root[:, None]
    height = cues["camera_height"][:, None] + (points * up[:, None]).sum(-1)
    ankles = height[:, [H36M17.index("left_ankle"), H36M17.index("right_ankle")]].amin(1)
    assert known.float().mean() > 0.9
    assert (ankles[known] - STANDING[:, 2].min()).abs().median() < 0.15


def test_a_model_learns_with_cues_and_takes_them():
    rays, confidence, _, root = everyone(50)
    model = model_of(root="cues")
    cues = no_cues(50, rays).clone()
    cues[:, COLUMN["depth"]], cues[:, COLUMN["depth_variance"]] = root[:, 2], 1e-6
    with torch.no_grad():
        *_, last = model.trajectory(rays, confidence, cues=cues)
        *_, blind = model.trajectory(rays, confidence)
    assert (last.root[:, 2] - root[:, 2]).abs().max() < 0.02
    assert (blind.root[:, 2] - root[:, 2]).abs().mean() > 0.05
    assert (last.sized.depth_variance < blind.sized.depth_variance).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 0.0}, "size is 0.0, expected metres above 0"),
        ({"depth_deviation": 0.0}, "depth_deviation is 0.0, .* infinity says not known"),
        ({"up": (0.0, -2.0, 0.0)}, "has length 2, expected a unit vector"),
        ({"camera_height": float("nan")}, "camera_height nan"),
    ],
)
def test_impossible_cues_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        Cues(**values)
