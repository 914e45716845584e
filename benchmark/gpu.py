"""Everything that is to be known of a machine with a GPU, in one command.

Each part runs in a process of its own with a time of its own. The JSON is written after each part;
the same command again runs what is left of it. What cannot run here says why, and the rest goes on.

    make gpu ARGS="--data ../shared/data --weights ../shared/weights"

Exit code: 0 when every part ran or said why it cannot, 1 when one failed or had no time left.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from benchmark.gpu_devices import query_gpu
from benchmark.gpu_parts import Settings
from benchmark.gpu_present import print_report, section
from erd_ros.errors import BackendError
from erd_ros.report import commit, machine, replace_section, write_json
from erd_ros.runtime import DEFAULT_MODEL

SECTION = "make gpu"
ROOT = Path(__file__).resolve().parent.parent
# Seconds that a part may take; what the others leave of the whole time is the other bound.
PARTS = {
    "software": 60, "floors": 60, "files": 90, "self_test": 180, "against": 180, "throughput": 150,
    "accuracy": 180, "engines": 120, "memory": 90, "detectors": 90, "node": 90, "start": 120,
}  # fmt: skip
FULL = {"batches": (1, 4, 16, 64), "crowds": (1024, 8192, 65536), "seconds": 0.3, "node_seconds": 5}
SHORT = {"batches": (1, 2), "crowds": (64,), "seconds": 0.01, "node_seconds": 1}
_PATHS = ("model", "checkpoint", "data", "weights", "work")
FINISHED = ("done", "nothing here")


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = Path(os.environ.get("ERD_DATA", "../shared"))
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--checkpoint", default="", help="the model's; else one like it is made up")
    parser.add_argument("--data", default=str(beside / "data"), help="motion capture, for accuracy")
    parser.add_argument("--sources", nargs="+", default=["cmu", "accad", "uiprmd"])
    parser.add_argument("--weights", default=str(beside / "weights"), help="detectors' ONNX files")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together")
    parser.add_argument("--short", action="store_true", help="the smallest sizes: a rehearsal")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "gpu", help="made files")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "gpu" / "gpu.json")
    parser.add_argument("--fresh", action="store_true", help="run finished parts again")
    parser.add_argument("--markdown", type=Path, help="renew the section of docs/results.md")
    return parser.parse_args(argv)


def settings_of(arguments) -> Settings:
    """As the parts get them."""
    paths = {name: getattr(arguments, name) for name in _PATHS}
    given = {name: str(Path(path).resolve()) if path else "" for name, path in paths.items()}
    return Settings(
        sources=tuple(arguments.sources), **given, **(SHORT if arguments.short else FULL)
    )


def key_of(settings: Settings) -> dict[str, object]:
    """What figures belong to: those of another commit, machine or size are not gone on with."""
    try:
        gpu = query_gpu() | {"memory.used": ""}
    except BackendError as error:
        gpu = {"none": str(error)}
    model = sha256(Path(settings.model).read_bytes()).hexdigest()
    sizes = {name: value for name, value in asdict(settings).items() if name not in _PATHS}
    names = {name: Path(getattr(settings, name)).name for name in _PATHS}
    key = {"commit": commit(), "gpu": gpu, "model_sha256": model, **names, **sizes}
    return json.loads(json.dumps(key))


def earlier(path: Path, key: dict[str, object]) -> dict[str, dict]:
    """Parts of a run with the same key that came to an end."""
    figures = _figures(path)
    if figures.get("key") != key:
        return {}
    return {name: one for name, one in figures["parts"].items() if one["status"] in FINISHED}


def _figures(path):
    """Of a file of results; none of one that is missing, or was cut off as it was written."""
    try:
        return json.loads(path.read_text())["figures"]
    except (OSError, ValueError, KeyError):
        return {}


def run_part(name: str, settings: Settings, limit_s: float) -> dict[str, object]:
    """Status, seconds, rows and reasons; it is killed with its children at its limit."""
    work = Path(settings.work)
    given, out, log = (work / f"{name}.{suffix}" for suffix in ("settings", "rows", "log"))
    given.write_text(json.dumps(asdict(settings)))
    out.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmark.gpu_parts", name, str(given), str(out)]
    caches = {"ROS_HOME": work / "ros", "TORCHINDUCTOR_CACHE_DIR": work / "inductor"}
    environment = os.environ | {name: str(folder) for name, folder in caches.items()}
    started = time.monotonic()
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True
        )
        try:
            code = process.wait(limit_s)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            code = None
    figures = _figures(out)
    rows, missing = figures.get("rows", {}), figures.get("missing", {})
    return {
        "status": _status(code, limit_s, log, rows),
        "seconds": time.monotonic() - started, "rows": rows, "missing": missing,
    }  # fmt: skip


def _status(code, limit_s, log, rows):
    if code is None:
        return f"stopped after {limit_s:.0f} s, its time"
    if code:
        last = log.read_text().strip().rpartition("\n")[2]
        return f"failed with code {code}: {last[:300]}"
    return "done" if rows else "nothing here"


def main(argv=None) -> int:
    arguments = parse_arguments(argv)
    arguments.work.mkdir(parents=True, exist_ok=True)
    settings = settings_of(arguments)
    key = key_of(settings)
    parts = {} if arguments.fresh else earlier(arguments.json, key)
    end = time.monotonic() + 60 * arguments.minutes
    for name in arguments.parts:
        if name in parts:
            continue
        left = end - time.monotonic()
        if left < 1:
            parts[name] = {"status": "not begun: no time is left", "seconds": 0.0}
        else:
            parts[name] = run_part(name, settings, min(left, PARTS[name]))
        print(f"{name}: {parts[name]['status']}, {parts[name]['seconds']:.1f} s", flush=True)
        write_json(arguments.json, {"key": key, "parts": parts}, seed=0)
    print_report(parts)
    if arguments.markdown:
        replace_section(arguments.markdown, SECTION, section(parts, key, machine()))
    return 0 if all(parts[name]["status"] in FINISHED for name in arguments.parts) else 1


if __name__ == "__main__":
    sys.exit(main())
