"""The package as it is installed: by pip here, by colcon on a robot; both from one CMakeLists."""

import ast
import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MANIFEST = ElementTree.parse(ROOT / "package.xml").getroot()
INTERFACES = sorted(
    f"{kind}/{path.stem}" for kind in ("msg", "srv") for path in (ROOT / kind).iterdir()
)
ROSDEP_KEYS = {  # of imported modules, where the key is not the module's own name
    "cv2": "python3-opencv",
    "matplotlib": "python3-matplotlib",
    "numpy": "python3-numpy",
    "rich": "python3-rich",
    "scipy": "python3-scipy",
    "yaml": "python3-yaml",
}
BY_PIP = ("mediapipe", "onnxruntime")  # into an environment beside apt's: docs/ros.md


# pip puts the wheels of ROS here; on a robot ROS lies elsewhere and colcon builds the package.
BUILT_BY_PIP = Path(sys.prefix, "share/ament_cmake").is_dir()


def text(path):
    return (ROOT / path).read_text()


def imported_modules(*folders):
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module.split(".")[0]


def test_version_is_the_same_everywhere():
    version = PROJECT["project"]["version"]
    assert MANIFEST.findtext("version") == version
    assert re.search(r"^(\d+\.\d+\.\d+) \(", text("CHANGELOG.rst"), re.M)[1] == version


def test_every_message_is_generated():
    listed = re.findall(r"^  ((msg|srv)/\w+)\.\2$", text("CMakeLists.txt"), re.M)
    assert [name for name, _ in listed] == INTERFACES


@pytest.fixture
def share(monkeypatch):
    """The installed share folder, found as ROS finds it."""
    index = pytest.importorskip("ament_index_python.packages", reason="no ROS here")
    if "AMENT_PREFIX_PATH" not in os.environ:
        monkeypatch.setenv("AMENT_PREFIX_PATH", sys.prefix)
    return Path(index.get_package_share_directory("erd_ros"))


@pytest.mark.parametrize("interface", INTERFACES)
def test_installed_message_is_that_of_the_source(share, interface):
    kind, name = interface.split("/")
    file = f"{interface}.{kind}"
    assert (share / file).read_text() == text(file), f"{file} has changed since: make messages"
    assert getattr(importlib.import_module(f"erd_ros.{kind}"), name)


@pytest.mark.parametrize("folder", ["config", "launch", "rviz"])
def test_shared_files_are_installed(share, folder):
    names = {path.name for path in (ROOT / folder).iterdir() if path.name != "__pycache__"}
    assert names <= {path.name for path in (share / folder).iterdir()}, "make messages copies them"


def test_no_rosdep_key_runs_pip_on_the_robots_python():
    keys = {element.text for element in MANIFEST if element.text}
    assert not {key for key in keys if key.endswith("-pip")}
    heavy = {"mediapipe", "onnxruntime", "rerun", "tensorrt", "torch"}
    assert not {key for key in keys if heavy & set(re.split(r"\W", key))}
    for name in BY_PIP:
        assert name in text("docs/ros.md")


def test_manifest_declares_what_the_robot_imports():
    declared = {element.text for element in MANIFEST if element.tag in ("depend", "exec_depend")}
    robot_arm = ("ros", "runtime", "geometry", "demo")
    imported = set(imported_modules("launch", *(f"erd_ros/{name}" for name in robot_arm)))
    imported -= set(sys.stdlib_module_names) | {
        "erd_ros",
        *BY_PIP,
        "rosbags",  # stands in where cv_bridge and ROS's own bags are missing
        "rerun",  # no rosdep key; RViz is what the manifest asks for
        "tensorrt",  # JetPack or NVIDIA's packages bring it, no rosdep key; the CPU does without
        "cuda",
        "torch",  # compared with on a workstation, in runtime/torch_backend.py alone
        "safetensors",
    }
    missing = {ROSDEP_KEYS.get(module, module) for module in imported} - declared
    assert not missing, f"package.xml lacks {sorted(missing)}"


def test_ros_is_pinned_alike_for_building_and_running():
    build = set(PROJECT["build-system"]["requires"])
    run = PROJECT["project"]["optional-dependencies"]["ros"]
    for requirement in (one for one in run if one.startswith("ros-")):
        assert "==" in requirement
        name = requirement.split("==")[0]
        assert {one for one in build if one.split("==")[0] == name} <= {requirement}


@pytest.mark.parametrize("name", PROJECT["project"]["scripts"])
def test_console_script_resolves(name):
    module, function = PROJECT["project"]["scripts"][name].split(":")
    if module.startswith("erd_ros.ros"):
        pytest.importorskip("rclpy", reason="rclpy is not installed: there is no node")
    assert callable(getattr(importlib.import_module(module), function))
    assert f'"{name}={module}"' in text("CMakeLists.txt")


def build_wheel(folder, **environment):
    """Of a copy of the source, with what is installed here: name, names inside, what pip said."""
    source, wheels = folder / "source", folder / "wheels"
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    if files.returncode != 0:
        pytest.skip("not a git checkout: the files of the package are not known")
    for name in files.stdout.split("\n"):
        if name and (ROOT / name).is_file() and not name.startswith("test/"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--verbose", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(wheels), str(source)]
    run = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=os.environ | environment
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-3000:]
    (wheel,) = wheels.iterdir()
    return wheel.name, set(zipfile.ZipFile(wheel).namelist()), run.stdout + run.stderr


@pytest.mark.skipif(not BUILT_BY_PIP, reason="colcon builds the package here")
def test_wheel_holds_messages_and_shared_files(tmp_path):
    _, names, _ = build_wheel(tmp_path)
    data = f"erd_ros-{PROJECT['project']['version']}.data/data"
    assert {
        "erd_ros/cli.py",
        "erd_ros/msg/_person3_d_array.py",
        "erd_ros/srv/_set_person_height.py",
        "erd_ros/weights/robot_erd.onnx",
        f"{data}/lib/liberd_ros__rosidl_typesupport_fastrtps_c.so",
        f"{data}/share/ament_index/resource_index/packages/erd_ros",
        f"{data}/share/erd_ros/config/erd_node.yaml",
        f"{data}/share/erd_ros/launch/erd.launch.py",
        f"{data}/share/erd_ros/msg/Person3DArray.msg",
    } <= names


@pytest.mark.skipif(not BUILT_BY_PIP, reason="colcon builds the package here")
def test_without_ros_the_wheel_says_so_and_holds_the_rest(tmp_path):
    wheel, names, output = build_wheel(tmp_path, ERD_WITHOUT_ROS="1")
    assert wheel.endswith("-py3-none-any.whl")
    assert "without its ROS messages and node: ERD_WITHOUT_ROS is set" in output
    assert "erd_ros/cli.py" in names
    assert not any("/msg/" in name or "/srv/" in name or name.endswith(".so") for name in names)
