"""Engines on disk: keys, two processes at once, what is corrupt, foreign or cannot be written."""

import errno
import logging
import os
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest

from erd_ros.errors import BackendError
from erd_ros.runtime.engine_cache import EngineKey, cache_folder, cached, read_engine

KEY = EngineKey("ab" * 32, "10.3.0", "Orin", "8.7", 12060, "float32", 64)
PLAN = b"a plan " * 1000
OTHER = {
    "onnx_sha256": "cd" * 32, "tensorrt": "10.3.1", "gpu": "Thor", "capability": "9.0",
    "driver": 13000, "precision": "mixed_float16", "max_persons": 65,
}  # fmt: skip


class Builder:
    """Counts its builds; what it starts is the content itself."""

    def __init__(self):
        self.builds = 0
        self.refuses = False

    def build(self):
        self.builds += 1
        return PLAN

    def start(self, content):
        return None if self.refuses else content

    def get(self, folder, key=KEY):
        return cached(folder, key, self.build, self.start)


@pytest.fixture
def builder():
    return Builder()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def engine_file(folder, key=KEY):
    return folder / key.file_name()


def test_built_once_then_read(folder, builder):
    assert builder.get(folder) == PLAN
    assert builder.get(folder) == PLAN
    assert builder.builds == 1
    assert folder.stat().st_mode & 0o077 == 0
    assert engine_file(folder).stat().st_mode & 0o022 == 0
    assert not list(folder.glob("*.partial"))


@pytest.mark.parametrize("field", [field.name for field in fields(EngineKey)])
def test_another_of_anything_is_another_engine(folder, builder, field):
    assert set(OTHER) == {field.name for field in fields(EngineKey)}
    other = replace(KEY, **{field: OTHER[field]})
    builder.get(folder)
    builder.get(folder, other)
    assert builder.builds == 2
    # And a file that lies under another's name is told apart by what it says of itself.
    os.replace(engine_file(folder), engine_file(folder, other))
    assert read_engine(engine_file(folder, other), other) is None


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: content[:-1], "corrupt"),
        (lambda content: content[:40], "not used"),
        (lambda content: b"", "not an engine of this package"),
        (lambda content: b"\x7fELF" + content, "not an engine of this package"),
        (lambda content: content[:-5] + b"\0" + content[-4:], "corrupt"),
        (lambda content: content.replace(b'"sha256"', b'"sha257"'), "not used"),
        (lambda content: content.replace(b'"driver": 12060', b'"driver": 12050'), "built for"),
    ],
)
def test_what_is_corrupt_foreign_or_stale_is_built_anew(folder, builder, caplog, spoil, reason):
    builder.get(folder)
    file = engine_file(folder)
    file.write_bytes(spoil(file.read_bytes()))
    assert builder.get(folder) == PLAN
    assert builder.builds == 2
    assert reason in caplog.text
    assert builder.get(folder) == PLAN
    assert builder.builds == 2  # and put right on disk


def test_an_engine_that_does_not_start_is_built_anew_then_an_error(folder, builder):
    builder.get(folder)
    builder.refuses = True
    with pytest.raises(BackendError, match=r"built an engine for Orin that it cannot load"):
        builder.get(folder)
    assert builder.builds == 2


def test_a_folder_that_others_may_write_is_not_used(folder, builder, caplog):
    builder.get(folder)
    folder.chmod(0o777)
    assert builder.get(folder) == PLAN
    assert builder.builds == 2
    assert "others may write" in caplog.text
    assert "chmod go-w" in caplog.text


def test_a_file_that_others_may_write_is_not_used(folder, builder, caplog):
    builder.get(folder)
    engine_file(folder).chmod(0o666)
    builder.get(folder)
    assert builder.builds == 2
    assert "others may write" in caplog.text


def test_another_user_s_folder_is_not_used(folder, builder, caplog, monkeypatch):
    builder.get(folder)
    if os.getuid() == 0:
        os.chown(folder, 1234, 1234)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 1234)
    builder.get(folder)
    assert builder.builds == 2
    assert "belongs to user" in caplog.text


def test_a_link_is_not_followed(folder, builder, tmp_path, caplog):
    builder.get(folder)
    elsewhere = tmp_path / "elsewhere"
    engine_file(folder).rename(elsewhere)
    engine_file(folder).symlink_to(elsewhere)
    assert builder.get(folder) == PLAN
    assert builder.builds == 2
    assert not engine_file(folder).is_symlink()


def test_a_folder_that_cannot_be_made(tmp_path, builder, caplog):
    (tmp_path / "file").write_text("in the way")
    assert builder.get(tmp_path / "file" / "cache") == PLAN
    assert "engines cannot be kept" in caplog.text
    assert "ROS_HOME" in caplog.text


def test_a_read_only_cache_serves_what_it_has(folder, builder, monkeypatch, caplog):
    builder.get(folder)
    opened = os.open

    def read_only(path, flags, *mode, **more):
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return opened(path, flags, *mode, **more)

    # Root may write everywhere: the error is that of a disk mounted so.
    monkeypatch.setattr(os, "open", read_only)
    assert builder.get(folder) == PLAN
    assert builder.builds == 1
    assert builder.get(folder, replace(KEY, driver=1)) == PLAN
    assert builder.builds == 2
    assert "Read-only file system" in caplog.text


def test_a_full_disk_costs_a_build_no_more(folder, builder, monkeypatch, caplog):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert builder.get(folder) == PLAN
    assert "No space left on device" in caplog.text
    assert "built again at the next start" in caplog.text
    assert not list(folder.glob("*.partial"))
    assert not engine_file(folder).exists()
    monkeypatch.undo()
    builder.get(folder)
    assert builder.builds == 2
    assert engine_file(folder).exists()


def test_a_build_that_fails_leaves_nothing_and_lets_go(folder, builder):
    def fails():
        raise BackendError("no memory")

    with pytest.raises(BackendError, match="no memory"):
        cached(folder, KEY, fails, builder.start)
    assert not list(folder.glob("*.engine"))
    assert builder.get(folder) == PLAN


def test_the_folder_is_ros_s_or_the_user_s(monkeypatch, tmp_path):
    monkeypatch.setenv("ROS_HOME", str(tmp_path / "ros"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "ros" / "erd_ros"
    monkeypatch.delenv("ROS_HOME")
    assert cache_folder() == tmp_path / "xdg" / "erd_ros"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "erd_ros"


# A process that builds slowly and says so.
CHILD = """
import logging, sys, time
from pathlib import Path
from erd_ros.runtime.engine_cache import EngineKey, cached
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
def build():
    print("builds", flush=True)
    time.sleep(float(sys.argv[2]))
    return b"a plan " * 1000
key = EngineKey("ab" * 32, "10.3.0", "Orin", "8.7", 12060, "float32", 64)
print("has", len(cached(Path(sys.argv[1]), key, build, lambda content: content)), flush=True)
"""


def child(folder, seconds):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(seconds)],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip


def test_two_processes_build_one_engine(folder):
    children = [child(folder, 1.0) for _ in range(2)]
    said = [one.communicate(timeout=60)[0] for one in children]
    assert "".join(said).count("builds") == 1
    assert "".join(said).count("another process makes the engine") == 1
    assert all("has 7000" in text for text in said)


def test_a_process_that_dies_while_it_builds_is_in_nobody_s_way(folder, builder, caplog):
    dying = child(folder, 600)
    assert dying.stdout.readline() == "builds\n"
    dying.kill()
    dying.wait()
    dying.stdout.close()
    started = time.monotonic()
    with caplog.at_level(logging.INFO):
        assert builder.get(folder) == PLAN
    assert builder.builds == 1
    assert time.monotonic() - started < 60  # it does not wait for the 600 s


def test_a_pipe_in_place_of_an_engine_does_not_wait_for_a_writer(folder, builder, caplog):
    builder.get(folder)
    engine_file(folder).unlink()
    os.mkfifo(engine_file(folder), 0o600)
    started = time.monotonic()
    assert builder.get(folder) == PLAN
    assert time.monotonic() - started < 5
    assert builder.builds == 2
    assert "is not a file" in caplog.text


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/null", path)])
def test_what_is_no_lock_s_file_costs_a_build(folder, builder, caplog, make):
    folder.mkdir(0o700)
    make(engine_file(folder).with_suffix(".lock"))
    assert builder.get(folder) == PLAN
    assert "engines cannot be kept" in caplog.text
    assert not engine_file(folder).exists()


def test_a_lock_s_link_makes_no_file_elsewhere(folder, builder, tmp_path):
    folder.mkdir(0o700)
    engine_file(folder).with_suffix(".lock").symlink_to(tmp_path / "elsewhere")
    assert builder.get(folder) == PLAN
    assert not (tmp_path / "elsewhere").exists()


def test_a_header_nested_without_end_is_built_anew(folder, builder):
    builder.get(folder)
    header = b"[" * 9000
    engine_file(folder).write_bytes(b"erd_ros engine 1\n" + header + b"\n")
    assert builder.get(folder) == PLAN
    assert builder.builds == 2
