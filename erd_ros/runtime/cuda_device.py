"""The few calls of the CUDA runtime that a TensorRT engine needs, through ``cuda-python``."""

import ctypes
import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from erd_ros.errors import BackendError
from erd_ros.pose import FloatArray

_WAYS_OUT = {
    "cudaErrorInsufficientDriver": "the driver is missing or older than the CUDA runtime; update "
    "it, or install a cuda-python of the driver's CUDA version",
    "cudaErrorNoDevice": "there is no NVIDIA graphics processor, or this user may not use it",
    "cudaErrorMemoryAllocation": "the graphics processor's memory is full; stop what else uses it, "
    "or lower max_persons",
    "cudaErrorDevicesUnavailable": "the graphics processor is in exclusive use by another process",
}
_LOST = "the graphics processor may be gone (`dmesg`, `nvidia-smi`); start the node anew"


@dataclass(frozen=True, eq=False)
class Buffer:
    """Numbers on both sides: ``host`` is pinned memory, ``device`` an address."""

    host: FloatArray
    device: int


class Cuda:
    """One graphics processor, one stream. Raises BackendError for whatever CUDA reports."""

    def __init__(self, runtime: Any = None, index: int = 0) -> None:
        """``runtime`` is ``cuda.bindings.runtime``; imported where not given."""
        self._runtime = _import_runtime() if runtime is None else runtime
        self._call("cudaSetDevice", index)
        self.driver = int(self._call("cudaDriverGetVersion"))
        properties = self._call("cudaGetDeviceProperties", index)
        self.gpu = (
            properties.name.decode() if isinstance(properties.name, bytes) else str(properties.name)
        )
        self.capability = f"{properties.major}.{properties.minor}"
        self._stream = self._call("cudaStreamCreate")
        self._frees: list[tuple[str, Any]] = [("cudaStreamDestroy", self._stream)]
        weakref.finalize(self, _free, self._runtime, self._frees)

    @property
    def stream(self) -> int:
        """The stream's handle, as TensorRT takes it."""
        return int(self._stream)

    def buffer(self, shape: tuple[int, ...]) -> Buffer:
        """Float32 numbers of a shape, zero on the host."""
        count = math.prod(shape)
        host = self._kept("cudaFreeHost", self._call("cudaHostAlloc", 4 * count, 0))
        device = self._kept("cudaFree", self._call("cudaMalloc", 4 * count))
        array = np.ctypeslib.as_array((ctypes.c_float * count).from_address(int(host)))
        array[:] = 0
        return Buffer(array.reshape(shape), int(device))

    def upload(self, buffer: Buffer) -> None:
        """Host to device, on the stream."""
        self._copy(buffer.device, buffer.host.ctypes.data, buffer, "cudaMemcpyHostToDevice")

    def download(self, buffer: Buffer) -> None:
        """Device to host, on the stream."""
        self._copy(buffer.host.ctypes.data, buffer.device, buffer, "cudaMemcpyDeviceToHost")

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """What puts the work on the stream again as one graph; the work itself is not done."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", self._stream, mode)
        try:
            work()
        finally:
            graph = self._call("cudaStreamEndCapture", self._stream)
        # Its name and arguments are the same from CUDA 11.4 on, those of cudaGraphInstantiate not.
        replay = self._call("cudaGraphInstantiateWithFlags", graph, 0)
        self._kept("cudaGraphExecDestroy", replay)
        self._call("cudaGraphDestroy", graph)
        return lambda: self._call("cudaGraphLaunch", replay, self._stream)

    def wait(self) -> None:
        """Until all of the stream is done."""
        self._call("cudaStreamSynchronize", self._stream)

    def _copy(self, to: int, source: int, buffer: Buffer, kind: str) -> None:
        kinds = self._runtime.cudaMemcpyKind
        self._call(
            "cudaMemcpyAsync", to, source, buffer.host.nbytes, getattr(kinds, kind), self._stream
        )

    def _kept(self, free: str, what: Any) -> Any:
        self._frees.append((free, what))
        return what

    def _call(self, name: str, *arguments: Any) -> Any:
        error, *values = getattr(self._runtime, name)(*arguments)
        if int(error) != 0:
            reason = error.name if hasattr(error, "name") else f"CUDA error {int(error)}"
            raise BackendError(f"{name} failed: {reason}; {_WAYS_OUT.get(reason, _LOST)}")
        return values[0] if values else None


def _free(runtime: Any, frees: list[tuple[str, Any]]) -> None:
    """In reverse order; what a lost device says to that changes nothing."""
    for name, what in reversed(frees):
        getattr(runtime, name)(what)


def _import_runtime() -> Any:
    try:
        from cuda.bindings import runtime
    except ImportError:
        try:
            from cuda import cudart as runtime  # cuda-python before 12.6
        except ImportError as error:
            raise BackendError(
                f"CUDA cannot be used from Python ({error}); install it with "
                "`pip install cuda-python`, or set allow_fallback: true, or device: cpu"
            ) from error
    return runtime
