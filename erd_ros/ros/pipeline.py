"""From one input message to people: camera, front end, tracker, estimator. No Node."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from sensor_msgs.msg import CameraInfo, Image

from erd_ros.errors import ErdError
from erd_ros.geometry.camera import Camera
from erd_ros.msg import Person2DArray
from erd_ros.pose import Keypoints2D
from erd_ros.ros.convert import (
    CameraReader,
    People,
    ReceivedKeypoints,
    check_image_size,
    keypoints_from_message,
    possible_joints,
    seconds_from_stamp,
)
from erd_ros.ros.images import rgb_from_image
from erd_ros.ros.parameters import NodeParameters
from erd_ros.runtime import Backend
from erd_ros.runtime.detectors import Detector, make_detector
from erd_ros.runtime.estimator import Estimator, EstimatorConfig
from erd_ros.runtime.tracker import Tracker, TrackerConfig
from erd_ros.skeleton import Skeleton

# Called with a cause to count and the message that says what was wrong; the frame is used.
Remark = Callable[[str, str], None]


class FrameError(ErdError):
    """A frame could not be used; ``cause`` is counted, the message says what to do."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


@contextmanager
def _or_drop(cause: str) -> Iterator[None]:
    try:
        yield
    except ErdError as error:
        raise FrameError(cause, str(error)) from error


class FrontEnd(Protocol):
    """What turns an input message into keypoints.

    topic, message_type  what to subscribe to
    bad_input            the cause that an unusable message is counted under
    skeleton             layout of the keypoints; None = each message says it
    """

    topic: str
    message_type: type
    bad_input: str
    skeleton: Skeleton | None

    def read(self, message: Any, camera: Camera) -> ReceivedKeypoints:
        """Keypoints of one message. Raises InputError."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class ImageFrontEnd:
    """Runs a detector on images."""

    topic = "image"
    message_type = Image
    bad_input = "bad image"

    def __init__(self, parameters: NodeParameters) -> None:
        self._detector: Detector = make_detector(parameters.detector)
        self.skeleton: Skeleton | None = self._detector.skeleton

    def read(self, message: Image, camera: Camera) -> ReceivedKeypoints:
        """Keypoints that the detector sees."""
        keypoints: Keypoints2D = self._detector(rgb_from_image(message))
        return ReceivedKeypoints(keypoints)

    def close(self) -> None:
        """Close the detector."""
        self._detector.close()


class KeypointFrontEnd:
    """Takes the keypoints of another node."""

    topic = "keypoints"
    message_type = Person2DArray
    bad_input = "bad keypoints"
    skeleton: Skeleton | None = None

    def __init__(self, parameters: NodeParameters) -> None:
        self._image_margin = parameters.image_margin

    def read(self, message: Person2DArray, camera: Camera) -> ReceivedKeypoints:
        """Keypoints as the message has them."""
        return keypoints_from_message(message, camera, self._image_margin)

    def close(self) -> None:
        """Nothing to give back."""


class Pipeline:
    """Everything between an input message and people. Raises ErdError when it cannot work."""

    def __init__(self, parameters: NodeParameters, backend: Backend, remark: Remark) -> None:
        self.front_end: FrontEnd = FRONT_ENDS[parameters.input](parameters)
        self._cameras = CameraReader(parameters.input_is_rectified)
        self._tracker = Tracker(
            TrackerConfig(parameters.track_timeout, parameters.track_gate, parameters.track_speed)
        )
        self._estimator = Estimator(
            backend,
            EstimatorConfig(
                parameters.min_keypoints, parameters.min_confidence, parameters.image_margin
            ),
        )
        self._remark = remark
        self._stamp_s = float("-inf")
        self._warm_up(self.front_end.skeleton or backend.info.skeleton)

    def people(self, message: Any, info: CameraInfo) -> People:
        """The persons of one message, taken by the camera of ``info``. Raises FrameError."""
        with _or_drop("bad camera info"):
            camera = self._cameras.read(info)
        with _or_drop("size mismatch"):
            check_image_size(message.width or camera.width, message.height or camera.height, camera)
        with _or_drop(self.front_end.bad_input):
            received = self.front_end.read(message, camera)
        self._look_at_headers(message, info)
        if received.remark:
            self._remark("keypoints", received.remark)
        with _or_drop("not estimated"):
            ids = received.ids or self._tracker.update(received.keypoints, self._stamp_s)
            poses = self._estimator.estimate(received.keypoints, camera)
        possible = possible_joints(received.keypoints.skeleton, poses.skeleton)
        return People(message.header, ids, poses, possible)

    def _warm_up(self, skeleton: Skeleton) -> None:
        """Estimate somebody: the first frame is not late, a layout of no use is known now."""
        camera = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))
        pixels = np.linspace((300, 100), (340, 400), len(skeleton), dtype=np.float32)
        confidence = np.ones((1, len(skeleton)), np.float32)
        self._estimator.estimate(Keypoints2D(skeleton, pixels[None], confidence), camera)

    def _look_at_headers(self, message: Any, info: CameraInfo) -> None:
        stamp_s = seconds_from_stamp(message.header.stamp)
        if stamp_s < self._stamp_s:
            self._remark(
                "time went back",
                f"the stamp went back from {self._stamp_s:.3f} s to {stamp_s:.3f} s: "
                "persons are tracked anew and get new ids",
            )
        self._stamp_s = stamp_s
        if message.header.frame_id != info.header.frame_id:
            self._remark(
                "frame mismatch",
                f"the input is in frame '{message.header.frame_id}', its CameraInfo in "
                f"'{info.header.frame_id}'; the input's is used",
            )

    def close(self) -> None:
        """Give back what the front end holds."""
        self.front_end.close()


FRONT_ENDS: dict[str, Callable[[NodeParameters], FrontEnd]] = {
    "image": ImageFrontEnd,
    "keypoints": KeypointFrontEnd,
}
