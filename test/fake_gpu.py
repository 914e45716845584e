# ruff: noqa: N802, N815  # names as CUDA writes them
"""A TensorRT and a CUDA that run on the CPU, so that what is around them is tested anywhere.

Memory is real memory at real addresses, a stream does at once what it is told, a recording keeps
it, and an engine is the ONNX file itself, executed by ONNX Runtime. Nothing here says how the real
ones compute; it holds the calls, their order and their arguments to what is documented.
"""

import ctypes
import enum
import sys
import types

import numpy as np
import onnxruntime

PLAN = b"plan of the fake TensorRT "


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


class FakeTensorRt(types.ModuleType):
    """The module, of a version; ``builds`` counts, ``profiles`` keeps what was asked for."""

    float32 = "float32"

    def __init__(self, version, cuda):
        super().__init__("tensorrt")
        self.__version__ = version
        self.builds = 0
        self.profiles = []
        self.flags = set()
        self.refuses_contexts = False
        major = int(version.split(".")[0])
        # As the versions differ: 8.6 has no strong typing, 11 no flags of precision.
        kinds = {"EXPLICIT_BATCH": 0} if major < 11 else {}
        self.NetworkDefinitionCreationFlag = types.SimpleNamespace(
            **kinds, **({"STRONGLY_TYPED": 1} if major >= 10 else {})
        )
        flags = {"TF32": "TF32"} | ({"FP16": "FP16"} if major < 11 else {})
        self.BuilderFlag = types.SimpleNamespace(
            **flags, OBEY_PRECISION_CONSTRAINTS="OBEY_PRECISION_CONSTRAINTS"
        )
        self.MemoryPoolType = types.SimpleNamespace(WORKSPACE="WORKSPACE")
        self.TensorIOMode = types.SimpleNamespace(INPUT="in", OUTPUT="out")
        self.ILogger = type("ILogger", (), {"__init__": lambda self: None})
        if major >= 10:
            self.IProgressMonitor = type("IProgressMonitor", (), {"__init__": lambda self: None})
        self.Builder = lambda log: _Builder(self)
        self.OnnxParser = lambda network, log: _Parser(network)
        self.Runtime = lambda log: types.SimpleNamespace(
            deserialize_cuda_engine=lambda plan: _engine(plan, self, cuda)
        )


class _Builder:
    def __init__(self, trt):
        self.trt = trt

    def create_network(self, flags):
        self.flags = flags
        return types.SimpleNamespace(num_layers=0)

    def create_builder_config(self):
        return types.SimpleNamespace(
            set_memory_pool_limit=lambda pool, size: None,
            set_flag=self.trt.flags.add,
            clear_flag=lambda flag: self.trt.flags.add(f"no {flag}"),
            add_optimization_profile=lambda profile: None,
        )

    def create_optimization_profile(self):
        profile = {}
        self.trt.profiles.append(profile)
        return types.SimpleNamespace(
            set_shape=lambda name, low, best, high: profile.update({name: (low, best, high)})
        )

    def build_serialized_network(self, network, config):
        self.trt.builds += 1
        monitor = getattr(config, "progress_monitor", None)
        if monitor is not None:
            monitor.phase_start("Building Engine", None, 2)
            assert monitor.step_complete("Building Engine", 0)
            monitor.phase_finish("Building Engine")
        return memoryview(PLAN + network.model)


class _Parser:
    num_errors = 1

    def __init__(self, network):
        self.network = network

    def parse(self, model):
        try:
            session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        except Exception:
            return False
        tensors = [
            types.SimpleNamespace(name=one.name, shape=(-1, *one.shape[1:]))
            for one in session.get_inputs()
        ]
        self.network.model = model
        self.network.num_inputs = len(tensors)
        self.network.get_input = lambda index: tensors[index]
        return True

    def get_error(self, index):
        return "a node that is not known"


def _engine(plan, trt, cuda):
    plan = bytes(plan)
    if not plan.startswith(PLAN):
        return None
    session = onnxruntime.InferenceSession(plan[len(PLAN) :], providers=["CPUExecutionProvider"])
    tensors = {one.name: ("in", one.shape) for one in session.get_inputs()}
    tensors |= {one.name: ("out", one.shape) for one in session.get_outputs()}
    names = list(tensors)
    return types.SimpleNamespace(
        num_io_tensors=len(names),
        get_tensor_name=lambda index: names[index],
        get_tensor_mode=lambda name: tensors[name][0],
        get_tensor_shape=lambda name: (-1, *tensors[name][1][1:]),
        create_execution_context=lambda: (
            None if trt.refuses_contexts else _Context(session, tensors, cuda)
        ),
    )


class _Context:
    def __init__(self, session, tensors, cuda):
        self.session, self.tensors, self.cuda = session, tensors, cuda
        self.shapes, self.addresses = {}, {}

    def set_input_shape(self, name, shape):
        self.shapes[name] = tuple(shape)
        return self.tensors[name][0] == "in"

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return name in self.tensors

    def execute_async_v3(self, stream_handle):
        assert stream_handle == 11
        assert self.addresses.keys() == self.tensors.keys()
        self.cuda.on_stream(self.execute)
        return True

    def execute(self):
        feeds = {name: self.array(name, shape) for name, shape in self.shapes.items()}
        outputs = [name for name, (mode, _) in self.tensors.items() if mode == "out"]
        for name, result in zip(outputs, self.session.run(outputs, feeds), strict=True):
            self.array(name, result.shape)[...] = result

    def array(self, name, shape):
        count = int(np.prod(shape))
        block = (ctypes.c_float * count).from_address(self.addresses[name])
        return np.frombuffer(block, np.float32).reshape(shape)


def install(monkeypatch, version="10.3.0", cuda=None):
    """Put both where imports find them; the backend's own modules are imported anew."""
    cuda = cuda or FakeCuda()
    trt = FakeTensorRt(version, cuda)
    package, bindings = types.ModuleType("cuda"), types.ModuleType("cuda.bindings")
    bindings.runtime = cuda
    for name, module in {
        "tensorrt": trt, "cuda": package, "cuda.bindings": bindings,
        "cuda.bindings.runtime": cuda,
    }.items():  # fmt: skip
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("tensorrt_backend", "tensorrt_builder"):
        # Not by monkeypatch, which would put the first fake back when a test installs two.
        sys.modules.pop(f"erd_ros.runtime.{name}", None)
    return trt, cuda
