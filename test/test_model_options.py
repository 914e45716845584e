"""What a configuration of the graph may choose: inputs, features, roots, several roots."""

import numpy as np
import pytest
from test_models import people
from tiny_mocap import write_tiny_mocap
from tiny_onnx import FIGURE

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.artifact import Artifact
from erd_ros.cli import main
from erd_ros.errors import ArtifactError, InputError
from erd_ros.export import export
from erd_ros.geometry.root import solve_root_weak_perspective
from erd_ros.models.checkpoint import load_model, save_model
from erd_ros.models.config import ModelConfig
from erd_ros.models.erd import ErdModel
from erd_ros.models.inputs import InputConfig
from erd_ros.models.linear import LifterConfig, RegressorConfig
from erd_ros.skeleton import H36M17

PAPER = InputConfig(frame="camera", scaling="data", context=(), confidence=False)
SMALL = {"lifter_size": LifterConfig(32, 1, 0.0), "regressor_size": RegressorConfig(16)}


def everyone(persons=400, seed=0):
    """Rays, confidence 1, joints and root of the figure at several places."""
    generator = np.random.default_rng(seed)
    root = np.stack([*generator.uniform(-1, 1, (2, persons)), generator.uniform(3, 6, persons)], -1)
    joints = FIGURE + generator.normal(0, 0.1, (persons, 17, 3))
    joints -= joints[:, :1]
    points = joints + root[:, None]
    arrays = (points[..., :2] / points[..., 2:], np.ones((persons, 17)), joints, root)
    return tuple(torch.tensor(array, dtype=torch.float32) for array in arrays)


def model_of(**choices):
    """Small, with the statistics of everyone and regressors that change something."""
    torch.manual_seed(0)
    model = ErdModel(H36M17, ModelConfig(**{"steps": 2, **SMALL, **choices}))
    model.set_statistics(*everyone())
    for regressor in model.regressors:
        torch.nn.init.normal_(regressor.network[-1].weight, std=0.1)
    return model.eval()


@torch.no_grad()
def test_an_untrained_regressor_changes_nothing():
    torch.manual_seed(0)
    model = ErdModel(H36M17, ModelConfig(steps=2, **SMALL)).eval()
    first, *others = model.trajectory(*people())
    assert all(torch.equal(first.joints, one.joints) for one in others)


@torch.no_grad()
def test_scaled_by_data_has_mean_zero_and_deviation_one():
    """ERD paper 4.2, for keypoints and for what the lifter gives."""
    rays, confidence, joints, _ = everyone()
    model = model_of(inputs=PAPER)
    view = model.inputs.view(rays, confidence)
    keypoints, context = model.inputs.of_lifter(view)
    np.testing.assert_allclose(keypoints.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(keypoints.std(0), 1, atol=1e-2)
    assert context.shape == (len(rays), 0)
    standardised = (joints - model.pose_mean[0]) / model.pose_deviation[0]
    np.testing.assert_allclose(standardised[:, 1:].std(0), 1, atol=1e-2)


@torch.no_grad()
def test_location_and_scale_are_those_of_absposelifter():
    """Eqs. 3 and 4, standardised."""
    rays, confidence, *_ = everyone()
    inputs = InputConfig("camera", "person", ("location", "scale"), confidence=False)
    model = model_of(inputs=inputs)
    _, context = model.inputs.of_lifter(model.inputs.view(rays, confidence))
    mean = rays.mean(1)
    scale = (rays - mean[:, None]).square().sum(-1).mean(1).sqrt()
    expected = torch.cat([mean, scale[:, None]], -1)
    expected = (expected - expected.mean(0)) / expected.std(0)
    torch.testing.assert_close(context, expected, atol=1e-3, rtol=0)


@torch.no_grad()
def test_the_frame_of_the_camera_turns_nothing():
    rays, confidence, joints, _ = everyone(3)
    view = model_of(inputs=PAPER).inputs.view(rays, confidence)
    assert torch.equal(view.rays, rays)
    assert torch.equal(view.to_camera(joints), joints)


@torch.no_grad()
@pytest.mark.parametrize("feature", ["init2d", "proj2d", "concat", "residual"])
@pytest.mark.parametrize("pca", [0, 12])
def test_features_of_the_regressors(feature, pca):
    """ERD paper table 2, reduced as the authors do it: difference after PCA, not before."""
    rays, confidence, joints, root = everyone(5, seed=1)
    model = model_of(inputs=InputConfig("camera", "data", (), False, pca), feature=feature)
    view = model.inputs.view(rays, confidence)
    points = joints * 1.02 + root[:, None]
    projected = points[..., :2] / points[..., 2:]

    def reduced(keypoints):
        scaled = (keypoints - model.inputs.keypoint_mean) / model.inputs.keypoint_deviation
        if not pca:
            return scaled.flatten(1)
        return (scaled.flatten(1) - model.inputs.pca_mean) @ model.inputs.pca_components.T

    given, again = reduced(rays), reduced(projected)
    expected = {
        "init2d": given,
        "proj2d": again,
        "concat": torch.cat([given.view(5, -1, pca or 2), again.view(5, -1, pca or 2)], -1),
        "residual": given - again,
    }[feature].flatten(1)
    features = model.inputs.of_regressor(feature, view, (view.rays - projected).mT).flatten(1)
    assert features.shape[1] == model.inputs.regressor_size(feature)
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=0)


def test_principal_components_are_those_of_the_covariance():
    rays, *_ = everyone()
    model = model_of(inputs=InputConfig("camera", "data", (), False, pca=6))
    scaled = (rays - model.inputs.keypoint_mean) / model.inputs.keypoint_deviation
    values, vectors = np.linalg.eigh(np.cov(scaled.flatten(1).numpy().astype(np.float64).T))
    leading = vectors[:, np.argsort(values)[::-1][:6]].T
    along = np.abs((leading * model.inputs.pca_components.numpy()).sum(1))
    np.testing.assert_allclose(along, 1, atol=1e-3)


@torch.no_grad()
def test_a_given_root_is_kept_and_needed():
    rays, confidence, _, root = everyone(5)
    model = model_of(root="given")
    for step in model.trajectory(rays, confidence, root=root):
        torch.testing.assert_close(step.root, root, atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="trained with the true root; give it"):
        model.trajectory(rays, confidence)


@torch.no_grad()
def test_a_learned_root_stands_on_its_ray():
    """AbsPoseLifter eq. 5; the depth has the mean and the deviation of the data's."""
    rays, confidence, _, root = everyone()
    model = model_of(root="learned", inputs=PAPER)
    assert model.pose_mean[0, 0, 2] == pytest.approx(float(root[:, 2].mean()), abs=1e-3)
    assert model.pose_deviation[0, 0, 2] == pytest.approx(float(root[:, 2].std()), abs=1e-3)
    for step in model.trajectory(rays, confidence):
        torch.testing.assert_close(
            step.root[:, :2] / step.root[:, 2:], rays[:, 0], atol=1e-5, rtol=0
        )
        assert (step.joints[:, 0] == 0).all()


@torch.no_grad()
def test_the_weak_perspective_root_is_the_solver_s():
    rays, confidence, *_ = everyone(5)
    for step in model_of(root="weak_perspective", inputs=PAPER).trajectory(rays, confidence):
        expected = torch.stack(solve_root_weak_perspective(rays, step.joints, confidence), -1)
        torch.testing.assert_close(step.root, expected)


@torch.no_grad()
def test_the_root_can_be_solved_once():
    rays, confidence, *_ = everyone(5)
    first, *others = model_of(root_every_step=False).trajectory(rays, confidence)
    assert all(torch.equal(one.root, first.root) for one in others)
    assert not any(torch.equal(one.joints, first.joints) for one in others)


@torch.no_grad()
def test_several_roots_are_averaged():
    """Park et al. 2016: each pose moved to the pelvis, then the mean."""
    rays, confidence, joints, _ = everyone(5)
    names = ("pelvis", "thorax", "left_wrist")
    model = model_of(relative_to=names)
    view = model.inputs.view(rays, confidence)
    poses = model.lift(view).poses
    indices = [H36M17.index(name) for name in names]
    for number, index in enumerate(indices):
        assert (poses[:, number, index] == 0).all()
    expected = np.mean([poses[:, r] - poses[:, r, :1] for r in range(3)], axis=0)
    np.testing.assert_allclose(model.lift(view).joints, expected, atol=1e-5)
    truth = model.relative_poses(view, joints)
    np.testing.assert_allclose(truth[:, 1, 0], -truth[:, 0, indices[1]], atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModelConfig(feature="both"), "unknown feature 'both'; choose one of init2d, proj"),
        (lambda: ModelConfig(root="guessed"), "unknown root 'guessed'; choose one of given, persp"),
        (lambda: ModelConfig(relative_to=()), "relative_to is empty; name one joint or more"),
        (lambda: model_of(relative_to=("tail",)), "unknown joint 'tail'; choose one of pelvis"),
        (lambda: model_of(relative_to=("thorax",)), "begins with thorax, expected pelvis"),
        (lambda: InputConfig(frame="room"), "unknown frame 'room'; choose one of person, camera"),
        (lambda: InputConfig(scaling="inch"), "unknown scaling 'inch'; choose one of person, data"),
        (lambda: InputConfig(context=("mood",)), "unknown context 'mood'; choose one of direction"),
        (lambda: InputConfig(pca=-1), "pca is -1, expected 0"),
        (lambda: model_of(inputs=InputConfig(pca=35)), "pca is 35, at most 34 for 17 joints"),
        (
            lambda: ModelConfig(lifter="lcn", inputs=InputConfig(pca=30)),
            "lifter 'lcn' reads joints, which pca 30 dissolves; .*linear, abspose",
        ),
    ],
)
def test_choices_that_do_not_exist(make, message):
    with pytest.raises(InputError, match=message):
        make()


CHOICES = {
    "papers": {"inputs": PAPER, "feature": "concat"},
    "pca": {"inputs": InputConfig("camera", "data", ("location", "scale"), False, pca=30)},
    "several roots": {"relative_to": ("pelvis", "thorax"), "root_every_step": False},
    "weak perspective": {"root": "weak_perspective"},
    "learned root": {"root": "learned", "inputs": PAPER, "steps": 0},
    "given root": {"root": "given"},
}


@pytest.mark.parametrize("choices", CHOICES.values(), ids=CHOICES)
def test_checkpoints_and_files_hold_what_was_chosen(choices, tmp_path):
    model = model_of(**choices)
    path = tmp_path / "model.safetensors"
    save_model(path, model, Artifact("chosen", H36M17, model.config.steps))
    assert load_model(path)[0].config == model.config
    if model.config.root == "given":
        with pytest.raises(ArtifactError, match="needs the true root, which no robot has"):
            export(path, tmp_path / "model.onnx")
    else:
        assert export(path, tmp_path / "model.onnx")["largest_difference_m"] <= 1e-5


def test_pca_on_the_command_line(tmp_path, capsys):
    config = tmp_path / "config.yaml"
    config.write_text(
        "{lifter_steps: 2, batch_size: 8, validation_size: 16, model: {steps: 0, inputs: "
        "{confidence: false}, lifter_size: {width: 8, blocks: 1}}}"
    )
    data = write_tiny_mocap(tmp_path)
    words = ["train", str(config), "--data", str(data), "--out", str(tmp_path / "run")]
    assert main([*words, "--pca", "9"]) == 0
    model, _ = load_model(tmp_path / "run" / "final.safetensors")
    assert model.inputs.pca_components.shape == (9, 34)
