"""recorder: keeps what a camera and erd_node published, for the demo's report.

Topics: ``people``, ``camera_info``, ``image``. Told to stop, it writes one file; see Recording.
"""

import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image

from erd_ros.demo.drawing import jpeg
from erd_ros.demo.recording import Recording
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.msg import Person3DArray
from erd_ros.pose import FloatArray
from erd_ros.ros.cameras import camera_from_info
from erd_ros.ros.images import rgb_from_image
from erd_ros.ros.process import Told, run_process, spin

NODE_NAME = "recorder"
# Images are kept as JPEG, at most this many: then every second one goes, and so on.
_MOST_IMAGES = 200
# The latest answers are kept: an hour at 25 Hz.
_MOST_ANSWERS = 90_000
_QOS = QoSProfile(depth=1000)


class _Answer(NamedTuple):
    """One Person3DArray as arrays; see Recording."""

    stamp_ns: int
    arrived_ns: int
    latency_s: float
    age_s: float
    ids: list[str]
    joints: FloatArray
    scores: FloatArray
    residual_px: list[float]


class Recorder(Node):
    """Collects messages; the file's name is its parameter ``path``."""

    def __init__(self) -> None:
        super().__init__(NODE_NAME)
        path = self.declare_parameter("path", "").value
        if not path:
            raise InputError("parameter 'path' is empty; give the file to write, ending in .npz")
        self.path = Path(path)
        self._published: list[int] = []
        self._answers: deque[_Answer] = deque(maxlen=_MOST_ANSWERS)
        self._first: Person3DArray | None = None
        self._images: dict[int, NDArray[np.uint8]] = {}
        self._frames, self._keep_every = 0, 1
        self._info: CameraInfo | None = None
        # camera_info last: the player waits for its subscribers.
        self.create_subscription(Person3DArray, "people", self._store_people, _QOS)
        self.create_subscription(Image, "image", self._store_image, qos_profile_sensor_data)
        self.create_subscription(CameraInfo, "camera_info", self._store_info, _QOS)

    def _store_people(self, message: Person3DArray) -> None:
        if message.state in (Person3DArray.STALE, Person3DArray.FAULT):
            return  # it answers no image
        self._first = self._first or message
        self._answers.append(_answer(message, time.monotonic_ns()))

    def _store_info(self, message: CameraInfo) -> None:
        self._info = message
        self._published.append(_nanoseconds(message))

    def _store_image(self, message: Image) -> None:
        self._frames += 1
        if self._frames % self._keep_every:
            return
        self._images[_nanoseconds(message)] = jpeg(rgb_from_image(message))
        if len(self._images) > _MOST_IMAGES:
            self._images = dict(list(self._images.items())[1::2])
            self._keep_every *= 2

    def recording(self) -> Recording:
        """Everything so far. Raises InputError when nothing was published or answered."""
        if self._info is None:
            raise InputError("nothing was published: no CameraInfo was received")
        if self._first is None:
            raise InputError(
                f"erd_node answered none of {len(self._published)} frames; its log says why"
            )
        images = self._images
        return Recording(
            backend=self._first.backend,
            layout=self._first.layout,
            joint_names=np.array(self._first.joint_names, np.str_),
            parents=np.array(self._first.parents, np.int64),
            published_ns=np.array(self._published, np.int64),
            images_ns=np.array(list(images), np.int64),
            image_ends=np.cumsum([len(image) for image in images.values()], dtype=np.int64),
            image_bytes=np.concatenate([np.zeros(0, np.uint8), *images.values()]),
            **_answer_arrays(self._answers),
            **_camera_arrays(camera_from_info(self._info)),
        )


def _answer(message: Person3DArray, arrived_ns: int) -> _Answer:
    persons = [person for person in message.persons if person.unseen == 0]
    joints = len(message.joint_names)
    positions = [[(j.position.x, j.position.y, j.position.z) for j in p.joints] for p in persons]
    scores = [[joint.score for joint in person.joints] for person in persons]
    return _Answer(
        stamp_ns=_nanoseconds(message),
        arrived_ns=arrived_ns,
        latency_s=message.latency,
        age_s=message.age,
        ids=[person.id for person in persons],
        joints=np.array(positions, np.float32).reshape(len(persons), joints, 3),
        scores=np.array(scores, np.float32).reshape(len(persons), joints),
        residual_px=[person.residual for person in persons],
    )


def _answer_arrays(answers: Sequence[_Answer]) -> dict[str, Any]:
    message = [index for index, answer in enumerate(answers) for _ in answer.ids]
    return {
        "answered_ns": np.array([answer.stamp_ns for answer in answers], np.int64),
        "arrived_ns": np.array([answer.arrived_ns for answer in answers], np.int64),
        "latency_s": np.array([answer.latency_s for answer in answers], np.float32),
        "age_s": np.array([answer.age_s for answer in answers], np.float32),
        "message": np.array(message, np.int64),
        "ids": np.array([name for answer in answers for name in answer.ids], np.str_),
        "joints": np.concatenate([answer.joints for answer in answers]),
        "scores": np.concatenate([answer.scores for answer in answers]),
        "residual_px": np.array([r for answer in answers for r in answer.residual_px], np.float32),
    }


def _camera_arrays(camera: Camera) -> dict[str, Any]:
    return {
        "camera_size": np.array([camera.width, camera.height]),
        "camera_intrinsics": camera.intrinsics,
        "camera_distortion": np.array(camera.distortion, np.float64),
        "camera_distortion_model": camera.distortion_model,
    }


def _nanoseconds(message: CameraInfo | Image | Person3DArray) -> int:
    nanoseconds: int = Time.from_msg(message.header.stamp).nanoseconds
    return nanoseconds


def main(args: Sequence[str] | None = None) -> int:
    """Record until told to stop; 0 when the file was written, 1 when there was nothing to write."""
    return run_process(NODE_NAME, args, _record)


def _record(told: Told) -> None:
    recorder = Recorder()
    spin(recorder, told)
    told.finishing = True  # a slow disk must not cost the recording
    recorder.recording().save(recorder.path)


if __name__ == "__main__":
    sys.exit(main())
