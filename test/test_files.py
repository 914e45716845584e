"""Disks that are full or read-only, and files that are damaged: one line, and nothing is lost."""

import resource
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import fields

import numpy as np
import pytest

from erd_ros.demo.recording import Recording
from erd_ros.errors import InputError
from erd_ros.files import check_log_folder, check_writable, write_atomically, write_whole
from erd_ros.npz_arrays import read_npz_arrays
from erd_ros.report import replace_section, write_json


@contextmanager
def full_disk(size):
    """The limit on file sizes makes the system refuse to write on, as a full disk does."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def recording(answers=3):
    """One person in each answer; numbers alone count here."""
    stamps, some = np.arange(answers), np.zeros(answers)
    return Recording(
        "onnxruntime", "h36m", np.array(["pelvis", "neck"]), np.array([-1, 0]), stamps, stamps,
        stamps, some, some, stamps, np.array(["b0001"] * answers), np.zeros((answers, 2, 3)),
        np.zeros((answers, 2)), some, stamps, stamps, np.zeros(9, np.uint8), np.array([640, 480]),
        np.eye(3), np.zeros(5), "plumb_bob",
    )  # fmt: skip


def write_picture(path):
    from matplotlib.figure import Figure

    write_whole(path, Figure().savefig)


def write_page(path):
    path.write_text("<!-- a: begin -->\n<!-- a: end -->\n" + path.read_text())
    before = path.read_bytes()
    try:
        with full_disk(1000):
            replace_section(path, "a", "long " * 1000)
    finally:
        assert path.read_bytes() == before
        path.write_text("earlier")


WRITERS = {
    "any.bin": lambda path: write_atomically(path, bytes(5000)),
    "recording.npz": lambda path: recording().save(path),
    "figures.json": lambda path: write_json(path, {"a": list(range(5000))}, seed=None),
    "demo.png": write_picture,
    "page.md": write_page,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_earlier_file_whole(tmp_path, name):
    path = tmp_path / name
    path.write_text("earlier")
    with full_disk(1000), pytest.raises(InputError, match=r"cannot be written.*make room"):
        WRITERS[name](path)
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_of_a_detector_are_written_whole_or_not_at_all(tmp_path):
    from erd_ros.data.error_table import write_error_table

    path = tmp_path / "errors.npz"
    path.write_text("earlier")
    errors = np.random.default_rng(0).normal(size=(100, 2, 2))
    with full_disk(100), pytest.raises(InputError, match="cannot be written"):
        write_error_table(path, errors, ["a", "b"])
    assert path.read_text() == "earlier"


def test_a_folder_that_is_none_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"nothing can be written: .*/file/out: Not a directory"):
        check_writable(tmp_path / "file" / "out")
    with full_disk(100), pytest.raises(InputError, match=r"File too large; make room"):
        check_writable(tmp_path)


@pytest.mark.parametrize("name", ["HOME", "ROS_HOME", "ROS_LOG_DIR"])
def test_a_log_folder_that_cannot_be_written_names_ros_log_dir(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"/file.*set ROS_LOG_DIR to a folder") as error:
        check_log_folder({"HOME": str(tmp_path), name: str(tmp_path / "file" / "in")})
    assert "\n" not in str(error.value)
    check_log_folder({"HOME": str(tmp_path / "file"), "ROS_LOG_DIR": str(tmp_path / "log")})


def test_without_a_home_ros_log_dir_is_named():
    with pytest.raises(InputError, match=r"HOME is not set.*set ROS_LOG_DIR"):
        check_log_folder({})


def test_a_demo_that_cannot_write_ends_before_anything_starts(tmp_path, capsys, monkeypatch):
    from erd_ros.cli import main

    (tmp_path / "file").write_text("")
    assert main(["demo", "--headless", "--out", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.startswith("erd demo: nothing can be written: ")
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "file" / "log"))
    assert main(["demo", "--headless", "--out", str(tmp_path)]) == 1
    assert "set ROS_LOG_DIR" in capsys.readouterr().err


def test_a_recording_comes_back(tmp_path):
    recording().save(tmp_path / "r.npz")
    back = Recording.load(tmp_path / "r.npz")
    for field in fields(Recording):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(recording(), field.name))


def test_a_damaged_recording_is_refused_or_read(tmp_path):
    recording().save(tmp_path / "whole.npz")
    whole, path = (tmp_path / "whole.npz").read_bytes(), tmp_path / "r.npz"
    generator = np.random.default_rng(0)
    for at, value in zip(
        generator.integers(0, len(whole), 300), generator.integers(0, 256, 300), strict=True
    ):
        path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
        with suppress(InputError):  # nothing else may come out
            Recording.load(path)


def test_arrays_of_other_types_are_no_recording(tmp_path):
    values = {field.name: getattr(recording(), field.name) for field in fields(Recording)}
    np.savez(tmp_path / "r.npz", **(values | {"joints": np.array(["x"])}))
    with pytest.raises(InputError, match=r"joints is <U1 of shape \(1,\); run `erd demo`"):
        Recording.load(tmp_path / "r.npz")


def test_an_archive_that_unpacks_to_more_than_memory_is_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"a{number}.npy", bytes(2**20))
    content = bytearray(path.read_bytes())
    size = (2**20).to_bytes(4, "little")
    while (at := content.rfind(size)) >= 0:
        content[at : at + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bomb\.npz.*bytes, at most"):
        read_npz_arrays(path, "table")
