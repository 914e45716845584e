"""A ROS 2 bag opened by rosbags, and one line for whatever cannot be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from erd_ros.errors import InputError
from erd_ros.input_file import check_name

_STORAGES = {".mcap": "mcap", ".db3": "sqlite3"}
_ROS_1 = b"#ROSBAG V"


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """rosbags' reader of a bag: a folder with its metadata.yaml, or a .mcap or .db3 file.

    Raises InputError when there is no such bag, and for what is damaged in it while it is read.
    """
    try:
        from rosbags.rosbag2 import Reader
    except ImportError as error:
        raise InputError(
            "reading bags needs rosbags, which is not installed; `pip install rosbags`"
        ) from error
    if path:
        check_name(path, "bag")
    try:
        with Reader(_storage_file(path)) as reader:
            yield reader
    except InputError:
        raise
    # rosbags checks little: a damaged bag raises what struct, SQLite, zstd or a missing key raise.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"bag '{path}' cannot be read ({reason}); `ros2 bag reindex` repairs one that was cut "
            "short"
        ) from error


def _storage_file(path: str) -> Path:
    """The bag itself, or the only file of a folder without metadata."""
    bag = Path(path)
    if not path or not bag.exists():
        raise InputError(f"bag '{path}' does not exist; give the folder that `ros2 bag` wrote")
    if not bag.is_dir():
        if not bag.is_file():
            raise InputError(f"bag '{path}' is no regular file; give the folder of `ros2 bag`")
        _refuse_ros_1(bag)
        return bag
    if (bag / "metadata.yaml").is_file():
        return bag
    files = sorted(file for file in bag.iterdir() if file.suffix in _STORAGES)
    if len(files) == 1:
        return files[0]
    for file in sorted(bag.glob("*.bag")):
        _refuse_ros_1(file)
    if not files:
        raise InputError(
            f"bag '{path}' cannot be read (a folder without metadata.yaml, and no .mcap or .db3 "
            "file in it); give the folder that `ros2 bag` wrote"
        )
    raise InputError(
        f"bag '{path}' has {len(files)} files but no metadata.yaml; `ros2 bag reindex {path} -s "
        f"{_STORAGES[files[0].suffix]}` writes it, or, without ROS, `rosbags-convert --src "
        f"{path}/*{files[0].suffix} --dst NEW_FOLDER`"
    )


def _refuse_ros_1(file: Path) -> None:
    with file.open("rb") as content:
        if content.read(len(_ROS_1)) != _ROS_1:
            return
    raise InputError(
        f"bag '{file}' is one of ROS 1; `rosbags-convert --src {file} --dst "
        f"{file.with_suffix('')} --dst-typestore ros2_humble` (of `pip install rosbags`) makes one "
        "of ROS 2"
    )
