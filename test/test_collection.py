"""What `colcon test` finds where ROS's pytest plugins are installed, and where they are not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# As launch_testing/pytest/hooks.py does it: the hook imports each file by itself, so that a file
# that skips as a whole skips the folder. launch_testing is not on PyPI.
HOOK = """
import pytest
from _pytest.pathlib import import_path

def pytest_pycollect_makemodule(module_path, parent):
    import_path(module_path, root=None, consider_namespace_packages=False)
    return pytest.Module.from_parent(parent, path=module_path)
"""
FILES = {
    "test_of_training.py": "import pytest\npytest.importorskip('no_such_module')\n",
    "test_of_the_robot.py": "def test_it():\n    pass\n",
}


def collected(folder, plugins, *options):
    """Names of the tests found below a folder that has this package's settings of pytest."""
    (folder / "test").mkdir()
    for name, content in FILES.items():
        (folder / "test" / name).write_text(content)
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for plugin in plugins:
        described = folder / "site" / f"{plugin}-1.dist-info"
        described.mkdir(parents=True)
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {plugin}\nVersion: 1\n")
        (described / "entry_points.txt").write_text(f"[pytest11]\n{plugin} = {plugin}_hook\n")
        (folder / "site" / f"{plugin}_hook.py").write_text(HOOK)
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", *options, "test"]
    run = subprocess.run(
        words, cwd=folder, env=os.environ | {"PYTHONPATH": str(folder / "site")},
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode in (0, 5), run.stdout + run.stderr
    return [line for line in run.stdout.splitlines() if "::" in line]


@pytest.mark.parametrize("plugins", [[], ["launch_testing"], ["launch_testing", "launch_ros"]])
def test_a_file_that_skips_as_a_whole_leaves_the_others(tmp_path, plugins):
    assert collected(tmp_path, plugins) == ["test/test_of_the_robot.py::test_it"]


def test_without_these_settings_the_plugin_hides_every_test(tmp_path):
    assert collected(tmp_path, ["launch_testing"], "-o", "addopts=") == []
