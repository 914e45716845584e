"""NVIDIA's Python bindings as the package index has them, in a cache outside of the sources.

Their licence lets nobody ship them, and their libraries are gigabytes: stubs that give nothing
stand for those, so that the bindings can be imported and asked what they have.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

TENSORRT = {
    "8.6.1": "tensorrt-bindings==8.6.1",
    "10.16.1": "tensorrt-cu12-bindings==10.16.1.11",
    "11.4.0": "tensorrt-cu13-bindings==11.4.0.106",
}
CUDA = {"12.9": "cuda-bindings==12.9.4", "13.0": "cuda-bindings==13.0.3"}
_PATHFINDER = "cuda-pathfinder>=1.1,<2"
# The names that the bindings link to; the last four, of readers long gone, are 8.6's.
_FUNCTIONS = (
    "createInferBuilder_INTERNAL", "createInferRuntime_INTERNAL", "createInferRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL", "createNvOnnxParserRefitter_INTERNAL",
    "getBuilderPluginRegistry", "getPluginRegistry", "getNvOnnxParserVersion",
    "initLibNvInferPlugins", "_ZN11nvuffparser15createUffParserEv",
    "_ZN14nvcaffeparser117createCaffeParserEv", "_ZN14nvcaffeparser123shutdownProtobufLibraryEv",
    "_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi",
)  # fmt: skip
_LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser", "nvparsers")
_ROOT = Path(__file__).parent.parent


@functools.cache
def dump(what, version):
    """What ``bindings_dump.py`` says of a version; skips where it cannot be had."""
    requirements = [TENSORRT[version]] if what == "tensorrt" else [CUDA[version], _PATHFINDER]
    folders = [_unpacked(one) for one in requirements]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, folders), str(_ROOT)])}
    with tempfile.TemporaryDirectory() as stubs:
        if what == "tensorrt":
            _write_stubs(Path(stubs), version.partition(".")[0])
            environment["LD_LIBRARY_PATH"] = stubs
        script = str(Path(__file__).with_name("bindings_dump.py"))
        done = subprocess.run(
            [sys.executable, script, what], env=environment, capture_output=True, text=True,
            timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _unpacked(requirement):
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "erd_ros_bindings"
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    folder = cache / f"{requirement.translate(str.maketrans('<>,=', '____'))}-{python}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as partial:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
        command += ["--no-deps", "--only-binary=:all:", "--quiet", "--dest", partial, requirement]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            reason = done.stderr.strip().rpartition("\n")[2]
            pytest.skip(f"{requirement} cannot be had for this Python: {reason}")
        (wheel,) = Path(partial).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(Path(partial) / "unpacked")
        try:
            (Path(partial) / "unpacked").rename(folder)
        except OSError:
            if not folder.exists():  # another process was first
                raise
    return folder


def _write_stubs(folder, major):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc): the bindings cannot be imported without libraries")
    source = folder / "stub.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in _FUNCTIONS))
    first = folder / f"lib{_LIBRARIES[0]}.so.{major}"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", first, source], check=True)
    for name in _LIBRARIES[1:]:
        shutil.copy(first, folder / f"lib{name}.so.{major}")
