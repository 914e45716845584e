"""Running a model file: one call, whatever executes it."""

import importlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from erd_ros.artifact import Artifact
from erd_ros.cues import CUES, Cues
from erd_ros.errors import ArtifactError, BackendError, InputError
from erd_ros.golden import Golden
from erd_ros.pose import FloatArray
from erd_ros.runtime.self_test import SelfTest, self_test

_logger = logging.getLogger(__name__)

_NO_CUES = Cues().row()
DEFAULT_MODEL = Path(__file__).parents[1] / "weights" / "robot_erd.onnx"


@dataclass(frozen=True, eq=False)
class PoseOutputs:
    """What the graph says of N persons, in the camera optical frame.

    joints    (N, J, 3) float32, metres, relative to the root
    root      (N, 3) float32, metres
    residual  (N, J) float32, reprojection error per joint in normalised image coordinates
    size      (N, 4) float32, metres, the person's size (``cues.py``) and its standard deviation;
              both again for what this image measures, without guess and cue of the size
    sigma     (N,) float32, standard deviation of the root along the ray to the person, metres

    The last two are of models that take cues, None of others.
    """

    joints: FloatArray
    root: FloatArray
    residual: FloatArray
    size: FloatArray | None = None
    sigma: FloatArray | None = None


class Backend(Protocol):
    """A model file, loaded and ready. Made by ``load``.

    info       what the file says about itself
    name       what executes it: "onnxruntime", "tensorrt", "onnxruntime_tensorrt", "torch"
    device     where: "cpu", "cuda"
    precision  numbers it computes with: "float32", "mixed_float16"
    sha256     of the file, hexadecimal
    takes_cues whether what a robot knows besides can be given
    golden     what the file says that should come out, None where it says nothing
    self_test  what ``load`` found when it held the backend against that
    fallbacks  why each backend before this one was refused; empty unless it is a fallback
    """

    info: Artifact
    name: str
    device: str
    precision: str
    sha256: str

    takes_cues: bool
    golden: Golden | None
    self_test: SelfTest | None
    fallbacks: tuple[str, ...]

    def __call__(
        self, rays: ArrayLike, confidence: ArrayLike, cues: ArrayLike | None = None
    ) -> PoseOutputs:
        """Poses of N persons, N may be 0, from rays (N, J, 2) and confidence (N, J) in 0..1.

        Rays are undistorted normalised image coordinates in the model's joint order. A joint
        without confidence, or whose ray is not finite, is missing. Cues (N, C) are rows of
        ``erd_ros.cues.Cues``, for a model that takes them; it does without where none are given.
        Raises InputError for shapes that do not fit the model, and for cues to one without.
        """
        ...


def load(
    path: str | Path,
    device: str = "cpu",
    threads: int = 1,
    backend: str | None = None,
    allow_fallback: bool = False,
    max_persons: int = 64,
) -> Backend:
    """Load a model file and hold it against the file's golden vectors.

    device          where it runs, "cpu" or "cuda"
    threads         CPU threads of one call; they share its persons, from 16 on
    backend         what executes it; where not given, the first for the suffix and the device
    allow_fallback  whether a backend that cannot be had, or fails its self-test, is replaced by the
                    next one, on the CPU in the end; said in the log and in ``Backend.fallbacks``
    max_persons     of one run on a graphics processor; larger batches are split into runs
    Raises ArtifactError for a file that is missing, corrupt, foreign or of an unknown suffix,
    BackendError for a backend that cannot run it here or fails the self-test.
    """
    path = Path(path)
    if threads < 1:
        raise InputError(f"threads is {threads}, expected 1 or more")
    if max_persons < 1:
        raise InputError(f"max_persons is {max_persons}, expected 1 or more")
    if path.suffix not in BACKENDS:
        raise ArtifactError(
            f"{path}: no backend reads '{path.suffix}' files; choose one of {', '.join(BACKENDS)}"
        )
    if not path.is_file():
        raise ArtifactError(
            f"model file {path} does not exist; the one that ships is {DEFAULT_MODEL}, "
            "and `erd export` writes others"
        )
    candidates = _candidates(path.suffix, device, backend)
    *first, last = candidates if allow_fallback else candidates[:1]
    refused: list[str] = []
    for name, where in first:
        try:
            return _tested(path, name, where, threads, max_persons, refused)
        except BackendError as error:
            refused.append(f"{name} on {where}: {error}")
            _logger.warning("falls back, for it cannot use %s", refused[-1])
    return _tested(path, *last, threads, max_persons, refused)


def _tested(
    path: Path, name: str, device: str, threads: int, max_persons: int, refused: list[str]
) -> Backend:
    module = importlib.import_module(_MODULES[name])
    backend: Backend = module.load(path, device, threads, max_persons)
    backend.self_test = self_test(backend)
    backend.fallbacks = tuple(refused)
    outcome = backend.self_test or "not self-tested: the file has no golden vectors"
    _logger.info("%s runs on %s with %s; %s", path.name, device, name, outcome)
    return backend


def _candidates(suffix: str, device: str, backend: str | None) -> list[tuple[str, str]]:
    """Backends and devices in the order in which they are tried. Raises BackendError."""
    devices = BACKENDS[suffix]
    if device not in devices:
        raise BackendError(
            f"device '{device}' is not available for {suffix} files; "
            f"choose one of {', '.join(devices)}"
        )
    if backend is not None and backend not in devices[device]:
        raise BackendError(
            f"backend '{backend}' does not run {suffix} files on {device}; "
            f"choose one of {', '.join(devices[device])}"
        )
    ordered = sorted(devices[device], key=lambda name: name != backend)
    pairs = [(name, device) for name in ordered] + [(name, "cpu") for name in devices["cpu"]]
    return list(dict.fromkeys(pairs))


def check_inputs(
    rays: ArrayLike, confidence: ArrayLike, joints: int
) -> tuple[FloatArray, FloatArray]:
    """Rays (N, J, 2) and confidence (N, J) as the graph wants them: float32, finite, 0..1.

    Raises InputError for arrays of another shape or not of numbers.
    """
    try:
        rays = np.array(rays, np.float32)
        confidence = np.array(confidence, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"rays and confidence must be arrays of numbers: {error}") from error
    if rays.ndim != 3 or rays.shape[1:] != (joints, 2):
        raise InputError(f"rays have shape {rays.shape}, expected (N, {joints}, 2)")
    if confidence.shape != rays.shape[:2]:
        raise InputError(f"confidence has shape {confidence.shape}, expected {rays.shape[:2]}")
    missing = ~(np.isfinite(rays).all(-1) & (confidence > 0))
    rays[missing] = 0
    confidence[missing] = 0
    return rays, np.minimum(confidence, 1)


def check_cues(cues: ArrayLike | None, persons: int, takes_cues: bool) -> tuple[FloatArray, ...]:
    """Cues (N, C) as the graph wants them, or nothing for a graph that takes none.

    Raises InputError for cues to a model that takes none, for another shape, and for variances
    that are not above 0 or values of a cue that are not finite.
    """
    if not takes_cues:
        if cues is not None:
            raise InputError("this model takes no cues; give none, or run a model with root: cues")
        return ()
    if cues is None:
        return (np.tile(_NO_CUES, (persons, 1)),)
    rows = np.array(cues, np.float32)
    if rows.shape != (persons, len(CUES)):
        raise InputError(f"cues have shape {rows.shape}, expected {(persons, len(CUES))}")
    variances = np.array([name.endswith("_variance") for name in CUES])
    # A tilt may be exact, and only means something with a known camera height.
    if not (rows[:, variances] >= 0).all() or not np.isfinite(rows[:, ~variances]).all():
        raise InputError("a cue's variance is negative or NaN, or its value is not finite")
    return (rows,)


def empty_outputs(joints: int, takes_cues: bool) -> PoseOutputs:
    """The outputs for nobody, which no backend needs to be asked for."""
    nobody = PoseOutputs(
        np.zeros((0, joints, 3), np.float32),
        np.zeros((0, 3), np.float32),
        np.zeros((0, joints), np.float32),
    )
    if not takes_cues:
        return nobody
    return replace(nobody, size=np.zeros((0, 4), np.float32), sigma=np.zeros(0, np.float32))


# By suffix and device, the first is the default.
BACKENDS: dict[str, dict[str, tuple[str, ...]]] = {
    ".onnx": {"cpu": ("onnxruntime",), "cuda": ("tensorrt", "onnxruntime_tensorrt", "onnxruntime")},
    ".safetensors": {"cpu": ("torch",), "cuda": ("torch",)},
}
_MODULES = {
    "onnxruntime": "erd_ros.runtime.onnx_backend",
    "tensorrt": "erd_ros.runtime.tensorrt_backend",
    "onnxruntime_tensorrt": "erd_ros.runtime.onnx_tensorrt_backend",
    "torch": "erd_ros.runtime.torch_backend",
}
