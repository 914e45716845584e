"""Copies, and the graph of a TensorRT engine with and without being recorded."""

import time

import numpy as np

from erd_ros.cues import CUES
from erd_ros.runtime.buckets import bucket_of
from erd_ros.runtime.cuda_device import Cuda

_ROUNDS = 15


class PlainCuda(Cuda):
    """Puts each copy and launch on the stream by itself, where others replay a recording."""

    def record(self, work):
        return work


def without_graphs(backend, max_persons):
    """A TensorRT backend on the same engine that records nothing."""
    from erd_ros.runtime.tensorrt_backend import TensorRtBackend

    return TensorRtBackend(
        backend._engine, PlainCuda(), backend.info, backend.sha256, backend.golden, max_persons,
        backend.info.name,
    )  # fmt: skip


def tensorrt_alone(backend, persons):
    """Copies and the graph of a batch, without what Python does to arrays."""
    recording = backend._recordings[bucket_of(persons, backend._sizes)]
    return lambda: (recording.replay(), backend._cuda.wait())


def copy_seconds(cuda, joints, takes_cues, persons):
    """A recording of the copies of a call and nothing else, with its launch: the least it takes."""
    one_way = [(persons, joints, 2), (persons, joints), (persons, len(CUES))]
    other_way = [(persons, joints, 3), (persons, 3), (persons, joints), (persons, 4), (persons,)]
    inputs = [cuda.buffer(shape) for shape in one_way[: 3 if takes_cues else 2]]
    outputs = [cuda.buffer(shape) for shape in other_way[: 5 if takes_cues else 3]]

    def work():
        for buffer in inputs:
            cuda.upload(buffer)
        for buffer in outputs:
            cuda.download(buffer)

    replay = cuda.record(work)
    return median_seconds(lambda: (replay(), cuda.wait()))


def median_seconds(call):
    """Of several calls, the first not counted."""
    call()
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
