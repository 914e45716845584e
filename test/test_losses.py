"""What training makes small, computed once more by hand."""

import numpy as np
import pytest
from test_model_options import everyone, model_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.data.batches import Batch
from erd_ros.models.inputs import InputConfig
from erd_ros.models.known import no_cues
from erd_ros.train.losses import LOSSES, lifter_loss, step_loss

CAMERA = InputConfig("camera", "person", ("location", "scale"), confidence=False)


@pytest.fixture
def batch():
    rays, confidence, joints, root = everyone(6, seed=3)
    return Batch(rays, confidence, joints, root, no_cues(6, rays))


@torch.no_grad()
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_the_lifter(name, batch):
    model = model_of(inputs=CAMERA, root="learned", relative_to=("pelvis", "thorax"))
    lifted = model.lift(model.inputs.view(batch.rays, batch.confidence))
    joints = batch.joints.numpy()
    truth = np.stack([joints - joints[:, [0]], joints - joints[:, [8]]], 1)
    error = lifted.poses.numpy() - truth
    of_depth = np.abs(lifted.depth.numpy() - batch.root[:, 2].numpy())
    expected = {
        "distance": np.linalg.norm(error, axis=-1).mean(),
        "squared": ((error / model.pose_deviation.numpy()) ** 2).mean(),
        # AbsPoseLifter eq. 7: of a camera of 1000 pixels, Human3.6M's having 1146.
        "canonical": (of_depth * 1000 / 1146).mean() + np.abs(error).sum((1, 2, 3)).mean(),
    }[name]
    assert float(lifter_loss(model, batch, name)) == pytest.approx(expected, rel=1e-4)


@torch.no_grad()
def test_loss_of_steps_is_the_mean_distance(batch):
    """ERD paper eq. 3, summed over the steps asked for."""
    model = model_of()
    distances = [
        float((step.joints - batch.joints).norm(dim=-1).mean())
        for step in model.trajectory(batch.rays, batch.confidence)
    ]
    assert float(step_loss(model, batch, 2, 2)) == pytest.approx(distances[2], rel=1e-5)
    assert float(step_loss(model, batch, 1, 2)) == pytest.approx(sum(distances[1:]), rel=1e-5)


def test_only_the_canonical_loss_teaches_depth(batch):
    model = model_of(inputs=CAMERA, root="learned")
    last = model.lifter.network[-1]
    depth = [2 + 0]  # z of the root in the flattened pose
    for name, teaches in {"distance": False, "squared": False, "canonical": True}.items():
        model.zero_grad()
        lifter_loss(model, batch, name).backward()
        assert bool(last.weight.grad[depth].abs().sum() > 0) is teaches
