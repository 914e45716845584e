"""The parts of ``benchmark/gpu.py``: each gives rows, or the reason why a row cannot be had.

    python -m benchmark.gpu_parts PART SETTINGS.json OUT.json

OUT.json is written anew after each row, so that a part that is stopped keeps what it has.
"""

import json
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

from erd_ros.bench.latency import latencies, people
from erd_ros.bench.run import BenchConfig, Contender, bench
from erd_ros.errors import ErdError
from erd_ros.report import write_json
from erd_ros.runtime import BACKENDS, load

# Persons of a call beyond which the processor alone takes too long.
_MOST_ON_CPU = 1024
# It builds for one person and again for many.
_BUILDS_TWICE = "onnxruntime_tensorrt"


@dataclass(frozen=True)
class Settings:
    """What is measured; files by name, "" where there is none.

    work     folder for files that are made, engines among them
    batches  persons of a call whose latency counts
    crowds   persons of a call whose throughput counts
    seconds  that each backend runs for each of them
    """

    model: str
    checkpoint: str
    data: str
    sources: tuple[str, ...]
    weights: str
    work: str
    batches: tuple[int, ...]
    crowds: tuple[int, ...]
    seconds: float
    node_seconds: float

    @property
    def twin(self) -> Path:
        """The checkpoint, or one of the same architecture that the part ``files`` makes."""
        return Path(self.checkpoint or f"{self.work}/twin.safetensors")

    @property
    def half(self) -> Path:
        """The twin in half precision, which the part ``files`` makes."""
        return Path(self.work) / "half.onnx"

    def contenders(self) -> list[Contender]:
        """Every file that is there with every backend that reads it, the slowest to load last."""
        files = {"": Path(self.model), "half": self.half, "twin": self.twin}
        found = [
            Contender(name, file, backend, device, 1)
            for name, file in files.items()
            if file.is_file()
            for device, backends in BACKENDS[file.suffix].items()
            for backend in backends
        ]
        return sorted(found, key=lambda one: one.backend == _BUILDS_TWICE)


def files(settings):
    """The twin, where no checkpoint is given, and the model in half precision."""
    if not settings.checkpoint:
        from erd_ros.bench.twin import write_twin

        write_twin(load(settings.model).info, settings.twin)
        yield "twin", {"bytes": settings.twin.stat().st_size}
    from erd_ros.export import export

    yield "half", export(settings.twin, settings.half, "mixed_float16")


def self_test(settings):
    """Every backend and precision against the golden vectors of its file; builds the engines."""
    for one in settings.contenders():
        started = time.perf_counter()
        try:
            backend = load(
                one.model, one.device, backend=one.backend, max_persons=_largest(settings)
            )
        except ErdError as error:
            yield one.label, str(error)
            continue
        row = {"first_load_s": time.perf_counter() - started, "precision": backend.precision}
        if backend.self_test is not None:
            row |= {
                "largest_difference_mm": 1e3 * backend.self_test.difference,
                "allowed_mm": 1e3 * backend.self_test.tolerance,
            }
        yield one.label, row


def against(settings):
    """One call with copies, all taking turns: backends, PyTorch's ways, TensorRT unrecorded."""
    backends, missing = _all(settings, _largest(settings))
    yield from missing.items()
    for persons in settings.batches:
        for label, why in _refusing(backends, persons).items():
            yield f"batch {persons}, {label}", why
            del backends[label]
        for label, found in latencies(backends, persons, settings.seconds).items():
            yield f"batch {persons}, {label}", vars(found)


def _refusing(backends, persons):
    """Why those do not answer that would end the turns of all."""
    reasons = {}
    for label, backend in backends.items():
        try:
            backend(*people(backend, persons))
        except ErdError as error:
            reasons[label] = str(error)
    return reasons


def throughput(settings):
    """Large batches, each backend by itself: a call, and the recorded graph alone."""
    backends, missing = _all(settings, max(settings.crowds))
    yield from missing.items()
    for label in list(backends):
        backend = backends.pop(label)  # its memory is free for the next one
        for persons in settings.crowds:
            if backend.device == "cuda" or persons <= _MOST_ON_CPU:
                yield from _throughput(f"batch {persons}, {label}", backend, persons, settings)


def _throughput(label, backend, persons, settings):
    try:
        p50_ms = latencies({label: backend}, persons, settings.seconds)[label].p50_ms
    except ErdError as error:
        yield label, str(error)
        return
    yield label, {"p50_ms": p50_ms, "persons_per_s": 1e3 * persons / p50_ms}
    replay = _alone(backend, persons)
    if replay is not None:
        from benchmark.gpu_cuda import median_seconds

        seconds = median_seconds(replay)
        row = {"p50_ms": 1e3 * seconds, "persons_per_s": persons / seconds}
        yield f"{label}, recording alone", row


def _alone(backend, persons):
    if backend.name == "tensorrt":
        from benchmark.gpu_cuda import tensorrt_alone

        return tensorrt_alone(backend, persons)
    return backend.alone(persons) if hasattr(backend, "alone") else None


def start(settings):
    """``erd bench``: start-up, resident memory and the processor's floor, with its latencies."""
    config = BenchConfig(batches=settings.batches, seconds=settings.seconds, starts=1)
    beside = {"half": settings.half} if settings.half.is_file() else {}
    twin = settings.twin if settings.twin.is_file() else None
    figures = bench(Path(settings.model), config, twin, beside)
    yield from figures["missing"].items()
    for label, row in figures["start_up"].items():
        yield f"a new process, {label}", row
    for persons, rows in figures["latency"].items():
        for label, row in rows.items():
            yield f"batch {persons}, {label}", row
    yield "floor of the processor", figures["floor"]["1"]


def accuracy(settings):
    """The robot protocol's people through every backend and precision."""
    if not Path(settings.data).is_dir():
        yield "accuracy", f"the folder of motion capture {settings.data} does not exist; --data"
        return
    from erd_ros.evaluate.backends import evaluate_backends

    twins = {"twin": settings.twin, "half": settings.half}
    of_model = {"model": Path(settings.model)}
    for models in (of_model, {name: file for name, file in twins.items() if file.is_file()}):
        if models:
            found = evaluate_backends(models, Path(settings.data), settings.sources)
            for label, row in found["rows"].items():
                yield label, {name: value for name, value in row.items() if name != "sha256"}
            yield from found["missing"].items()


def _largest(settings):
    return max(settings.batches)


def _all(settings, max_persons):
    """Whatever can be loaded, by label, and why the rest cannot."""
    made, missing = {}, {}
    for one in settings.contenders():
        itself = replace(one, backend="tensorrt").label
        if one.backend == _BUILDS_TWICE and itself in made:
            missing[one.label] = "TensorRT runs by itself; see self_test for this way"
            continue
        make = partial(load, one.model, one.device, backend=one.backend, max_persons=max_persons)
        _try(one.label, made, missing, make)
        if one.backend == "tensorrt" and one.label in made:
            from benchmark.gpu_cuda import without_graphs

            make = partial(without_graphs, made[one.label], max_persons)
            _try(f"{one.label}, not recorded", made, missing, make)
    if settings.twin.is_file():
        _try_torch(settings, max_persons, made, missing)
    return made, missing


def _try_torch(settings, max_persons, made, missing):
    try:
        import torch

        from benchmark.gpu_torch import HOW, TorchPeer
    except ImportError as error:
        missing["PyTorch"] = str(error)
        return
    torch.set_num_threads(1)  # as the backends have
    for device in ("cuda",) if torch.cuda.is_available() else ("cuda", "cpu"):
        for how, precision in product(HOW, ("float32", "mixed_float16")):
            make = partial(TorchPeer, settings.twin, device, how, precision, max_persons)
            _try(f"torch {how}, {precision}, {device}", made, missing, make)


def _try(label, made, missing, make):
    try:
        made[label] = make()
    except ErdError as error:
        missing[label] = str(error)


def main(arguments):
    from benchmark.gpu_devices import PARTS_OF_DEVICES

    name, given, out = arguments
    settings = json.loads(Path(given).read_text())
    lists = {key: tuple(value) for key, value in settings.items() if isinstance(value, list)}
    part = (PARTS_OF_MODELS | PARTS_OF_DEVICES)[name]
    rows: dict[str, object] = {}
    missing: dict[str, str] = {}
    for label, found in part(Settings(**settings | lists)):
        if isinstance(found, str):
            missing[label] = found
        else:
            rows[label] = found
        write_json(Path(out), {"rows": rows, "missing": missing}, seed=0)
    return 0


PARTS_OF_MODELS = {
    "files": files, "self_test": self_test, "against": against, "throughput": throughput,
    "start": start, "accuracy": accuracy,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
