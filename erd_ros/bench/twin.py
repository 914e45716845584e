"""The same graph as PyTorch runs it eagerly, for comparison: its time depends on no weight."""

from pathlib import Path

from erd_ros.artifact import Artifact
from erd_ros.errors import ArtifactError


def write_twin(info: Artifact, path: Path) -> None:
    """Write a checkpoint of random weights with the architecture that a model file describes.

    Raises ArtifactError for a file that does not say how its model was configured.
    """
    import torch

    from erd_ros.models.checkpoint import save_model
    from erd_ros.models.config import ModelConfig
    from erd_ros.models.erd import ErdModel
    from erd_ros.train.config import from_values

    try:
        values = info.training["config"]["model"]
    except (KeyError, TypeError) as error:
        raise ArtifactError(
            f"model '{info.name}' does not say how it was configured; give --checkpoint"
        ) from error
    config = from_values(ModelConfig, values, info.name)
    torch.manual_seed(0)
    model = ErdModel(info.skeleton, config).eval()
    # A body with an extent, so that it has a depth.
    model.pose_mean.uniform_(-0.5, 0.5)
    model.pose_deviation.fill_(0.01)
    save_model(path, model, info)
