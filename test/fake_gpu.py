# names as CUDA writes them
"""A TensorRT and a CUDA that run on the CPU, so that what is around them is tested anywhere.

Memory is real memory at real addresses, a stream does at once what it is told, a recording keeps
it, and an engine is the ONNX file itself, executed by ONNX Runtime. Nothing here says how the real
ones compute; it holds the calls, their order and their arguments to what is documented.
"""

import ctypes
import sys
import types

import numpy as np
import onnxruntime
from fake_cuda import FakeCuda

PLAN = b"plan of the fake TensorRT "


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
            **kinds, **({"STRONGLY_TYPED": len(kinds)} if major >= 10 else {})
        )
        flags = {"TF32": "TF32"} | ({"FP16": "FP16"} if major < 11 else {})
        if major < 11:
            flags["OBEY_PRECISION_CONSTRAINTS"] = "OBEY_PRECISION_CONSTRAINTS"
        self.BuilderFlag = types.SimpleNamespace(**flags)
        self.MemoryPoolType = types.SimpleNamespace(WORKSPACE="WORKSPACE")
        self.TensorIOMode = types.SimpleNamespace(INPUT="in", OUTPUT="out")
        self.ILogger = type("ILogger", (), {"__init__": lambda self: None})
        if major >= 10:
            self.IProgressMonitor = type("IProgressMonitor", (), {"__init__": lambda self: None})
        self.Builder = lambda log: _Builder(self)
        self.OnnxParser = lambda network, log: _Parser(network)
        self.Runtime = lambda log: _Runtime(self, cuda)


class _Builder:
    def __init__(self, trt):
        self.trt = trt

    def create_network(self, flags):
        return _Network()

    def create_builder_config(self):
        return _Config(self.trt)

    def create_optimization_profile(self):
        profile = _Profile()
        self.trt.profiles.append(profile.shapes)
        return profile

    def build_serialized_network(self, network, config):
        self.trt.builds += 1
        monitor = getattr(config, "progress_monitor", None)
        if monitor is not None:
            monitor.phase_start("Building Engine", None, 2)
            assert monitor.step_complete("Building Engine", 0)
            monitor.phase_finish("Building Engine")
        return memoryview(PLAN + network.model)


class _Network:
    num_layers = 0

    def get_input(self, index):
        return self.tensors[index]

    @property
    def num_inputs(self):
        return len(self.tensors)


class _Config:
    def __init__(self, trt):
        self.trt = trt

    def set_memory_pool_limit(self, pool, pool_size):
        pass

    def set_flag(self, flag):
        self.trt.flags.add(flag)

    def clear_flag(self, flag):
        self.trt.flags.add(f"no {flag}")

    def add_optimization_profile(self, profile):
        pass


class _Profile:
    def __init__(self):
        self.shapes = {}

    def set_shape(self, input, min, opt, max):
        self.shapes[input] = (min, opt, max)


class _Runtime:
    def __init__(self, trt, cuda):
        self.trt, self.cuda = trt, cuda

    def deserialize_cuda_engine(self, serialized_engine):
        plan = bytes(serialized_engine)
        return _Engine(plan, self.trt, self.cuda) if plan.startswith(PLAN) else None


class _Parser:
    num_errors = 1

    def __init__(self, network):
        self.network = network

    def parse(self, model):
        try:
            session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        except Exception:
            return False
        self.network.tensors = [
            types.SimpleNamespace(name=one.name, shape=(-1, *one.shape[1:]))
            for one in session.get_inputs()
        ]
        self.network.model = model
        return True

    def get_error(self, index):
        return "a node that is not known"


class _Engine:
    def __init__(self, plan, trt, cuda):
        self.trt, self.cuda = trt, cuda
        self.session = onnxruntime.InferenceSession(
            plan[len(PLAN) :], providers=["CPUExecutionProvider"]
        )
        self.tensors = {one.name: ("in", one.shape) for one in self.session.get_inputs()}
        self.tensors |= {one.name: ("out", one.shape) for one in self.session.get_outputs()}

    @property
    def num_io_tensors(self):
        return len(self.tensors)

    def get_tensor_name(self, index):
        return list(self.tensors)[index]

    def get_tensor_mode(self, name):
        return self.tensors[name][0]

    def get_tensor_shape(self, name):
        return (-1, *self.tensors[name][1][1:])

    def create_execution_context(self):
        if self.trt.refuses_contexts:
            return None
        return _Context(self.session, self.tensors, self.cuda)


class _Context:
    def __init__(self, session, tensors, cuda):
        self.session, self.tensors, self.cuda = session, tensors, cuda
        self.shapes, self.addresses = {}, {}

    def set_input_shape(self, name, shape):
        self.shapes[name] = tuple(shape)
        return self.tensors[name][0] == "in"

    def set_tensor_address(self, name, memory):
        self.addresses[name] = memory
        return name in self.tensors

    def execute_async_v3(self, stream_handle):
        assert stream_handle == 11
        assert self.addresses.keys() == self.tensors.keys()
        self.cuda.on_stream(self._execute)
        return True

    def _execute(self):
        feeds = {name: self._array(name, shape) for name, shape in self.shapes.items()}
        outputs = [name for name, (mode, _) in self.tensors.items() if mode == "out"]
        for name, result in zip(outputs, self.session.run(outputs, feeds), strict=True):
            self._array(name, result.shape)[...] = result

    def _array(self, name, shape):
        count = int(np.prod(shape))
        block = (ctypes.c_float * count).from_address(self.addresses[name])
        return np.frombuffer(block, np.float32).reshape(shape)


# What stands for which class of the real one.
CLASSES = {
    "Builder": _Builder, "INetworkDefinition": _Network, "IBuilderConfig": _Config,
    "IOptimizationProfile": _Profile, "OnnxParser": _Parser, "Runtime": _Runtime,
    "ICudaEngine": _Engine, "IExecutionContext": _Context,
}  # fmt: skip


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
