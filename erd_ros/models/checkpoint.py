"""Files of tensors: safetensors with what rebuilds the model in the header, never a pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from erd_ros.artifact import METADATA_KEY, Artifact
from erd_ros.digest import BLANK, check_tensors, with_digest_in_header
from erd_ros.digest import METADATA_KEY as DIGEST_KEY
from erd_ros.errors import ArtifactError, InputError
from erd_ros.files import write_atomically
from erd_ros.models.config import ModelConfig
from erd_ros.models.erd import ErdModel
from erd_ros.models.inputs import InputConfig
from erd_ros.models.linear import LifterConfig, RegressorConfig

MODEL_KEY = "erd_ros.model"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write safetensors with their digest, whole or not at all. Raises InputError."""
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    content = save(contiguous, {**metadata, DIGEST_KEY: BLANK})
    write_atomically(path, with_digest_in_header(content))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises ArtifactError when it is not one, or not what was written.
    """
    if not path.is_file():
        raise ArtifactError(f"checkpoint {path} does not exist; `erd train` writes it")
    check_tensors(path)
    try:
        with safe_open(path, framework="pt") as file:
            # Copied: tensors mapped from the file would crash the process if it were truncated.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise ArtifactError(
            f"{path} is not a safetensors file that can be read, perhaps truncated: {error}; "
            "copy it again"
        ) from error
    metadata.pop(DIGEST_KEY, None)
    return tensors, metadata


def save_model(path: Path, model: ErdModel, artifact: Artifact) -> None:
    """Write a model that ``load_model`` rebuilds. Raises InputError when it cannot be written."""
    metadata = {METADATA_KEY: artifact.to_json(), MODEL_KEY: json.dumps(asdict(model.config))}
    write_tensors(path, model.state_dict(), metadata)


def load_model(path: Path) -> tuple[ErdModel, Artifact]:
    """The model of a checkpoint, ready to run, and what the file says about itself.

    Raises ArtifactError for a file that is missing, truncated, foreign or does not fit itself.
    """
    path = Path(path)
    tensors, metadata = read_tensors(path)
    artifact = Artifact.from_metadata(metadata, str(path))
    try:
        config = _model_config(json.loads(metadata[MODEL_KEY]))
        # The initialisation is thrown away, so it must not disturb the caller's random numbers.
        with torch.random.fork_rng(devices=[]):
            model = ErdModel(artifact.skeleton, config)
        model.load_state_dict(tensors)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError,
            InputError) as error:  # fmt: skip
        raise ArtifactError(
            f"{path}: its description and its tensors do not make a model: {str(error)[:200]}"
        ) from error
    return model.eval(), artifact


def _model_config(values: dict[str, Any]) -> ModelConfig:
    inputs = values.pop("inputs")
    return ModelConfig(
        inputs=InputConfig(**inputs | {"context": tuple(inputs["context"])}),
        lifter_size=LifterConfig(**values.pop("lifter_size")),
        regressor_size=RegressorConfig(**values.pop("regressor_size")),
        relative_to=tuple(values.pop("relative_to")),
        **values,
    )
