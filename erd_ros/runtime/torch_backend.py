"""PyTorch on a checkpoint of ``erd train``: for comparison; a robot runs the ONNX file."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from numpy.typing import ArrayLike

from erd_ros.artifact import Artifact
from erd_ros.errors import BackendError
from erd_ros.runtime import PoseOutputs, check_cues, check_inputs, empty_outputs

try:
    import torch

    from erd_ros.models.checkpoint import load_model
    from erd_ros.models.erd import ErdModel
except ImportError as error:
    raise BackendError(
        f"PyTorch cannot be imported ({error}); install it with `pip install erd_ros[train]`, "
        "or run the .onnx file of the same model"
    ) from error

DEVICES = ("cpu",)


class TorchBackend:
    """See ``erd_ros.runtime.Backend``."""

    name = "torch"

    def __init__(
        self, model: ErdModel, info: Artifact, device: str, threads: int, sha256: str
    ) -> None:
        self._model = model
        self._threads = threads
        self.info = info
        self.device = device
        self.precision = info.precision
        self.sha256 = sha256
        self.takes_cues = len(model.sizings) > 0

    def __call__(
        self, rays: ArrayLike, confidence: ArrayLike, cues: ArrayLike | None = None
    ) -> PoseOutputs:
        """Poses of N persons; see ``Backend``. Raises BackendError when PyTorch fails."""
        joints = len(self.info.skeleton)
        rays, confidence = check_inputs(rays, confidence, joints)
        more = check_cues(cues, len(rays), self.takes_cues)
        if not len(rays):
            return empty_outputs(joints, self.takes_cues)
        inputs = [torch.from_numpy(array) for array in (rays, confidence, *more)]
        try:
            with torch.inference_mode(), _threads(self._threads):
                outputs = self._model(*inputs)
        except RuntimeError as error:
            raise BackendError(f"PyTorch failed on {len(rays)} persons: {error}") from error
        return PoseOutputs(*(output.numpy() for output in outputs))


def load(path: Path, device: str, threads: int) -> TorchBackend:
    """Load a checkpoint; called through ``erd_ros.runtime.load``, which says what is raised."""
    if device not in DEVICES:
        raise BackendError(
            f"device '{device}' is not available with PyTorch; choose one of {', '.join(DEVICES)}"
        )
    model, info = load_model(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return TorchBackend(model, info, device, threads, sha256)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """PyTorch's number of threads belongs to the whole process: it is given back."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
