"""Holds the layer picture of docs/design.md: who may import whom, and who torch or ROS."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "erd_ros"

CORE = {
    "errors",
    "layouts",
    "skeleton",
    "pose",
    "cues",
    "artifact",
    "golden",
    "image_file",
    "input_file",
    "digest",
    "files",
    "npz_arrays",
}
LEARNING = CORE | {"geometry", "models", "mocap", "data", "metrics", "report"}
ANYTHING = None
MAY_IMPORT = {
    "": set(),  # erd_ros/__init__.py: the installed folder is shared with the generated messages
    "errors": set(),
    "fastdds": set(),
    "layouts": set(),
    "skeleton": {"errors", "layouts"},
    "pose": {"errors", "skeleton"},
    "cues": {"errors", "pose"},
    "image_file": {"errors"},
    "input_file": {"errors"},
    "artifact": {"errors", "skeleton"},
    "golden": {"errors", "pose"},
    "digest": {"errors"},
    "files": {"errors"},
    "npz_arrays": {"errors", "files"},
    "geometry": CORE,
    "mocap": CORE,
    "models": CORE | {"geometry"},
    "data": CORE | {"geometry", "mocap", "models"},
    "metrics": CORE | {"geometry"},
    "report": {"errors", "files"},
    "train": LEARNING,
    "export": LEARNING,
    "runtime": CORE | {"geometry"},
    "evaluate": CORE | {"geometry", "mocap", "runtime", "metrics", "report"},
    "bench": CORE | {"report", "runtime"},
    "reproduce": LEARNING | {"train", "evaluate"},
    "synthetic": CORE | {"geometry"},
    "demo": CORE | {"fastdds", "geometry", "metrics", "report", "synthetic"},
    "ros": CORE | {"fastdds", "geometry", "runtime", "synthetic", "demo"},
    "commands": ANYTHING,  # what is heavy only inside functions
    "cli": ANYTHING,
}
# PyTorch runs the module itself, so this one backend knows both arms, and the twin of `erd bench`.
BETWEEN_THE_ARMS = {
    ("runtime.torch_backend", "models"), ("bench.twin", "models"), ("bench.twin", "train"),
}  # fmt: skip
LEARNING_ARM = {
    "models", "data", "train", "export", "reproduce", "runtime.torch_backend", "bench.twin",
    "commands.train", "commands.reproduce",
}  # fmt: skip
MAY_IMPORT_LIBRARY = {
    "torch": LEARNING_ARM,
    "safetensors": LEARNING_ARM,
    "onnxscript": {"export"},
    "onnx": {"export", "evaluate", "bench"},
    "tensorrt": {"runtime.tensorrt_backend", "runtime.tensorrt_builder"},
    "cuda": {"runtime.cuda_device"},
}
ROS_LIBRARIES = {
    "rclpy", "rcl_interfaces", "builtin_interfaces", "std_msgs", "geometry_msgs", "sensor_msgs",
    "visualization_msgs", "diagnostic_msgs", "tf2_msgs", "tf2_ros", "lifecycle_msgs", "cv_bridge",
    "ament_index_python", "launch", "launch_ros", "hri_msgs", "yolo_msgs", "zed_msgs",
    "erd_ros.msg", "erd_ros.srv",
}  # fmt: skip
# What `erd --help` may load: a command's module imports the rest inside its functions.
LIGHT = {"errors", "commands"}


@dataclass(frozen=True)
class Import:
    file: Path
    line: int
    module: str  # e.g. erd_ros.geometry.root, torch.nn
    lazy: bool  # inside a function

    @property
    def importer(self) -> str:
        """Dotted name below erd_ros: `geometry.root`, or the empty string for the package."""
        parts = self.file.relative_to(PACKAGE).with_suffix("").parts
        return ".".join(part for part in parts if part != "__init__")

    @property
    def layer(self) -> str:
        return self.importer.partition(".")[0]

    @property
    def imported_layer(self) -> str | None:
        """First name below erd_ros; None where the import leaves the package."""
        parts = self.module.split(".")
        return (parts[1] if len(parts) > 1 else "") if parts[0] == "erd_ros" else None

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def imported_names(node: ast.AST, file: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level:
        package = file.relative_to(ROOT).parent.parts
        base = ".".join(package[: len(package) - node.level + 1])
        yield f"{base}.{node.module}" if node.module else base
    elif isinstance(node, ast.ImportFrom) and node.module == "erd_ros":
        yield from (f"erd_ros.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.module or ""


def imports_of(file: Path) -> Iterator[Import]:
    tree = ast.parse(file.read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    lazy = {id(n) for f in ast.walk(tree) if isinstance(f, functions) for n in ast.walk(f)}
    for node in ast.walk(tree):
        for name in imported_names(node, file):
            yield Import(file, node.lineno, name, id(node) in lazy)


SOURCES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = [found for file in SOURCES for found in imports_of(file)]


def is_of(module: str, libraries: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in libraries)


def complain(rule: str, broken: list[Import]) -> None:
    assert not broken, f"{rule}:\n  " + "\n  ".join(sorted(map(str, broken)))


def test_every_module_has_its_place():
    layers = {(file.relative_to(PACKAGE).with_suffix("").parts or ("",))[0] for file in SOURCES}
    unknown = layers - {"__init__"} - set(MAY_IMPORT)
    assert not unknown, (
        f"erd_ros/{sorted(unknown)} is not in the layer picture: place it in docs/design.md "
        "and in MAY_IMPORT of this test"
    )


@pytest.mark.parametrize(
    "layer", sorted(name for name in MAY_IMPORT if MAY_IMPORT[name] is not ANYTHING)
)
def test_layer_imports_from_the_left_only(layer):
    allowed = MAY_IMPORT[layer] | {layer}
    broken = [
        found
        for found in IMPORTS
        if found.layer == layer
        and found.imported_layer is not None
        and found.imported_layer not in allowed
        and (found.importer, found.imported_layer) not in BETWEEN_THE_ARMS
        and not is_of(found.module, {"erd_ros.msg", "erd_ros.srv"})
    ]
    complain(f"{layer or 'erd_ros/__init__.py'} may import {sorted(allowed)} of erd_ros", broken)


@pytest.mark.parametrize("library", MAY_IMPORT_LIBRARY)
def test_library_of_the_learning_arm(library):
    allowed = MAY_IMPORT_LIBRARY[library]
    broken = [
        found
        for found in IMPORTS
        if is_of(found.module, {library}) and not is_of(found.importer, allowed)
    ]
    complain(f"only {sorted(allowed)} may import {library}", broken)


def test_only_ros_imports_ros():
    broken = [
        found for found in IMPORTS if is_of(found.module, ROS_LIBRARIES) and found.layer != "ros"
    ]
    complain("rclpy and messages are imported in erd_ros/ros/ alone", broken)


def test_commands_are_light():
    broken = [
        found
        for found in IMPORTS
        if found.layer in ("cli", "commands")
        and not found.lazy
        and found.imported_layer not in LIGHT
        and found.module.split(".")[0] not in sys.stdlib_module_names
    ]
    complain("cli and commands import what is heavy inside their functions", broken)


def test_node_loads_no_torch():
    """What the picture says of the source holds of the running robot arm, backend included."""
    program = (
        "import sys\n"
        "import erd_ros.ros.node\n"
        "from erd_ros import runtime\n"
        "runtime.load(runtime.DEFAULT_MODEL)\n"
        f"print(sorted({set(MAY_IMPORT_LIBRARY)!r} & set(sys.modules)))\n"
    )
    pytest.importorskip("rclpy", reason="rclpy is not installed: the node cannot be loaded")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("folder", ["erd_ros", "launch", "benchmark", "scripts", "test"])
def test_files_stay_readable(folder):
    long = {
        str(file.relative_to(ROOT)): lines
        for file in (ROOT / folder).rglob("*.py")
        if (lines := len(file.read_text().splitlines())) > 300
    }
    assert not long, f"longer than 300 lines: {long}"


def test_functions_stay_readable():
    long = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name} has {lines}"
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and (lines := node.end_lineno - node.lineno + 1) > 50
    ]
    assert not long, "functions longer than 50 lines:\n  " + "\n  ".join(long)
