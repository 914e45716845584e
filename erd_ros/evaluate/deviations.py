"""How far each joint errs, measured on subjects that training has not seen."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from erd_ros.artifact import METADATA_KEY, Artifact, Deviations
from erd_ros.digest import METADATA_KEY as DIGEST_KEY
from erd_ros.digest import with_digest
from erd_ros.errors import InputError
from erd_ros.evaluate.coverage import directions
from erd_ros.evaluate.robot_protocol import robot_scene
from erd_ros.evaluate.scenes import Scene
from erd_ros.evaluate.steps import load_steps
from erd_ros.mocap import read_mocap

Array = NDArray[np.float64]
# Of fewer joints a deviation would be chance.
_FEWEST = 100


def measured_deviations(
    model: Path, data: Path, sources: Sequence[str], split: str = "val", seed: int = 0
) -> Deviations:
    """(J, 2, 2) for ``Artifact.deviations``, root mean squares under the robot protocol.

    Raises InputError for a model that does not say how large people are, or for too few poses.
    """
    loaded = load_steps(model)
    scene = robot_scene(read_mocap(data, sources, split), seed).scene
    size, _ = loaded.size_and_sigma(scene.rays, scene.confidence)
    if size is None:
        raise InputError(f"{model} takes no cues; train one with model: {{root: cues}}")
    joints, root = loaded(scene.rays, scene.confidence)[-1]
    squares = _squares(joints, root, scene) / np.square(size)[:, None, None]
    seen = scene.confidence > 0
    fewest = min(int(mask.sum(0).min()) for mask in (seen, ~seen))
    if fewest < _FEWEST:
        raise InputError(
            f"a joint was {'seen' if fewest == seen.sum(0).min() else 'unseen'} {fewest} times in "
            f"{len(seen)} poses, {_FEWEST} are needed; give more of {', '.join(sources)}"
        )
    deviations = np.stack([_mean_roots(squares, mask) for mask in (seen, ~seen)], 1)
    return tuple(
        tuple(tuple(round(float(value), 5) for value in row) for row in joint)
        for joint in deviations
    )


def with_deviations(content: bytes, deviations: Deviations) -> bytes:
    """A model file with these in its description."""
    proto = onnx.load_model_from_string(content)
    metadata = {one.key: one.value for one in proto.metadata_props if one.key != DIGEST_KEY}
    described = replace(Artifact.from_metadata(metadata, "the model"), deviations=deviations)
    onnx.helper.set_model_props(proto, {**metadata, METADATA_KEY: described.to_json()})
    return with_digest(proto.SerializeToString())


def _squares(joints: Array, root: Array, scene: Scene) -> Array:
    """(F, J, 2) squared errors, square metres: across the ray, of one axis, and along it."""
    direction = directions(root)[:, None]
    relative = joints - scene.joints
    errors = relative + (root - scene.root)[:, None]
    along = (errors * direction).sum(-1)
    across = (np.square(errors).sum(-1) - along**2) / 2
    return np.stack([across, np.square((relative * direction).sum(-1))], -1)


def _mean_roots(squares: Array, mask: NDArray[np.bool_]) -> Array:
    """(J, 2) roots of the means over the poses of a mask (F, J)."""
    total = np.where(mask[..., None], squares, 0).sum(0)
    return np.asarray(np.sqrt(total / mask.sum(0)[:, None]))
