"""Episodes of fuzzing one after another, their counts and findings kept in files."""

import importlib
import json
import os
import re
import resource
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.fuzz_target import Case, Target
from erd_ros.errors import BackendError, ErdError

SEEDS = Path(__file__).resolve().parent / "fuzz_seeds"
TARGETS = {
    "estimator": ("benchmark.fuzz_estimator", "EstimatorTarget"),
    "pipeline": ("benchmark.fuzz_pipeline", "PipelineTarget"),
    "images": ("benchmark.fuzz_images", "ImagesTarget"),
    "files": ("benchmark.fuzz_files", "FilesTarget"),
}
LONGEST_S = 1.0  # of processor time for an input
_SAVED_EVERY_S = 2.0
_KEPT_OF_A_KIND = 3
_LONGEST_TEXT = 20_000
# Bytes of address space: an image that says that it is large does not take the whole machine.
_MOST_MEMORY = 6 * 2**30


class Shard(NamedTuple):
    """The part of a target's episodes that one of so many processes goes through."""

    target: str
    seed: int
    job: int
    jobs: int
    inputs: int
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.target}_{self.seed}_{self.job}_of_{self.jobs}"

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def at(self) -> Path:
        """Holds the number of the episode that is under way."""
        return self.folder / f"{self.name}.at"


@dataclass
class Progress:
    """Counts up to an episode; ``skipped`` ended or stopped the process."""

    episode: int = 0
    inputs: int = 0
    refused: int = 0
    accepted: int = 0
    findings: int = 0
    slowest_s: float = 0.0
    slowest_episode: int = 0
    cpu_s: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)
    skipped: list[int] = field(default_factory=list)


def make_target(name: str) -> Target:
    module, target = TARGETS[name]
    made: Target = getattr(importlib.import_module(module), target)()
    return made


def read_progress(shard: Shard) -> Progress:
    if not shard.file.exists():
        return Progress()
    return Progress(**json.loads(shard.file.read_text()))


def _write_progress(shard: Shard, progress: Progress) -> None:
    whole = shard.file.with_suffix(".tmp")
    whole.write_text(json.dumps(asdict(progress)))
    whole.replace(shard.file)


def running_episode(shards: list[Shard]) -> tuple[Shard | None, int, float]:
    """Where a process is: shard, episode, and for how many seconds."""
    begun = [shard for shard in shards if shard.at.exists()]
    if not begun:
        return None, 0, 0.0
    shard = max(begun, key=lambda one: one.at.stat().st_mtime_ns)
    for_s = time.time() - shard.at.stat().st_mtime
    return shard, int(shard.at.read_text() or 0), for_s


def skip_episode(shard: Shard, episode: int, wrong: str) -> None:
    """Count what ended the process as a finding, and leave that episode out."""
    progress = read_progress(shard)
    progress.skipped.append(episode)
    _record(shard, progress, episode, wrong, "the whole episode")
    _write_progress(shard, progress)


def run_shard(shard: Shard) -> None:
    """Go on with a shard until it has had its inputs, or whoever started the process is gone."""
    progress = read_progress(shard)
    if progress.inputs >= shard.inputs:
        return
    target = make_target(shard.target)
    saved_s, parent = time.monotonic(), os.getppid()
    at = os.open(shard.at, os.O_WRONLY | os.O_CREAT)
    while progress.inputs < shard.inputs:
        episode = progress.episode * shard.jobs + shard.job
        os.pwrite(at, f"{episode:<20}".encode(), 0)
        if episode not in progress.skipped:
            _run_episode(target, shard, progress, episode)
        progress.episode += 1
        if time.monotonic() - saved_s > _SAVED_EVERY_S:
            _write_progress(shard, progress)
            saved_s = time.monotonic()
            if os.getppid() != parent:
                raise SystemExit("whoever started this process is gone")
    _write_progress(shard, progress)
    os.close(at)
    shard.at.unlink()


def limit_memory() -> None:
    """Of this process, for good."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, hard))


def _run_episode(target: Target, shard: Shard, progress: Progress, episode: int) -> None:
    for case in cases(target, shard.target, shard.seed, episode):
        refused, wrong, took_s = tried(case)
        progress.inputs += 1
        progress.cpu_s += took_s
        progress.refused += refused
        progress.accepted += not refused and not wrong
        if took_s > progress.slowest_s:
            progress.slowest_s, progress.slowest_episode = took_s, episode
        for one in wrong:
            _record(shard, progress, episode, one, case.text()[:_LONGEST_TEXT])


def cases(target: Target, name: str, seed: int, episode: int) -> Iterator[Case]:
    """The inputs of an episode: the same for the same numbers."""
    return target.episode(np.random.default_rng((seed, list(TARGETS).index(name), episode)))


def tried(case: Case) -> tuple[bool, list[str], float]:
    """Whether an input was refused, what is wrong with the answer, and its processor seconds."""
    refused, wrong = False, []
    begun_s = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            wrong = case.run()
    except BackendError as error:
        wrong = [f"the backend failed: {error}"]
    except ErdError as error:
        refused = True
        if "\n" in str(error) or len(str(error)) > 5000:
            wrong = [f"an error of {len(str(error))} characters or more than a line"]
    except Exception:
        wrong = [traceback.format_exc(limit=-4)]
    took_s = time.process_time() - begun_s
    if took_s > LONGEST_S:
        wrong.append(f"it took {took_s:.2f} s")
    return refused, wrong, took_s


def kind_of(wrong: str) -> str:
    """What a finding has in common with others of its kind: no numbers."""
    lines = [line.strip() for line in wrong.strip().splitlines()]
    places = [line.split(", in ")[-1] for line in lines if line.startswith("File ")]
    return re.sub(r"[-+]?\d[\d.e+-]*", "#", " < ".join([lines[-1], *places[-1:]]))[:200]


def _record(shard: Shard, progress: Progress, episode: int, wrong: str, text: str) -> None:
    kind = kind_of(wrong)
    progress.findings += 1
    number = progress.kinds[kind] = progress.kinds.get(kind, 0) + 1
    if number > _KEPT_OF_A_KIND:
        return
    folder = shard.folder / "findings"
    folder.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "_", kind)[:60]
    seed = {"target": shard.target, "seed": shard.seed, "episode": episode, "wrong": wrong}
    (folder / f"{shard.target}_{name}_{episode}.json").write_text(
        json.dumps({**seed, "input": text}, indent=1)
    )


def replay(target: str, seed: int, episode: int) -> list[str]:
    """What is wrong with the answers of one episode, in a line each."""
    return [
        wrong
        for case in cases(make_target(target), target, seed, episode)
        for wrong in tried(case)[1]
    ]
