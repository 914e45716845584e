"""Messages for fuzzing: headers, ids, cameras, and keypoints as each sender has them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from erd_ros.msg import Keypoint2D, Person2D, Person2DArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from benchmark.fuzz_people import View, chance, draw_distortion, odd
from erd_ros.skeleton import Skeleton

_FLOAT32 = float(np.finfo(np.float32).max)
_ODD_IDS = (
    "", "7", "-1", "0", "b0001", "a b", "\u00fc\u00f6", "\u4eba", "x" * 300, "a/b",
    "a__b", "_a", "a\x00b", "\n", "{x}", "~", "B0001", "1_", "\U0001f600",
)  # fmt: skip
_FRAMES = ("camera_optical_frame", "", "/camera", "a b", "x" * 300, "\u00e4", "base_link")


def fits_float32(value: float) -> float:
    """What a field of float32 can hold of a number; infinite and NaN as they are."""
    if np.isfinite(value) and abs(value) > _FLOAT32:
        return float(np.sign(value) * np.inf)
    return float(value)


class Clock:
    """Stamps as a camera gives them, and as it should not."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._now_s = float(generator.choice([0.0, 100.0, 1.7e9, 2.0**31 - 2]))
        self._kind = str(generator.choice(["good", "good", "good", "equal", "zero", "odd"]))

    def stamp(self, generator: np.random.Generator) -> Time:
        now_s = self._now_s = self._now_s + (0 if self._kind == "equal" else 1 / 30)
        if self._kind == "zero":
            now_s = 0.0
        if self._kind == "odd" or chance(generator, 0.03):
            now_s += float(generator.choice([0.7, -0.7, -0.1, 5, -5, 3600, -1e9, 1e9, 0.001]))
            if chance(generator, 0.3):
                self._now_s = now_s
        nanosec = int(now_s % 1 * 1e9)
        if chance(generator, 0.01):
            nanosec = 2**32 - 1
        return Time(sec=int(np.clip(now_s // 1, -(2**31), 2**31 - 1)), nanosec=nanosec)


def draw_frame(generator: np.random.Generator) -> str:
    return _FRAMES[0] if chance(generator, 0.9) else str(generator.choice(_FRAMES))


def draw_ids(generator: np.random.Generator, persons: int) -> list[str]:
    """None, names as trackers give them, or odd ones; sometimes one twice."""
    kind = generator.random()
    if kind < 0.4:
        return [""] * persons
    if kind < 0.7:
        return [f"p{number}" for number in range(persons)]
    return [str(generator.choice(_ODD_IDS)) for _ in range(persons)]


def draw_info(generator: np.random.Generator, view: View, header: Header) -> CameraInfo:
    """A CameraInfo of the view; one in seven times with something wrong."""
    matrix = view.matrix
    info = CameraInfo(header=header, width=view.width, height=view.height)
    projection = np.concatenate([matrix, np.zeros((3, 1))], 1)
    if chance(generator, 0.3):
        info.distortion_model, coefficients = draw_distortion(generator)
        info.d = [float(value) for value in coefficients]
    if chance(generator, 0.15):
        for _ in range(int(generator.integers(1, 4))):
            row, column = generator.integers(0, 3, 2)
            matrix[row, column] = projection[row, column] = odd(generator)
    if chance(generator, 0.1):
        with np.errstate(invalid="ignore", over="ignore"):
            matrix *= generator.choice([0, 0.001, 0.1, 2, 1000, -1, odd(generator)])
    if chance(generator, 0.05):
        name = str(generator.choice(["width", "height", "binning_x", "binning_y"]))
        setattr(info, name, int(generator.choice([0, 1, 2, 3, 100, 2**31, 2**32 - 1])))
    if chance(generator, 0.05):
        for name in ("width", "height", "x_offset", "y_offset"):
            setattr(info.roi, name, int(generator.choice([0, 1, 2, 100, 2**32 - 1])))
    info.k, info.p = matrix.ravel(), projection.ravel()
    return info


def draw_depth(generator: np.random.Generator, view: View, header: Header) -> Image:
    """A depth image, small so that many can be drawn, or of the camera's size."""
    width, height = (view.width, view.height) if view.width <= 640 else (64, 48)
    if chance(generator, 0.2):
        width, height = int(generator.integers(0, 90)), int(generator.integers(0, 90))
    encoding = str(generator.choice(["32FC1", "16UC1", "mono16", "64FC1", "", "rgb8"]))
    kind = np.float32 if encoding == "32FC1" else np.uint16
    value = odd(generator) if chance(generator, 0.3) else float(generator.uniform(0.5, 8))
    with np.errstate(invalid="ignore", over="ignore"):
        rows = np.full((height, width), value, np.float32)
        rows = rows if kind == np.float32 else (np.nan_to_num(rows) * 1000).clip(0, 65535)
    data = rows.astype(kind).tobytes()
    step = width * np.dtype(kind).itemsize
    if chance(generator, 0.1):
        step = int(generator.choice([0, 1, step + 1, 2**32 - 1]))
    if chance(generator, 0.1):
        data = data[: int(generator.integers(0, len(data) + 1))]
    image = Image(header=header, width=width, height=height, encoding=encoding, step=step)
    image.is_bigendian = int(chance(generator, 0.1))
    image.data.frombytes(data)
    return image


def own_message(
    generator: np.random.Generator, header: Header, layout: Skeleton, people: np.ndarray, view: View
) -> Person2DArray:
    """Persons (N, J, 3) of columns, rows and scores as our own message has them."""
    message = Person2DArray(header=header, layout=layout.name, width=view.width, height=view.height)
    if layout.name == "own" or chance(generator, 0.1):
        message.joint_names = list(layout.joint_names)
    if chance(generator, 0.05):
        message.layout = str(generator.choice(["", "coco", "x" * 10000, "\u00e4"]))
    if chance(generator, 0.05):
        message.width = int(generator.choice([0, 1, view.width // 2, 2**32 - 1]))
    for name, person in zip(draw_ids(generator, len(people)), people.tolist(), strict=True):
        keypoints = [Keypoint2D(x=x, y=y, score=score) for x, y, score in person]
        if chance(generator, 0.01):
            keypoints = keypoints[: int(generator.integers(len(keypoints) + 1))] or keypoints * 2
        message.persons.append(Person2D(id=name, score=1.0, keypoints=keypoints))
    return message


def yolo_message(
    generator: np.random.Generator, header: Header, people: np.ndarray, *_: Any
) -> Any:
    """As yolo_msgs/DetectionArray; keypoints count from 1."""
    detections = []
    for name, person in zip(draw_ids(generator, len(people)), people.tolist(), strict=True):
        data = [
            SimpleNamespace(id=number + 1, point=SimpleNamespace(x=x, y=y), score=score)
            for number, (x, y, score) in enumerate(person)
        ]
        if chance(generator, 0.05):
            data[0].id = int(generator.choice([0, -1, 18, 2**31 - 1, 3]))
        if chance(generator, 0.05):
            data = data[: int(generator.integers(len(data)))]
        detections.append(SimpleNamespace(id=name, keypoints=SimpleNamespace(data=data)))
    return SimpleNamespace(header=header, detections=detections)


def zed_message(
    generator: np.random.Generator, header: Header, people: np.ndarray, view: View
) -> Any:
    """As zed_msgs/ObjectsStamped: arrays of fixed length, one score for all."""
    body_format = int(generator.choice([0, 0, 1, 2, 3, 255]))
    objects = []
    for number, person in enumerate(people):
        points = np.full((70, 2), np.nan)
        points[: len(person)] = person[:, :2]
        keypoints = [SimpleNamespace(kp=np.array(point, np.float32)) for point in points]
        space = [SimpleNamespace(kp=point) for point in _zed_space(generator, points, view)]
        objects.append(
            SimpleNamespace(
                label_id=int(generator.choice([number, number, -1, 2**15 - 1])),
                label=str(generator.choice(["Person", "", "Vehicle"])),
                confidence=float(generator.choice([0, 50, 99.5, 100, 1000, -1, np.nan, np.inf])),
                skeleton_available=chance(generator, 0.95),
                body_format=body_format,
                tracking_available=chance(generator, 0.9),
                tracking_state=int(generator.integers(0, 4)),
                skeleton_2d=SimpleNamespace(keypoints=keypoints),
                skeleton_3d=SimpleNamespace(keypoints=space),
            )
        )
    return SimpleNamespace(header=header, objects=objects)


def _zed_space(generator: np.random.Generator, points: np.ndarray, view: View) -> np.ndarray:
    """(70, 3) x forward, y left, z up: three metres ahead, or anywhere."""
    with np.errstate(over="ignore", invalid="ignore"):
        rays = (points - view.matrix[:2, 2]) / view.focal
        space = 3 * np.column_stack([np.ones(len(rays)), -rays]).astype(np.float32)
    if chance(generator, 0.2):
        space[int(generator.integers(18)), int(generator.integers(3))] = fits_float32(
            odd(generator)
        )
    return space


def hri_message(
    generator: np.random.Generator, header: Header, people: np.ndarray, view: View
) -> Any:
    """As hri_msgs/Skeleton2D: 18 points of one person in parts of the image."""
    points = np.zeros((18, 3))
    if len(people):
        person = people[0]
        points[: min(18, len(person))] = person[:18]
        points[:, :2] /= (view.width, view.height)
    if chance(generator, 0.02):
        points = points[: int(generator.integers(18))]
    skeleton = [SimpleNamespace(x=x, y=y, c=c) for x, y, c in points.tolist()]
    return SimpleNamespace(header=header, skeleton=skeleton)


FOREIGN = {"yolo": yolo_message, "zed": zed_message, "hri_skeleton2d": hri_message}
