"""``erd bench``: every backend that runs here, in one run, taking turns."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from erd_ros.bench.floor import Floor, Work, launch_seconds, measure_floor, work_of
from erd_ros.bench.latency import Latency, latencies
from erd_ros.bench.process import start_up
from erd_ros.errors import ArtifactError, BackendError, InputError
from erd_ros.report import file_name
from erd_ros.runtime import BACKENDS, Backend, load

BATCHES = (1, 4, 16, 64, 1024)


@dataclass(frozen=True)
class BenchConfig:
    """What is measured, and for how long.

    batches  persons of a call
    threads  of a call, on the CPU: each is measured
    seconds  that each backend runs for each batch size
    starts   new processes of each backend, for start-up and memory
    """

    batches: tuple[int, ...] = BATCHES
    threads: tuple[int, ...] = (1,)
    seconds: float = 2.0
    starts: int = 3

    def __post_init__(self) -> None:
        for name in ("batches", "threads"):
            values = getattr(self, name)
            if not values or min(values) < 1:
                raise InputError(f"{name} are {values}, expected one or more, each 1 or more")
        if self.seconds <= 0 or self.starts < 1:
            raise InputError(
                f"seconds is {self.seconds} and starts {self.starts}, expected above 0"
            )


@dataclass(frozen=True)
class Contender:
    """A file and what executes it; ``name`` tells files of one kind apart, "" for the first."""

    name: str
    model: Path
    backend: str
    device: str
    threads: int

    @property
    def label(self) -> str:
        """Of a row in a table."""
        where = f"{self.threads} thread{'s' * (self.threads > 1)}"
        parts = [self.backend, self.name, where if self.device == "cpu" else self.device]
        return ", ".join(part for part in parts if part)


def bench(
    model: Path,
    config: BenchConfig,
    checkpoint: Path | None = None,
    beside: Mapping[str, Path] | None = None,
    video: Path | None = None,
) -> dict[str, Any]:
    """All figures of an ONNX file, by label of the contender.

    checkpoint  the same graph for PyTorch; where not given, one with other weights is made up
    beside      further ONNX files by name, such as the same model in another precision
    video       people for MediaPipe's own 3D; it is left out without
    Raises ErdError when the model cannot be used; a backend that is not here is listed as missing.
    """
    first = load(model)
    with tempfile.TemporaryDirectory() as folder:
        missing: dict[str, str] = {}
        files = {"": model, **(beside or {})}
        twin = checkpoint or _twin(first, Path(folder), missing)
        contenders = [*_contenders(files, twin, config.threads)]
        loaded = _loaded(contenders, max(config.batches), missing)
        work = work_of(model)
        floors = {threads: measure_floor(work, threads) for threads in config.threads}
        return {
            "model": {"file": file_name(model), "name": first.info.name, "sha256": first.sha256},
            "work": asdict(work),
            "floor": {str(threads): asdict(floor) for threads, floor in floors.items()},
            "launch_s": launch_seconds(),
            "latency": _rows(loaded, config, floors, work),
            "start_up": {
                one.label: start_up(
                    one.model, one.device, one.backend, max(config.batches), config.starts
                )
                for one in loaded
                if one.threads == config.threads[0]
            },
            "mediapipe": None if video is None else _mediapipe(video),
            "missing": missing,
        }


def _mediapipe(video: Path) -> dict[str, float]:
    from erd_ros.bench.peers import mediapipe_3d  # it needs OpenCV, which nothing else here does

    return mediapipe_3d(video)


def _contenders(
    files: Mapping[str, Path], twin: Path | None, threads: tuple[int, ...]
) -> Iterator[Contender]:
    named = [*files.items()] + ([] if twin is None else [("", twin)])
    for name, file in named:
        for device, backends in BACKENDS[file.suffix].items():
            for backend in backends:
                for count in threads if device == "cpu" else threads[:1]:
                    yield Contender(name, file, backend, device, count)


def _twin(first: Backend, folder: Path, missing: dict[str, str]) -> Path | None:
    try:
        from erd_ros.bench.twin import write_twin

        write_twin(first.info, folder / "twin.safetensors")
    except (ImportError, ArtifactError, InputError) as error:
        missing["torch"] = str(error)
        return None
    return folder / "twin.safetensors"


def _loaded(
    contenders: list[Contender], persons: int, missing: dict[str, str]
) -> dict[Contender, Backend]:
    loaded = {}
    for one in contenders:
        try:
            loaded[one] = load(one.model, one.device, one.threads, one.backend, max_persons=persons)
        except BackendError as error:
            missing[one.label] = str(error)
    return loaded


def _rows(
    loaded: Mapping[Contender, Backend],
    config: BenchConfig,
    floors: Mapping[int, Floor],
    work: Work,
) -> dict[str, dict[str, dict[str, float | None]]]:
    """By batch size, then by label."""
    rows = {}
    for persons in config.batches:
        measured = latencies(
            {one.label: backend for one, backend in loaded.items()}, persons, config.seconds
        )
        rows[str(persons)] = {
            one.label: _row(one, persons, measured, floors[one.threads].seconds(work, persons))
            for one in loaded
        }
    return rows


def _row(
    one: Contender, persons: int, measured: Mapping[str, Latency], floor: float
) -> dict[str, float | None]:
    """Ratios are of medians; the floor, seconds, is the CPU's, so other devices have none."""
    found = measured[one.label]
    eager = measured.get(Contender("", one.model, "torch", "cpu", one.threads).label)
    return {
        "p50_ms": found.p50_ms,
        "p99_ms": found.p99_ms,
        "calls": found.calls,
        "persons_per_s": 1e3 * persons / found.p50_ms,
        "eager_over_this": None if eager is None else eager.p50_ms / found.p50_ms,
        "this_over_floor": 1e-3 * found.p50_ms / floor if one.device == "cpu" and floor else None,
    }
