"""Time per call, the backends taking turns: whatever else the machine does meets all of them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from erd_ros.cues import Cues
from erd_ros.pose import FloatArray
from erd_ros.runtime import Backend

_WARM_UP_CALLS = 5
_FEWEST_CALLS = 20
_TURN = 0.1  # s that a backend runs before it is the next one's turn


@dataclass(frozen=True)
class Latency:
    """Milliseconds of a call, and how many were timed."""

    p50_ms: float
    p99_ms: float
    calls: int


def people(backend: Backend, persons: int, seed: int = 0) -> tuple[FloatArray, ...]:
    """Rays, confidence and, where the model takes them, cues without news."""
    generator = np.random.default_rng(seed)
    joints = len(backend.info.skeleton)
    middle = generator.uniform(-0.3, 0.3, (persons, 1, 2))
    rays = middle + generator.normal(0, 0.1, (persons, joints, 2))
    inputs = (rays.astype(np.float32), np.ones((persons, joints), np.float32))
    return (*inputs, np.tile(Cues().row(), (persons, 1))) if backend.takes_cues else inputs


def latencies(backends: Mapping[str, Backend], persons: int, seconds: float) -> dict[str, Latency]:
    """Of each backend by its label, over about ``seconds`` each."""
    inputs = {label: people(backend, persons) for label, backend in backends.items()}
    for label, backend in backends.items():
        for _ in range(_WARM_UP_CALLS):
            backend(*inputs[label])
    times: dict[str, list[float]] = {label: [] for label in backends}
    started = time.perf_counter()
    while (
        time.perf_counter() - started < seconds * len(backends)
        or min(map(len, times.values())) < _FEWEST_CALLS
    ):
        for label, backend in backends.items():
            times[label] += _turn(backend, inputs[label], min(_TURN, seconds))
    return {label: _summary(np.array(one)) for label, one in times.items()}


def _turn(backend: Backend, inputs: tuple[FloatArray, ...], seconds: float) -> list[float]:
    """Seconds of each call but the first, which finds another's weights in the caches."""
    times: list[float] = []
    backend(*inputs)
    started = now = time.perf_counter()
    while now - started < seconds or not times:
        backend(*inputs)
        before, now = now, time.perf_counter()
        times.append(now - before)
    return times


def _summary(seconds: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Latency:
    p50, p99 = np.percentile(1e3 * seconds, [50, 99])
    return Latency(float(p50), float(p99), len(seconds))
