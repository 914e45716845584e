"""Inputs of all kinds of nonsense through estimator, pipeline, images and files.

    make fuzz ARGS="--inputs 1000000 --seed 0 --jobs 2"

Inputs are drawn from seeds, in episodes: a sequence of inputs to one object. Every input must be
answered within a second of processor time, by what the package documents or by an ErdError. What
breaks that is written to build/fuzz/findings with what replays it:

    make fuzz ARGS="--replay build/fuzz/findings/NAME.json"

Findings that were mended are kept as seeds in benchmark/fuzz_seeds; --replay without a file replays
all of them. Counts stand in build/fuzz, so that the same command goes on after it was killed;
--anew begins again.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmark.fuzz_episodes import (
    SEEDS,
    TARGETS,
    Shard,
    limit_memory,
    read_progress,
    replay,
    run_shard,
    running_episode,
    skip_episode,
)
from erd_ros.report import write_json

ROOT = Path(__file__).resolve().parent.parent
# Parts of all inputs: by what can be wrong with them, and by what an input costs.
PARTS = {"estimator": 0.45, "pipeline": 0.25, "images": 0.2, "files": 0.1}
# Seconds without a sign of life after which a process hangs in one input.
_HANGS_S = 120.0


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--anew", action="store_true", help="forget the counts of before")
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "fuzz")
    parser.add_argument("--replay", type=Path, nargs="*", help="seeds; none = those that are kept")
    parser.add_argument("--json", type=Path, help="write the table to this file")
    parser.add_argument("--shard", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def shards_of(arguments: argparse.Namespace, job: int) -> list[Shard]:
    """What one process does, a target after another."""
    parts = {name: PARTS[name] for name in arguments.targets}
    return [
        Shard(
            name, arguments.seed, job, arguments.jobs,
            round(arguments.inputs * part / sum(parts.values()) / arguments.jobs),
            arguments.state,
        )
        for name, part in parts.items()
    ]  # fmt: skip


class Job:
    """A process that fuzzes; started again behind an input that ended it or hangs in it."""

    def __init__(self, arguments: argparse.Namespace, number: int) -> None:
        self._command = [
            sys.executable, "-m", "benchmark.fuzz", "--shard", str(number),
            "--inputs", str(arguments.inputs), "--seed", str(arguments.seed),
            "--jobs", str(arguments.jobs), "--state", str(arguments.state),
            "--targets", *arguments.targets,
        ]  # fmt: skip
        self.shards = shards_of(arguments, number)
        # Decoders of images have much to say on it.
        self._log = arguments.state / f"job_{number}.log"
        self._process = self._start()

    def _start(self) -> subprocess.Popen:
        with self._log.open("wb") as log:
            return subprocess.Popen(self._command, cwd=ROOT, stderr=log)

    def look(self) -> bool:
        """Whether it still has something to do."""
        code = self._process.poll()
        if code == 0:
            return False
        stands, episode, for_s = running_episode(self.shards)
        if code is not None:
            self._go_on(stands, episode, f"ended the process with code {code}")
        elif for_s > _HANGS_S:
            self.stop()
            self._go_on(stands, episode, f"hangs for more than {_HANGS_S:g} s")
        return True

    def _go_on(self, shard: Shard | None, episode: int, wrong: str) -> None:
        if shard is None:
            raise SystemExit(f"a process {wrong} before its first input; see {self._log}")
        skip_episode(shard, episode, wrong)
        self._process = self._start()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def table(jobs: list[Job]) -> dict[str, dict]:
    """By target: inputs, refused, accepted, findings, slowest input in seconds, and kinds."""
    rows: dict[str, dict] = {}
    for job in jobs:
        for shard in job.shards:
            done = read_progress(shard)
            row = rows.setdefault(
                shard.target,
                {"inputs": 0, "refused": 0, "accepted": 0, "findings": 0, "slowest_s": 0.0,
                 "cpu_s": 0.0, "kinds": {}},
            )  # fmt: skip
            for name in ("inputs", "refused", "accepted", "findings", "cpu_s"):
                row[name] += getattr(done, name)
            row["slowest_s"] = max(row["slowest_s"], done.slowest_s)
            for kind, count in done.kinds.items():
                row["kinds"][kind] = row["kinds"].get(kind, 0) + count
    return rows


def show(rows: dict[str, dict]) -> None:
    print("| target | inputs | refused | accepted | findings | slowest input |")
    print("|---|---|---|---|---|---|")
    for name, row in rows.items():
        counts = " | ".join(
            f"{row[key]:,}" for key in ("inputs", "refused", "accepted", "findings")
        )
        print(f"| {name} | {counts} | {1e3 * row['slowest_s']:.0f} ms |")
    for name, row in rows.items():
        for kind, count in row["kinds"].items():
            print(f"{name}: {count} x {kind}")


def fuzz(arguments: argparse.Namespace) -> dict[str, dict]:
    """The table, when all processes are done; progress is shown on the way."""
    jobs = [Job(arguments, number) for number in range(arguments.jobs)]
    begun_s, total = time.monotonic(), arguments.inputs
    before = sum(row["inputs"] for row in table(jobs).values())
    try:
        while any([job.look() for job in jobs]):
            time.sleep(1)
            rows = table(jobs)
            done = sum(row["inputs"] for row in rows.values())
            found = sum(row["findings"] for row in rows.values())
            rate = (done - before) / (time.monotonic() - begun_s)
            left_s = (total - done) / rate if rate else 0
            line = (
                f"{done:,} of {total:,} inputs, {rate:.0f}/s, {left_s / 60:.0f} min, {found} found"
            )
            print(f"\r{line:78}", end="" if sys.stdout.isatty() else "\n", flush=True)
            if not sys.stdout.isatty():
                time.sleep(9)
    finally:
        for job in jobs:
            job.stop()
    print()
    return table(jobs)


def replay_all(files: list[Path]) -> int:
    """How many of the seeds are findings still."""
    found = 0
    for path in files or sorted(SEEDS.glob("*.json")):
        seeds = json.loads(path.read_text())
        for seed in seeds if isinstance(seeds, list) else [seeds]:
            for wrong in replay(seed["target"], seed["seed"], seed["episode"]):
                print(f"{path.name}: {seed['target']} episode {seed['episode']}: {wrong}")
                found += 1
    print(f"{found} findings")
    return found


def main() -> int:
    """Fuzz as the command line says; 1 where something was found."""
    arguments = parse_arguments()
    if arguments.shard is not None:
        limit_memory()
        for shard in shards_of(arguments, arguments.shard):
            run_shard(shard)
        return 0
    if arguments.replay is not None:
        return 1 if replay_all(arguments.replay) else 0
    if arguments.anew:
        shutil.rmtree(arguments.state, ignore_errors=True)
    arguments.state.mkdir(parents=True, exist_ok=True)
    rows = fuzz(arguments)
    show(rows)
    if arguments.json is not None:
        write_json(arguments.json, rows, seed=arguments.seed)
    return 1 if any(row["findings"] for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
