"""From one input message to a scene: camera, front end, tracker, estimator, filter. No Node."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from erd_ros.cues import Cues
from erd_ros.errors import ErdError, InputError
from erd_ros.geometry.camera import Camera
from erd_ros.msg import Person3DArray
from erd_ros.pose import Keypoints2D
from erd_ros.ros.cameras import (
    CameraReader,
    check_focal_length,
    check_image_size,
    scaled,
    seconds_from_stamp,
)
from erd_ros.ros.convert import ReceivedKeypoints, outside_image
from erd_ros.ros.depth import depths_of_people
from erd_ros.ros.frames import Frames, Placement, is_frame_id
from erd_ros.ros.inputs import FRONT_ENDS, FrontEnd
from erd_ros.ros.knowledge import above_ground, cues_of_ground
from erd_ros.ros.names import given_ids, tracked_ids
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.scene import FrameError, Scene, possible_joints
from erd_ros.ros.stamps import Moment, StampError, StampReader
from erd_ros.runtime import Backend
from erd_ros.runtime.estimator import EstimatorConfig
from erd_ros.runtime.people import PeopleConfig
from erd_ros.runtime.perception import Perception, PerceptionConfig, Used
from erd_ros.runtime.smoothing import SmoothingConfig
from erd_ros.runtime.tracker import TrackerConfig

# Called with a cause to count and the message that says what was wrong; the frame is used.
Remark = Callable[[str, str], None]

_HERE = Placement(np.eye(3), np.zeros(3))


class Inputs(NamedTuple):
    """A message, and what came on other topics for it."""

    message: Any
    info: CameraInfo | None
    depth: Image | None = None


@contextmanager
def _or_drop(cause: str) -> Iterator[None]:
    try:
        yield
    except ErdError as error:
        raise FrameError(cause, str(error)) from error


class Pipeline:
    """Everything between an input message and a scene. Raises ErdError when it cannot work."""

    def __init__(
        self,
        parameters: NodeParameters,
        backend: Backend,
        frames: Frames | None,
        remark: Remark,
        prefix: str = "",
    ) -> None:
        """``prefix`` begins every id; see ``erd_ros.ros.names``."""
        self.front_end: FrontEnd = FRONT_ENDS[parameters.input](parameters)
        self._frames = frames
        self._cameras = CameraReader(parameters.input_is_rectified)
        self._remark, self._prefix = remark, prefix
        self._perception = Perception(
            backend, remark=remark, name_ids=lambda ids: tracked_ids(ids, prefix)
        )
        self._stamps = StampReader()
        fell_back = backend.device == "cpu" != parameters.device
        self._state = Person3DArray.CPU_FALLBACK if fell_back else Person3DArray.FULL
        self.adopt(parameters)
        self._perception.warm_up(self.front_end.skeleton)

    def adopt(self, parameters: NodeParameters) -> None:
        """Go on with other values of those parameters that change at once."""
        self._parameters = parameters
        self._perception.configure(perception_config(parameters))

    def tell_height(self, person_id: str, height_m: float) -> None:
        """See ``Perception.set_height``."""
        self._perception.set_height(person_id, height_m)

    def scene(self, inputs: Inputs) -> Scene:
        """What one message says. Without a usable camera it has a problem. Raises FrameError."""
        header = self._header(inputs)
        moment = self._moment(header.stamp)
        camera, problem = self._camera(inputs.info)
        size = (camera.width, camera.height) if camera else None
        # Before the image is decoded and the detector sees it.
        with _or_drop(self.front_end.bad_input):
            image_size = self.front_end.size(inputs.message)
        with _or_drop("size mismatch"):
            self._of_size(camera, image_size)
        with _or_drop(self.front_end.bad_input):
            received = self.front_end.read(inputs.message, size)
        with _or_drop("size mismatch"):
            if camera:
                check_focal_length(received.focal_px, camera)
            camera = self._of_size(camera, received.size)
        used = self._used(received, size)
        placement = self._placement(header)
        with _or_drop("not estimated"):
            people = self._perception.update_used(
                used.keypoints,
                camera,
                moment.time_s,
                ids=received.ids
                and given_ids([received.ids[i] for i in used.persons], self._prefix),
                cues=self._cues(used.keypoints, camera, inputs, header),
                camera_in_output=placement,
            )
        if not moment.measured:
            people = replace(people, velocity=np.full_like(people.velocity, np.nan))
        return Scene(
            source=header,
            header=Header(stamp=header.stamp, frame_id=self._parameters.target_frame)
            if self._parameters.target_frame
            else header,
            people=people,
            possible=possible_joints(used.keypoints.skeleton, people.skeleton),
            keypoints=used.keypoints,
            size=received.size or size,
            image=received.image,
            state=Person3DArray.NO_ROOT if problem else self._state,
            problem=problem,
            origin=placement.translation,
        )

    def _used(self, received: ReceivedKeypoints, size: tuple[int, int] | None) -> Used:
        """What counts as seen, with remarks on the rest."""
        size = received.size or size
        used = self._perception.used(received.keypoints, size)
        remarks = received.remarks
        if received.image is None:  # a detector of our own guesses what it cannot see
            remarks += outside_image(received, used, size)
        for cause, words in remarks:
            self._remark(cause, words)
        return used

    def _camera(self, info: CameraInfo | None) -> tuple[Camera | None, FrameError | None]:
        """The camera, or why there is none."""
        if info is None:
            return None, FrameError("no camera info", "no CameraInfo yet")
        try:
            return self._cameras.read(info), None
        except ErdError as error:
            return None, FrameError("bad camera info", str(error))

    def _header(self, inputs: Inputs) -> Header:
        """Stamp of the input and the camera's optical frame."""
        header: Header = inputs.message.header
        if inputs.info is not None and self.front_end.in_frame_of_info:
            header = Header(stamp=header.stamp, frame_id=inputs.info.header.frame_id)
        if not is_frame_id(header.frame_id):
            self._remark(
                "frame_id",
                f"the input is in frame '{header.frame_id}', which is none for TF: nobody is "
                "broadcast there; set frame_id in the camera's driver, without a slash before it",
            )
        return header

    def _of_size(self, camera: Camera | None, size: tuple[int, int] | None) -> Camera | None:
        if camera is None or size is None:
            return camera
        if self._parameters.scale_camera_info and size != (camera.width, camera.height):
            return scaled(camera, *size)
        check_image_size(*size, camera)
        return camera

    def _cues(
        self, keypoints: Keypoints2D, camera: Camera | None, inputs: Inputs, header: Header
    ) -> list[Cues] | None:
        """What the robot knows of each person; None for a model that takes no cues."""
        if camera is None or inputs.info is None:
            return None
        frames = header.frame_id, inputs.info.header.frame_id
        self._compare_frames(*frames)
        if not self._perception.takes_cues:
            return None
        parameters = self._parameters
        everyone = cues_of_ground(
            self._ground(header),
            parameters.camera_height_deviation,
            parameters.camera_tilt_deviation,
        )
        depths = self._depths(keypoints, camera, inputs.depth, frames)
        return [everyone.with_depth(depth, parameters.depth_deviation) for depth in depths.tolist()]

    def _ground(self, header: Header) -> Placement | None:
        """Where the camera is above the ground; people are found without where TF does not say."""
        if self._frames is None or not self._parameters.ground_frame:
            return None
        try:
            return above_ground(self._look_up(self._parameters.ground_frame, header))
        except ErdError as error:
            self._remark("no ground", f"size and distance are found without the ground: {error}")
            return None

    def _depths(
        self, keypoints: Keypoints2D, camera: Camera, image: Image | None, frames: tuple[str, str]
    ) -> NDArray[np.float64]:
        """(N,) metres; NaN = not known."""
        unknown = np.full(len(keypoints), np.nan)
        if not self._parameters.use_depth:
            return unknown
        if image is None:
            self._remark("no depth", "no depth image of the time of this image")
            return unknown
        try:
            return depths_of_people(keypoints, image, camera, frames)
        except InputError as error:
            self._remark("no depth", f"size and distance are found without depth: {error}")
        return unknown

    def _placement(self, header: Header) -> Placement:
        """Of the camera in the frame of the output."""
        if not self._parameters.target_frame:
            return _HERE
        with _or_drop("no transform"):
            return self._look_up(self._parameters.target_frame, header)

    def _look_up(self, target: str, header: Header) -> Placement:
        assert self._frames is not None  # made for these very parameters
        stamp: Time = header.stamp
        return self._frames.placement(target, header.frame_id, stamp, self._parameters.tf_timeout)

    def _moment(self, stamp: Time) -> Moment:
        """When the image was taken. Raises FrameError for one that cannot be used."""
        try:
            moment = self._stamps.read(seconds_from_stamp(stamp))
        except StampError as error:
            raise FrameError(error.cause, str(error)) from error
        if moment.remark:
            self._remark(*moment.remark)
        if moment.restarted and self._frames is not None:
            self._frames.forget()
        return moment

    def _compare_frames(self, image: str, info: str) -> None:
        if image != info:
            self._remark(
                "frame mismatch",
                f"the input is in frame '{image}', its CameraInfo in '{info}'; the input's is used",
            )

    def close(self) -> None:
        """Give back what the front end and TF hold."""
        self.front_end.close()
        if self._frames is not None:
            self._frames.close()


def perception_config(parameters: NodeParameters) -> PerceptionConfig:
    """What the node's parameters say of its parts."""
    return PerceptionConfig(
        EstimatorConfig(
            parameters.min_keypoints, parameters.min_confidence, parameters.image_margin
        ),
        TrackerConfig(parameters.prediction_timeout, parameters.track_gate, parameters.track_speed),
        PeopleConfig(
            parameters.prediction_timeout,
            SmoothingConfig(parameters.smoothing_lag, parameters.smoothing_offset),
        ),
        parameters.max_persons,
        parameters.person_height,
        parameters.person_height_deviation,
    )
