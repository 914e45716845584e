"""The graph: what it ignores, what it must equal, and the sizes of its parts."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tiny_onnx import FIGURE
from untrained import untrained_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.errors import ArtifactError, InputError
from erd_ros.geometry.root import root_from_rays
from erd_ros.models.checkpoint import MODEL_KEY, load_model, read_tensors, save_model, write_tensors
from erd_ros.models.config import ModelConfig
from erd_ros.models.erd import ErdModel
from erd_ros.models.inputs import InputConfig, Inputs
from erd_ros.models.linear import LifterConfig
from erd_ros.models.view import look_at_person
from erd_ros.skeleton import H36M17


def people(persons=8, seed=0):
    """Rays, confidence with a fifth missing, of the figure at several places."""
    generator = np.random.default_rng(seed)
    root = np.stack([*generator.uniform(-1, 1, (2, persons)), generator.uniform(3, 6, persons)], -1)
    points = FIGURE + generator.normal(0, 0.1, (persons, 17, 3)) + root[:, None]
    rays = points[..., :2] / points[..., 2:]
    confidence = generator.uniform(0.3, 1, (persons, 17))
    confidence[generator.random((persons, 17)) < 0.2] = 0
    return torch.tensor(rays, dtype=torch.float32), torch.tensor(confidence, dtype=torch.float32)


@pytest.fixture(scope="module")
def model():
    return untrained_model()[0]


@torch.no_grad()
def test_what_was_not_seen_has_no_influence(model):
    rays, confidence = people()
    expected = model(rays, confidence)
    for rubbish in (math.nan, math.inf, 1e6):
        spoilt = torch.where(confidence[..., None] > 0, rays, torch.full_like(rays, rubbish))
        for one, other in zip(model(spoilt, confidence), expected, strict=True):
            assert torch.equal(one, other)


@torch.no_grad()
def test_a_person_does_not_depend_on_the_others(model):
    rays, confidence = people()
    together = model(rays, confidence)
    alone = [model(rays[i : i + 1], confidence[i : i + 1]) for i in range(len(rays))]
    for index, output in enumerate(together):
        torch.testing.assert_close(
            output, torch.cat([one[index] for one in alone]), atol=1e-5, rtol=0
        )


@torch.no_grad()
@pytest.mark.parametrize("seen", [0, 1, 2])
def test_hardly_anything_seen_stays_finite(model, seen):
    rays, confidence = people()
    confidence[:, seen:] = 0
    assert all(torch.isfinite(output).all() for output in model(rays, confidence))


@torch.no_grad()
def test_joints_are_relative_to_the_root(model):
    for step in model.trajectory(*people()):
        assert (step.joints[:, 0] == 0).all()


@torch.no_grad()
def test_every_root_is_the_closed_form_of_its_pose(model):
    """In the view towards the person, the frame in which the graph solves."""
    rays, confidence = people()
    view = look_at_person(rays, confidence)
    for step in model.trajectory(rays, confidence):
        joints = view.from_camera(step.joints).double().numpy()
        expected = root_from_rays(view.rays.numpy(), joints, view.confidence.numpy())
        root = view.from_camera(step.root[:, None]).squeeze(1)
        np.testing.assert_allclose(root.numpy(), expected, atol=1e-5)


@torch.no_grad()
def test_the_residual_is_the_reprojection_error(model):
    rays, confidence = people()
    joints, root, residual = model(rays, confidence)
    points = (joints + root[:, None]).double()
    expected = (rays - points[..., :2] / points[..., 2:]).norm(dim=-1)
    expected[confidence == 0] = 0
    in_front = (points[..., 2] > 0.1).all(-1)
    assert in_front.any()
    np.testing.assert_allclose(residual[in_front].numpy(), expected[in_front].numpy(), atol=1e-5)


@torch.no_grad()
def test_trajectory_stops_where_asked(model):
    rays, confidence = people()
    every = model.trajectory(rays, confidence)
    assert len(every) == 3
    for steps in range(3):
        some = model.trajectory(rays, confidence, steps)
        assert len(some) == steps + 1
        assert torch.equal(some[-1].joints, every[steps].joints)
        shorter = model.with_steps(steps)
        assert torch.equal(shorter(rays, confidence)[0], every[steps].joints)


def test_the_view_turns_towards_the_person():
    rays, confidence = people()
    view = look_at_person(rays, confidence)
    assert (view.centre.abs() < 0.05).all()
    turn = view.rotation_camera_to_view.double().numpy()
    # Rotation.from_matrix projects onto the rotations: nothing changes if it is one already.
    np.testing.assert_allclose(Rotation.from_matrix(turn).as_matrix(), turn, atol=1e-6)
    points = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) * 3
    turned = view.from_camera(points)
    seen = confidence > 0
    torch.testing.assert_close(
        (turned[..., :2] / turned[..., 2:])[seen], view.rays[seen], atol=1e-5, rtol=0
    )
    torch.testing.assert_close(view.to_camera(turned), points, atol=1e-5, rtol=0)


def test_normalised_keypoints_have_mean_zero_and_size_one():
    """AbsPoseLifter eqs. 2 to 4, weighted by confidence."""
    view = look_at_person(*people())
    features, _ = Inputs(17, InputConfig()).of_lifter(view)
    keypoints, share = features[..., :2], view.confidence / view.confidence.sum(1, keepdim=True)
    mean = (share[..., None] * keypoints).sum(1)
    np.testing.assert_allclose(mean.numpy(), 0, atol=1e-5)
    np.testing.assert_allclose((share * (keypoints**2).sum(-1)).sum(1).numpy(), 1, atol=1e-4)


def test_sizes_are_those_of_the_papers():
    model = ErdModel(H36M17, ModelConfig())
    lifter = sum(parameter.numel() for parameter in model.lifter.parameters())
    regressors = [sum(p.numel() for p in one.parameters()) for one in model.regressors]
    assert 4.2e6 < lifter < 4.4e6
    assert len(regressors) == 4
    assert all(0.14e6 < size < 0.17e6 for size in regressors)  # ERD paper 3.2: "about 0.15 million"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModelConfig(lifter="cubic"), "unknown lifter 'cubic'; choose one of linear"),
        (lambda: ModelConfig(steps=-1), "steps is -1"),
        (lambda: LifterConfig(width=0), "width is 0"),
        (lambda: LifterConfig(dropout=1), "dropout is 1"),
        (lambda: LifterConfig(blocks=-1), "blocks is -1"),
        (lambda: ModelConfig(steps=10**9), "steps is 1000000000, expected 0 to 64"),
        (lambda: LifterConfig(width=10**9), "width is 1000000000, expected 1 to 4096"),
        (lambda: LifterConfig(blocks=10**9), "blocks is 1000000000, expected 0 to 16"),
        (lambda: LifterConfig(neighbours=10**9), "neighbours is 1000000000, expected 1 to 64"),
    ],
)
def test_configurations_that_make_no_sense(make, message):
    with pytest.raises(InputError, match=message):
        make()


@torch.no_grad()
def test_checkpoint_gives_the_model_back(tmp_path):
    model, artifact = untrained_model()
    save_model(tmp_path / "m.safetensors", model, artifact)
    again, description = load_model(tmp_path / "m.safetensors")
    assert description == artifact
    for one, other in zip(again(*people()), model(*people()), strict=True):
        assert torch.equal(one, other)


def test_loading_does_not_disturb_random_numbers(tmp_path):
    save_model(tmp_path / "m.safetensors", *untrained_model())
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    load_model(tmp_path / "m.safetensors")
    assert torch.equal(torch.rand(2), expected)


def test_checkpoints_that_are_no_models(tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(ArtifactError, match="does not exist"):
        load_model(path)
    save_model(path, *untrained_model())
    tensors, metadata = read_tensors(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match="truncated"):
        load_model(path)
    write_tensors(path, tensors, {})
    with pytest.raises(ArtifactError, match="not a model of erd_ros"):
        load_model(path)
    write_tensors(path, dict(list(tensors.items())[1:]), metadata)
    with pytest.raises(ArtifactError, match="do not make a model"):
        load_model(path)
    write_tensors(path, tensors, metadata | {MODEL_KEY: '{"lifter": "linear"}'})
    with pytest.raises(ArtifactError, match="do not make a model"):
        load_model(path)
    for garbage in ("null", "[]", "3", '{"inputs": 3}', "[" * 200_000, "9" * 5000):
        write_tensors(path, tensors, metadata | {MODEL_KEY: garbage})
        with pytest.raises(ArtifactError, match="do not make a model"):
            load_model(path)
