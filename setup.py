"""Builds the ROS messages into the wheel by the CMakeLists.txt that colcon uses on a robot.

CMake installs into a staging folder; what it put there becomes part of the wheel: ``erd_ros.msg``
and ``erd_ros.srv``, their libraries and ``share/erd_ros``, so that ROS finds the package under
``sys.prefix``. Where the ROS wheels do not exist (they are for Linux x86-64), or with
``ERD_WITHOUT_ROS=1``, the package is installed without messages: everything but the node works.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_ext import build_ext

SOURCE = Path(__file__).resolve().parent
GENERATED = ("*.so", "msg/*.py", "msg/*.so", "srv/*.py", "srv/*.so")
SITE_PACKAGES = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def builds_messages() -> bool:
    """Whether this machine has what generating ROS messages needs; says so where it has not."""
    if os.environ.get("ERD_WITHOUT_ROS", "0") not in ("", "0"):
        reason = "ERD_WITHOUT_ROS is set"
    elif (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        reason = "the ROS wheels are for Linux x86-64; elsewhere build with colcon on a ROS 2"
    else:
        return True
    print(f"erd_ros is installed without its ROS messages and node: {reason}", file=sys.stderr)
    return False


def ros_prefix() -> Path:
    """The folder under which the ROS wheels are installed: the environment's or pip's own."""
    for entry in map(Path, sys.path):
        prefix = entry.parents[2] if len(entry.parents) > 2 else entry
        if (prefix / "share/ament_cmake/cmake").is_dir():
            return prefix
    raise SystemExit("ament_cmake was not found: install the build requirements of pyproject.toml")


def stage_by_cmake(build: Path, stage: Path) -> None:
    """Configure, build and install the package and its messages into `stage`."""
    prefix = ros_prefix()
    paths = [str(prefix / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    environment = os.environ | {
        "AMENT_PREFIX_PATH": str(prefix),
        "PATH": os.pathsep.join(paths),
    }
    options = {
        "BUILD_TESTING": "OFF",
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_INSTALL_PREFIX": stage,
        "CMAKE_PREFIX_PATH": prefix,
        "PYTHON_INSTALL_DIR": SITE_PACKAGES,
        "Python3_EXECUTABLE": sys.executable,
    }
    definitions = [f"-D{name}={value}" for name, value in options.items()]
    for command in (
        ["cmake", "-G", "Ninja", "-S", SOURCE, "-B", build, *definitions],
        ["cmake", "--build", build, "--target", "install"],
    ):
        subprocess.run(command, check=True, env=environment)


def as_data_files(stage: Path, files: Iterable[Path]) -> list[tuple[str, list[str]]]:
    """Staged files as `data_files`: installed under `sys.prefix` as they lie under `stage`."""
    folders: dict[str, list[str]] = {}
    for path in sorted(files):
        folder = str(path.parent.relative_to(stage))
        folders.setdefault(folder, []).append(os.path.relpath(path, SOURCE))
    return list(folders.items())


class BuildMessages(build_ext):
    """Runs CMake and hands what it installed to the wheel.

    An editable install leaves the Python modules in the checkout and places the messages in the
    environment: ``erd_ros/__init__.py`` extends its path, so that both are one package.
    """

    def run(self) -> None:
        """Build in a fresh folder: a cached configuration would name pip's deleted environment."""
        build, stage = (Path(self.build_temp).resolve() / name for name in ("cmake", "stage"))
        for folder in (build, stage):
            shutil.rmtree(folder, ignore_errors=True)
        stage_by_cmake(build, stage)
        package = stage / SITE_PACKAGES / "erd_ros"
        messages = [path for kind in GENERATED for path in package.glob(kind)]
        shared = [path for path in (stage / "share").rglob("*") if path.is_file()]
        shared += stage.glob("lib/*.so")
        if self.editable_mode:
            shared += messages
        else:
            for path in messages:
                target = Path(self.build_lib) / path.relative_to(package.parent)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
        self.distribution.data_files = as_data_files(stage, shared)
        if self.editable_mode:
            self.run_command("install_data")  # setuptools leaves it out of an editable wheel

    def get_outputs(self) -> list[str]:
        """Nothing of setuptools' own: the messages are placed by `run`."""
        return []

    def get_output_mapping(self) -> dict[str, str]:
        """Likewise for an editable install."""
        return {}


class PlatformDistribution(Distribution):
    """A distribution whose wheel belongs to one platform and one Python."""

    def has_ext_modules(self) -> bool:
        """Whether the wheel holds compiled messages."""
        return WITH_MESSAGES


WITH_MESSAGES = builds_messages()
setup(cmdclass={"build_ext": BuildMessages}, distclass=PlatformDistribution)
