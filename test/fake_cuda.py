# ruff: noqa: N802, N815  # names as CUDA writes them
"""A CUDA runtime that runs on the CPU: real memory, and a stream that does at once what it gets."""

import ctypes
import enum
import types


class CudaError(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorIllegalAddress = 700


class FakeCuda:
    """The functions of ``cuda.bindings.runtime`` that are used; ``fail`` maps one to its error."""

    def __init__(self):
        self.fail = {}
        self.memory = {}
        self.freed = []
        self.calls = []
        self.recorded = None
        self.cudaMemcpyKind = types.SimpleNamespace(
            cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2
        )
        self.cudaStreamCaptureMode = types.SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)

    def __getattr__(self, name):
        if not name.startswith("cuda"):
            raise AttributeError(name)

        def call(*arguments):
            self.calls.append(name)
            if name in self.fail:
                return (self.fail[name], None)
            return (CudaError.cudaSuccess, *getattr(self, f"do_{name}")(*arguments))

        return call

    def on_stream(self, work):
        if self.recorded is None:
            work()
        else:
            self.recorded.append(work)

    def allocate(self, size):
        block = ctypes.create_string_buffer(b"\xff" * size, size)  # NaN until written
        address = ctypes.addressof(block)
        self.memory[address] = block
        return (address,)

    def release(self, what):
        self.freed.append(what)
        return ()

    do_cudaMalloc = allocate
    do_cudaFree = do_cudaFreeHost = do_cudaStreamDestroy = release
    do_cudaGraphExecDestroy = release

    def do_cudaSetDevice(self, index):
        return ()

    def do_cudaDriverGetVersion(self):
        return (12060,)

    def do_cudaGetDeviceProperties(self, index):
        return (types.SimpleNamespace(name=b"Fake GPU", major=8, minor=7),)

    def do_cudaStreamCreate(self):
        return (11,)

    def do_cudaHostAlloc(self, size, flags):
        return self.allocate(size)

    def do_cudaMemcpyAsync(self, to, source, count, kind, stream):
        assert stream == 11
        self.on_stream(lambda: ctypes.memmove(to, source, count))
        return ()

    def do_cudaStreamSynchronize(self, stream):
        assert self.recorded is None, "waiting is not allowed while a stream is recorded"
        return ()

    def do_cudaStreamBeginCapture(self, stream, mode):
        self.recorded = []
        return ()

    def do_cudaStreamEndCapture(self, stream):
        graph, self.recorded = self.recorded, None
        return (graph,)

    def do_cudaGraphInstantiateWithFlags(self, graph, flags):
        return (tuple(graph),)

    def do_cudaGraphDestroy(self, graph):
        return ()

    def do_cudaGraphLaunch(self, replay, stream):
        for work in replay:
            work()
        return ()
