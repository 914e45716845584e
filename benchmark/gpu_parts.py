"""The parts of ``benchmark/gpu.py``: each gives rows, or the reason why a row cannot be had.

    python -m benchmark.gpu_parts PART SETTINGS.json OUT.json

OUT.json is written anew after each row, so that a part that is stopped keeps what it has.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from erd_ros.bench.latency import latencies
from erd_ros.bench.run import BenchConfig, Contender, bench
from erd_ros.errors import ErdError
from erd_ros.report import write_json
from erd_ros.runtime import BACKENDS, load

# Persons of a call beyond which a processor without a graphics processor takes too long.
_MOST_ON_CPU = 1024


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
        """Every file that is there with every backend that reads it."""
        files = {"": Path(self.model), "half": self.half, "twin": self.twin}
        return [
            Contender(name, file, backend, device, 1)
            for name, file in files.items()
            if file.is_file()
            for device, backends in BACKENDS[file.suffix].items()
            for backend in backends
        ]


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
        for label, found in latencies(backends, persons, settings.seconds).items():
            yield f"{persons} persons, {label}", vars(found)


def throughput(settings):
    """Large batches, each backend by itself: a call, and the recorded graph alone."""
    for persons in settings.crowds:
        backends, missing = _all(settings, persons)
        yield from ((f"{persons} persons, {label}", why) for label, why in missing.items())
        for label in list(backends):
            backend = backends.pop(label)
            if backend.device == "cpu" and persons > _MOST_ON_CPU:
                continue
            try:
                yield from _throughput(f"{persons} persons, {label}", backend, persons, settings)
            except ErdError as error:
                yield f"{persons} persons, {label}", str(error)


def _throughput(label, backend, persons, settings):
    p50_ms = latencies({label: backend}, persons, settings.seconds)[label].p50_ms
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
            yield f"{persons} persons, {label}", row
    yield "floor of the processor", figures["floor"]["1"]


def accuracy(settings):
    """The robot protocol's people through every backend and precision."""
    if not Path(settings.data).is_dir():
        yield "accuracy", f"the folder of motion capture {settings.data} does not exist; --data"
        return
    from erd_ros.evaluate.backends import evaluate_backends

    twins = {"half's own": settings.twin, "half": settings.half}
    of_model = {"model": Path(settings.model)}
    for models in (of_model, {name: file for name, file in twins.items() if file.is_file()}):
        if models:
            found = evaluate_backends(models, Path(settings.data), settings.sources)
            yield from found["rows"].items()
            yield from found["missing"].items()


def _largest(settings):
    return max(settings.batches)


def _all(settings, max_persons):
    """Whatever can be loaded, by label, and why the rest cannot."""
    made, missing = {}, {}
    for one in settings.contenders():
        _try(one.label, made, missing, lambda one=one: load(
            one.model, one.device, backend=one.backend, max_persons=max_persons
        ))  # fmt: skip
        if one.backend == "tensorrt" and one.label in made:
            from benchmark.gpu_cuda import without_graphs

            tensorrt = made[one.label]
            label = f"{one.label}, not recorded"
            _try(label, made, missing, lambda of=tensorrt: without_graphs(of, max_persons))
    try:
        from benchmark.gpu_torch import HOW, TorchPeer
    except ImportError as error:
        return made, missing | {"PyTorch": str(error)}
    for device in ("cpu", "cuda") if settings.twin.is_file() else ():
        for how in HOW:
            for precision in ("float32", "mixed_float16"):
                label = f"torch {how}, {precision}, {device}"
                _try(label, made, missing, lambda *about: TorchPeer(
                    settings.twin, device, how, precision, max_persons  # noqa: B023
                ))  # fmt: skip
    return made, missing


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
