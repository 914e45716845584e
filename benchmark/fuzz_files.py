"""Fuzzing what reads files: motion, model descriptions, calibrations, bags."""

import atexit
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import StoragePlugin, Writer
from sensor_msgs.msg import CameraInfo, Image

from benchmark.changed_files import changed_inside, mutated
from benchmark.fuzz_motion import READERS, write_seeds
from benchmark.fuzz_target import Case
from erd_ros import artifact, golden
from erd_ros.artifact import Artifact
from erd_ros.demo.bag import bag_messages, bag_topics
from erd_ros.demo.calibration import camera_from_file
from erd_ros.errors import ErdError
from erd_ros.golden import Golden
from erd_ros.runtime import DEFAULT_MODEL, load
from erd_ros.runtime.onnx_backend import read_metadata

Reader = Callable[[Path], object]
_CALIBRATION = """image_width: 640
image_height: 480
camera_name: head
camera_matrix:
  rows: 3
  cols: 3
  data: [600.5, 0, 320, 0, 601, 240, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.05, 0.01, 0.001, -0.0002, 0]
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [600, 0, 320, 0, 0, 600, 240, 0, 0, 0, 1, 0]}
"""
# Where a model file has its metadata, and how much of it is changed at once.
_DESCRIBED, _NEAR = b"erd_ros", 200


def _artifact(path: Path) -> object:
    return Artifact.from_json(path.read_bytes().decode(errors="replace"), path.name)


def _golden(path: Path) -> object:
    return Golden.from_json(path.read_bytes().decode(errors="replace"), path.name)


def _calibration(path: Path) -> object:
    return camera_from_file(path)


def _bag(path: Path) -> object:
    folder = str(path.parent)
    return list(islice(bag_messages(folder, bag_topics(folder)), 100))


def _model(path: Path) -> object:
    return load(path)


OTHERS: Mapping[str, Reader] = {
    "artifact.json": _artifact,
    "golden.json": _golden,
    "head.yaml": _calibration,
    "sqlite/bag.db3": _bag,
    "sqlite/metadata.yaml": _bag,
    "mcap/bag.mcap": _bag,
    "mcap/metadata.yaml": _bag,
}
# As often as each of the others: one in so many episodes.
_EPISODES_A_MODEL = 40


class FilesTarget:
    """See ``benchmark.fuzz_target.Target``: each file of an episode is changed in another way."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="erd_fuzz_"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        write_seeds(self._folder)
        _write_others(self._folder)
        self._readers = {**READERS, **OTHERS, "model.onnx": _model}
        self._seeds = {name: (self._folder / name).read_bytes() for name in self._readers}
        model = self._seeds["model.onnx"]
        self._described = [found.start() for found in re.finditer(_DESCRIBED, model)]
        for name, reader in self._readers.items():  # imports take their time
            with suppress(ErdError):
                reader(self._folder / name)

    def episode(self, generator: np.random.Generator) -> Iterator[Case]:
        names = [name for name in self._readers if name != "model.onnx"]
        if generator.integers(_EPISODES_A_MODEL) == 0:
            names.append("model.onnx")
        for name in names:
            content = self._changed(name, generator)
            yield Case(
                lambda name=name, content=content: f"{name} {content[:8000].hex()}",  # type: ignore[misc]
                lambda name=name, content=content: self._read(name, content),  # type: ignore[misc]
            )

    def _changed(self, name: str, generator: np.random.Generator) -> bytes:
        content = self._seeds[name]
        if name == "model.onnx" and generator.random() < 0.5:
            at = int(generator.choice(self._described)) + int(generator.integers(_NEAR))
            return (
                content[:at] + mutated(content[at : at + _NEAR], generator) + content[at + _NEAR :]
            )
        return changed_inside(name, content, generator)

    def _read(self, name: str, content: bytes) -> list[str]:
        path = self._folder / name
        path.write_bytes(content)
        try:
            self._readers[name](path)
        finally:
            path.write_bytes(self._seeds[name])
        return []


def _write_others(folder: Path) -> None:
    """A small good file for each of OTHERS."""
    model = DEFAULT_MODEL.read_bytes()
    (folder / "model.onnx").write_bytes(model)
    metadata = read_metadata(model, "model")
    (folder / "artifact.json").write_text(metadata[artifact.METADATA_KEY])
    (folder / "golden.json").write_text(metadata[golden.METADATA_KEY])
    (folder / "head.yaml").write_text(_CALIBRATION)
    for name, storage in (("sqlite", StoragePlugin.SQLITE3), ("mcap", StoragePlugin.MCAP)):
        _write_bag(folder / name, storage)


def _write_bag(folder: Path, storage: StoragePlugin) -> None:
    image = Image(width=4, height=2, step=12, encoding="rgb8", data=bytes(24))
    with Writer(folder, version=9, storage_plugin=storage) as writer:
        for topic, message in (("/camera/image", image), ("/camera/camera_info", CameraInfo())):
            kind = f"sensor_msgs/msg/{type(message).__name__}"
            connection = writer.add_connection(topic, kind, msgdef=" ", rihs01="RIHS01_0")
            for number in range(3):
                writer.write(connection, 10**9 + number, serialize_message(message))
    (written,) = folder.glob(f"*.{'db3' if storage == StoragePlugin.SQLITE3 else 'mcap'}")
    renamed = written.rename(folder / f"bag{written.suffix}")
    metadata = folder / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace(written.name, renamed.name))
