"""From an ONNX file to a TensorRT engine, for TensorRT 8.6 to 11 through what all of them have."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from erd_ros.errors import ArtifactError, BackendError

try:
    import tensorrt as tensorrt  # handed on to the backend
except ImportError as error:
    raise BackendError(
        f"TensorRT cannot be imported ({error}); on a Jetson it is JetPack's python3-libnvinfer, "
        "elsewhere `pip install tensorrt`; or set allow_fallback: true, or device: cpu"
    ) from error

_logger = logging.getLogger(__name__)
_OLDEST = (8, 6)
_WORKSPACE = 1 << 28  # bytes; the networks here need far less
_LEVELS = {"INTERNAL_ERROR": logging.ERROR, "ERROR": logging.ERROR, "WARNING": logging.WARNING}


class Log(tensorrt.ILogger):  # type: ignore[misc]  # published without types
    """TensorRT's messages in Python's log: errors and warnings as such, the rest for debugging."""

    def __init__(self) -> None:
        tensorrt.ILogger.__init__(self)

    def log(self, severity: Any, message: str) -> None:
        """Called by TensorRT."""
        level = _LEVELS.get(getattr(severity, "name", ""), logging.DEBUG)
        _logger.log(level, "TensorRT: %s", message)


def check_version() -> None:
    """Raise BackendError for a TensorRT without the calls that are used here."""
    version = tensorrt.__version__
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        raise BackendError(
            f"TensorRT is {version}, expected {_OLDEST[0]}.{_OLDEST[1]} or newer; update JetPack, "
            "or set allow_fallback: true, or device: cpu"
        )


@contextmanager
def making(what: str) -> Iterator[None]:
    """Its Python module says TypeError where its library could make none and logged why."""
    try:
        yield
    except TypeError as error:
        raise BackendError(
            f"TensorRT {tensorrt.__version__} could not make {what} ({error}); its log says why "
            "(often: no driver, or one older than its CUDA); run with backend 'onnxruntime'"
        ) from error


def build(
    model: bytes, source: str, precision: str, max_persons: int, log: "tensorrt.ILogger"
) -> bytes:
    """Content of an engine for 1 to ``max_persons`` persons; takes seconds to minutes.

    Raises ArtifactError for a model that TensorRT cannot read, BackendError when building fails.
    """
    with making("a builder"):
        builder = tensorrt.Builder(log)
    network = builder.create_network(_network_flags())
    with making("a parser"):
        parser = tensorrt.OnnxParser(network, log)
    if not parser.parse(model):
        reasons = [str(parser.get_error(index)) for index in range(parser.num_errors)]
        raise ArtifactError(
            f"{source} cannot be read by TensorRT {tensorrt.__version__}: "
            f"{'; '.join(reasons) or 'no reason given'}; export it again with `erd export`"
        )
    config = _config(builder, network, precision, max_persons)
    _logger.info(
        "TensorRT %s builds an engine of %s for 1 to %d persons; this may take minutes",
        tensorrt.__version__, source, max_persons,
    )  # fmt: skip
    started = time.monotonic()
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BackendError(
            f"TensorRT {tensorrt.__version__} could not build an engine of {source}; its log says "
            "why (often: too little memory); run with backend 'onnxruntime' meanwhile"
        )
    _logger.info("TensorRT built it in %.1f s", time.monotonic() - started)
    return bytes(plan)


def _network_flags() -> int:
    """8.6 asks for the first; 10 offers the second, without which it may change precisions."""
    kinds = tensorrt.NetworkDefinitionCreationFlag
    offered = [getattr(kinds, name, None) for name in ("EXPLICIT_BATCH", "STRONGLY_TYPED")]
    flags = 0
    for flag in offered:
        flags |= 0 if flag is None else 1 << int(flag)
    return flags


def _config(
    builder: "tensorrt.Builder",
    network: "tensorrt.INetworkDefinition",
    precision: str,
    max_persons: int,
) -> "tensorrt.IBuilderConfig":
    config = builder.create_builder_config()
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, _WORKSPACE)
    flags = tensorrt.BuilderFlag
    # float32 means float32: TensorFloat-32 rounds to ten bits.
    if hasattr(flags, "TF32"):
        config.clear_flag(flags.TF32)
    strongly_typed = hasattr(tensorrt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED")
    if precision != "float32" and not strongly_typed:
        config.set_flag(flags.FP16)
        _hold_float32(network, config)
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        rest = tuple(tensor.shape)[1:]
        # One person is the case whose latency matters most.
        profile.set_shape(tensor.name, (1, *rest), (1, *rest), (max_persons, *rest))
    config.add_optimization_profile(profile)
    if hasattr(tensorrt, "IProgressMonitor"):  # from TensorRT 10 on
        config.progress_monitor = _progress_in_log()
    return config


def _hold_float32(
    network: "tensorrt.INetworkDefinition", config: "tensorrt.IBuilderConfig"
) -> None:
    """Before strong typing: what the file has in float32, the root's solution, stays that."""
    config.set_flag(tensorrt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.num_outputs and layer.get_output(0).dtype == tensorrt.float32:
            layer.precision = tensorrt.float32


def _progress_in_log() -> "tensorrt.IProgressMonitor":
    """A monitor that logs each outermost phase of building; TensorRT calls it from its threads."""

    class Progress(tensorrt.IProgressMonitor):  # type: ignore[misc]  # published without types
        def __init__(self) -> None:
            tensorrt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            level = logging.DEBUG if parent_phase else logging.INFO
            _logger.log(level, "TensorRT: %s, %d steps", phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return True  # go on

        def phase_finish(self, phase_name: str) -> None:
            _logger.debug("TensorRT: %s is done", phase_name)

    return Progress()
