"""Parts of ``benchmark/gpu.py`` about the machine: packages, copies, engines, memory, the node."""

import importlib
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from erd_ros.errors import BackendError, ErdError
from erd_ros.runtime import load

_NODE_DOMAIN = "88"
_ROUNDS = 20
_DETECTOR_SIDE = 256  # pixels, where a detector's file leaves its input's size open
_TYPES = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(uint8)": np.uint8}
_GPU = (
    "name",
    "driver_version",
    "memory.total",
    "memory.used",
    "clocks.max.sm",
    "mig.mode.current",
)


def query_gpu():
    """What nvidia-smi says of the first GPU, by name. Raises BackendError."""
    command = ["nvidia-smi", f"--query-gpu={','.join(_GPU)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"nvidia-smi cannot be run ({error}): no NVIDIA driver here") from error
    if done.returncode:
        raise BackendError(f"nvidia-smi failed: {(done.stdout + done.stderr).strip()[:200]}")
    return dict(zip(_GPU, done.stdout.splitlines()[0].split(", "), strict=True))


def software(settings):
    """Driver, GPU, and the packages that can use it."""
    try:
        yield "driver", query_gpu()
    except BackendError as error:
        yield "driver", str(error)
    ways_out = {
        "tensorrt": "pip install tensorrt-cu13 (or -cu12, as the driver's CUDA)",
        "cuda.bindings": "pip install cuda-python",
        "onnxruntime": "pip install onnxruntime-gpu in place of onnxruntime",
        "torch": "pip install torch",
    }
    for name, way_out in ways_out.items():
        try:
            module = importlib.import_module(name)
        except Exception as error:  # a library that is missing behind it raises what it likes
            yield name, f"cannot be imported ({error}); {way_out}"
            continue
        yield name, {"version": str(getattr(module, "__version__", "?")), **_sees(module)}


def _sees(module):
    if module.__name__ == "onnxruntime":
        return {"providers": ", ".join(module.get_available_providers())}
    if module.__name__ == "torch":
        return {"cuda": str(module.version.cuda), "sees_a_device": module.cuda.is_available()}
    return {}


def floors(settings):
    """Launch, and the copies of a call with its launch: what no graph can be faster than."""
    from benchmark.gpu_cuda import copy_seconds
    from erd_ros.bench.floor import launch_seconds
    from erd_ros.runtime.cuda_device import Cuda

    try:
        cuda = Cuda()
    except BackendError as error:
        yield "launch and copies", str(error)
        return
    yield "launch", {"us": 1e6 * launch_seconds()}
    model = load(settings.model)
    for persons in (*settings.batches, *settings.crowds):
        seconds = copy_seconds(cuda, len(model.info.skeleton), model.takes_cues, persons)
        yield f"copies of {persons} persons", {"us": 1e6 * seconds}


class _Messages(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def engines(settings):
    """Built, found again, of another machine, corrupt: seconds to load, and what the log says."""
    folder = Path(settings.work) / "engines"
    for file in folder.rglob("*.engine"):
        file.unlink()
    os.environ["ROS_HOME"] = str(folder)
    log = _Messages()
    logging.getLogger("erd_ros").addHandler(log)
    for label, change in _CHANGES.items():
        for file in folder.rglob("*.engine"):
            file.write_bytes(change(file.read_bytes()))
        log.lines.clear()
        started = time.perf_counter()
        try:
            backend = load(settings.model, "cuda", backend="tensorrt")
        except ErdError as error:
            yield label, str(error)
            return
        refused = [
            line.rpartition("not used: ")[2]
            for line in log.lines
            if "not used: " in line or "refuses the engine" in line
        ]
        yield (
            label,
            {
                "load_s": time.perf_counter() - started,
                "self_test": str(backend.self_test or "none"),
                "refused": "; ".join(dict.fromkeys(refused))[:80] or "no",
            },
        )


def _of_another_machine(content):
    magic, header, plan = content.split(b"\n", 2)
    values = json.loads(header)
    values["key"]["gpu"] = "another"
    return b"\n".join((magic, json.dumps(values).encode(), plan))


def _corrupt(content):
    return content[:-100] + bytes(100)


_CHANGES = {
    "built": bytes, "found again": bytes, "of another machine": _of_another_machine,
    "corrupt": _corrupt, "built anew, found again": bytes,
}  # fmt: skip


def memory(settings):
    """Of the GPU, before and after the largest batch of each backend."""
    for one in settings.contenders():
        if one.device != "cuda":
            continue
        try:
            before = float(query_gpu()["memory.used"])
            backend = load(one.model, "cuda", backend=one.backend, max_persons=settings.batches[-1])
            from erd_ros.bench.latency import people

            backend(*people(backend, settings.batches[-1]))
            yield one.label, {"MiB": float(query_gpu()["memory.used"]) - before}
            del backend
        except ErdError as error:
            yield one.label, str(error)


def detectors(settings):
    """Each detector's ONNX file with the providers that are there; a grey image of zeros."""
    found = sorted(Path(settings.weights).glob("*.onnx")) if settings.weights else []
    if not found:
        yield "detectors", f"no ONNX files in '{settings.weights}'; name a folder with --weights"
    from erd_ros.runtime.onnx_backend import PROVIDERS, start_session

    providers = PROVIDERS | {"cuda, TensorRT": ("TensorrtExecutionProvider", {})}
    for file in found:
        for where, provider in providers.items():
            label = f"{file.stem}, {where}"
            try:
                device = where.partition(",")[0]
                session = start_session(file.read_bytes(), file, device, [provider])
            except ErdError as error:
                yield label, str(error)
                continue
            yield label, _timed(session)


def _timed(session):
    feeds = {
        one.name: np.zeros(
            [side if isinstance(side, int) else _DETECTOR_SIDE for side in one.shape],
            _TYPES[one.type],
        )
        for one in session.get_inputs()
    }
    times = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        session.run(None, feeds)
        times.append(1e3 * (time.perf_counter() - started))
    return {"first_ms": times[0], "p50_ms": float(np.median(times[1:]))}


def node(settings):
    """erd_node over DDS, on the CPU and on the GPU."""
    try:
        importlib.import_module("rclpy")
    except ImportError as error:
        yield "erd_node", f"rclpy cannot be imported ({error}); `make install` brings it"
        return
    for device in ("cpu", "cuda"):
        try:
            load(settings.model, device)
        except ErdError as error:
            yield f"device: {device}", str(error)
            continue
        figures = _run_node(settings, device)
        for people, row in figures["people"].items():
            about = {"start_up_s": figures["start_up_s"]}
            yield f"device: {device}, {people} persons", about | row


def _run_node(settings, device):
    out = Path(settings.work) / f"node_{device}.json"
    script = str(Path(__file__).with_name("keypoint_latency.py"))
    options = {
        "--device": device, "--model": settings.model, "--domain": _NODE_DOMAIN, "--warm-up": "1",
        "--duration": str(settings.node_seconds), "--json": str(out),
    }  # fmt: skip
    words = [word for pair in options.items() for word in pair]
    done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True)
    if done.returncode:
        raise BackendError(f"keypoint_latency.py failed: {done.stderr.strip()[-300:]}")
    return json.loads(out.read_text())["figures"]


PARTS_OF_DEVICES = {
    "software": software, "floors": floors, "engines": engines, "memory": memory,
    "detectors": detectors, "node": node,
}  # fmt: skip
