"""Checks this Python and the system packages that .venv needs; installs them where it may.

As root, or with a sudo that asks nothing, missing packages are installed by apt; otherwise the one
line that installs them is printed and the exit status is 1.
"""

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

OLDEST, NEWEST, NEWEST_WITH_MEDIAPIPE = (3, 10), (3, 13), (3, 12)
LIBRARIES = {  # what opencv and mediapipe load
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libglib-2.0.so.0": "libglib2.0-0",
}


def check_python() -> None:
    """Stop with one line where this Python is not among those the package runs on."""
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        sys.exit(
            "{} is Python {}.{}, and erd_ros runs on {}.{} to {}.{}; choose another with "
            "make PYTHON=python3.12".format(sys.executable, *version, *OLDEST, *NEWEST)
        )
    if version > NEWEST_WITH_MEDIAPIPE:
        print(
            "note: mediapipe has wheels up to Python {}.{}: on {}.{} there is no detector for "
            "images, keypoint topics work".format(*NEWEST_WITH_MEDIAPIPE, *version)
        )


def loads(library: str) -> bool:
    """Whether the dynamic linker finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_packages() -> "list[str]":
    """Names of the apt packages that this machine lacks."""
    python = "python{}.{}".format(*sys.version_info[:2])
    missing = []
    if shutil.which("g++") is None:
        missing.append("g++")
    if shutil.which("make") is None:
        missing.append("make")
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        missing.append(python + "-dev")
    if importlib.util.find_spec("ensurepip") is None:
        missing.append(python + "-venv")
    return missing + [package for library, package in LIBRARIES.items() if not loads(library)]


def install(packages: "list[str]") -> None:
    """Install apt packages, or say the line that does and stop."""
    line = "apt-get install -y --no-install-recommends " + " ".join(packages)
    if shutil.which("apt-get") is None:
        sys.exit("missing, by their names in Debian and Ubuntu: " + " ".join(packages))
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if root and (shutil.which("sudo") is None or subprocess.call(["sudo", "-n", "true"]) != 0):
        sys.exit("system packages are missing; install them and run make again:\n  sudo " + line)
    print("== system packages: " + " ".join(packages), flush=True)
    subprocess.check_call([*root, "apt-get", "update", "-qq"])
    subprocess.check_call([*root, "env", "DEBIAN_FRONTEND=noninteractive", *line.split()])


check_python()
lacking = missing_packages()
if lacking:
    install(lacking)
