"""The accuracy of every backend and precision that is here, on the same people.

People, cameras and keypoints are those of the robot protocol; nothing is known besides.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from erd_ros.errors import BackendError
from erd_ros.evaluate.robot_protocol import robot_scene
from erd_ros.evaluate.scenes import Scene
from erd_ros.metrics import mpjpe_mm, mrpe_mm, pa_mpjpe_mm
from erd_ros.mocap import read_mocap
from erd_ros.pose import FloatArray
from erd_ros.runtime import BACKENDS, Backend, load

Figures = dict[str, object]
_BATCH = 1024  # persons of a call: PyTorch holds whatever it computes on the way


@dataclass(frozen=True)
class Executed:
    """A file and what executes it; ``name`` is the file's, as the command line has it."""

    name: str
    file: Path
    backend: str
    device: str

    @property
    def label(self) -> str:
        """Of a row in a table."""
        return f"{self.name}, {self.backend}, {self.device}"


def evaluate_backends(
    models: Mapping[str, Path],
    data: Path,
    sources: Sequence[str],
    split: str = "test",
    seed: int = 0,
) -> Figures:
    """Errors of every file with every backend that reads it, millimetres.

    The first file on the CPU is the reference that the others' joints are held against. The
    result's "missing" maps the label of what could not be run to the reason. Raises BackendError
    where the reference cannot be run, InputError or ArtifactError for unusable files.
    """
    scene = robot_scene(read_mocap(data, sources, split), seed).scene
    rows: dict[str, Figures] = {}
    missing: dict[str, str] = {}
    reference: tuple[FloatArray, FloatArray] | None = None
    for one in _executed(models):
        try:
            backend = load(one.file, one.device, threads=1, backend=one.backend)
            poses = _poses(backend, scene)
        except BackendError as error:
            if reference is None:
                raise
            missing[one.label] = str(error)
            continue
        reference = reference or poses
        rows[one.label] = {
            "precision": backend.precision,
            "sha256": backend.sha256,
            **_errors(*poses, scene),
            **_differences(poses[0], reference[0]),
        }
    return {"split": split, "poses": len(scene.rays), "rows": rows, "missing": missing}


def _executed(models: Mapping[str, Path]) -> Iterator[Executed]:
    """The first file on the CPU comes first. A file that nothing reads is left to ``load``."""
    for name, file in models.items():
        for device, backends in BACKENDS.get(file.suffix, {"cpu": ("none",)}).items():
            for backend in backends:
                yield Executed(name, file, backend, device)


def _poses(backend: Backend, scene: Scene) -> tuple[FloatArray, FloatArray]:
    """Joints (F, J, 3) relative to the root and root (F, 3), metres."""
    batches = [slice(first, first + _BATCH) for first in range(0, len(scene.rays), _BATCH)]
    found = [backend(scene.rays[some], scene.confidence[some]) for some in batches]
    joints, root = ([getattr(one, name) for one in found] for name in ("joints", "root"))
    return np.concatenate(joints), np.concatenate(root)


def _errors(joints: FloatArray, root: FloatArray, scene: Scene) -> Figures:
    joints_64, root_64 = joints.astype(np.float64), root.astype(np.float64)
    return {
        "mpjpe_mm": float(mpjpe_mm(joints_64, scene.joints).mean()),
        "pa_mpjpe_mm": float(pa_mpjpe_mm(joints_64, scene.joints).mean()),
        "mrpe_mm": float(mrpe_mm(root_64, scene.root).mean()),
    }


def _differences(joints: FloatArray, reference: FloatArray) -> Figures:
    """How far each joint lies from the reference's, millimetres."""
    apart = 1000 * np.linalg.norm(joints.astype(np.float64) - reference, axis=-1)
    return {"mean_difference_mm": float(apart.mean()), "largest_difference_mm": float(apart.max())}
