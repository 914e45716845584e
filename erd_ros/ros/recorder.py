"""recorder: keeps what a camera and erd_node published, for the demo's report.

Topics: ``people``, ``camera_info``, ``image``. Told to stop, it writes one file; see Recording.
"""

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image

from erd_ros.drawing import jpeg
from erd_ros.errors import ErdError, InputError
from erd_ros.geometry.camera import Camera
from erd_ros.msg import Person3DArray
from erd_ros.recording import Recording
from erd_ros.ros.convert import camera_from_info
from erd_ros.ros.images import rgb_from_image

NODE_NAME = "recorder"
# Images are kept as JPEG, at most this many: then every second one goes, and so on.
_MOST_IMAGES = 200
_QOS = QoSProfile(depth=100)


class Recorder(Node):
    """Collects messages; the file's name is its parameter ``path``."""

    def __init__(self) -> None:
        super().__init__(NODE_NAME)
        path = self.declare_parameter("path", "").value
        if not path:
            raise InputError("parameter 'path' is empty; give the file to write, ending in .npz")
        self.path = Path(path)
        self._published: list[int] = []
        self._answers: list[tuple[Person3DArray, int]] = []
        self._images: dict[int, np.ndarray[tuple[int], np.dtype[np.uint8]]] = {}
        self._frames, self._keep_every = 0, 1
        self._info: CameraInfo | None = None
        # camera_info last: the player waits for its subscribers.
        self.create_subscription(Person3DArray, "people", self._store_people, _QOS)
        self.create_subscription(Image, "image", self._store_image, qos_profile_sensor_data)
        self.create_subscription(CameraInfo, "camera_info", self._store_info, _QOS)

    def _store_people(self, message: Person3DArray) -> None:
        self._answers.append((message, time.monotonic_ns()))

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
        if not self._answers:
            raise InputError(
                f"erd_node answered none of {len(self._published)} frames; its log says why"
            )
        return _recording(
            camera_from_info(self._info), self._published, self._answers, self._images
        )


def _recording(
    camera: Camera,
    published: list[int],
    answers: list[tuple[Person3DArray, int]],
    images: dict[int, np.ndarray[tuple[int], np.dtype[np.uint8]]],
) -> Recording:
    messages = [message for message, _ in answers]
    rows = [(index, p) for index, message in enumerate(messages) for p in message.persons]
    joints = len(messages[0].joint_names)
    positions = [
        [(joint.position.x, joint.position.y, joint.position.z) for joint in person.joints]
        for _, person in rows
    ]
    scores = [[joint.score for joint in person.joints] for _, person in rows]
    return Recording(
        backend=messages[0].backend,
        layout=messages[0].layout,
        joint_names=np.array(messages[0].joint_names, np.str_),
        parents=np.array(messages[0].parents, np.int64),
        published_ns=np.array(published, np.int64),
        answered_ns=np.array([_nanoseconds(message) for message in messages], np.int64),
        arrived_ns=np.array([arrived_ns for _, arrived_ns in answers], np.int64),
        latency_s=np.array([message.latency for message in messages], np.float32),
        age_s=np.array([message.age for message in messages], np.float32),
        message=np.array([index for index, _ in rows], np.int64),
        ids=np.array([person.id for _, person in rows], np.str_),
        joints=np.array(positions, np.float32).reshape(len(rows), joints, 3),
        scores=np.array(scores, np.float32).reshape(len(rows), joints),
        residual_px=np.array([person.residual for _, person in rows], np.float32),
        images_ns=np.array(list(images), np.int64),
        image_ends=np.cumsum([len(image) for image in images.values()], dtype=np.int64),
        image_bytes=np.concatenate([np.zeros(0, np.uint8), *images.values()]),
        camera_size=np.array([camera.width, camera.height]),
        camera_intrinsics=camera.intrinsics,
        camera_distortion=np.array(camera.distortion, np.float64),
        camera_distortion_model=camera.distortion_model,
    )


def _nanoseconds(message: CameraInfo | Image | Person3DArray) -> int:
    nanoseconds: int = Time.from_msg(message.header.stamp).nanoseconds
    return nanoseconds


def main(args: Sequence[str] | None = None) -> int:
    """Record until told to stop; 0 when the file was written, 1 when there was nothing to write."""
    try:
        rclpy.init(args=args)
        recorder = Recorder()
        _spin(recorder)
        recorder.recording().save(recorder.path)
    except ErdError as error:
        get_logger(NODE_NAME).fatal(str(error))
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


def _spin(recorder: Recorder) -> None:
    try:
        rclpy.spin(recorder)
    except (KeyboardInterrupt, ExternalShutdownException):
        # A terminal and the demo both send SIGINT: the second must not interrupt the writing.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
