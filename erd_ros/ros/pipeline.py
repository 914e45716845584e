"""From one input message to a scene: camera, front end, tracker, estimator, filter. No Node."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from erd_ros.errors import ErdError, InputError
from erd_ros.geometry.camera import Camera
from erd_ros.msg import Person3DArray
from erd_ros.pose import Keypoints2D, Pose3D
from erd_ros.ros.cameras import (
    CameraReader,
    check_focal_length,
    check_image_size,
    scaled,
    seconds_from_stamp,
)
from erd_ros.ros.convert import ReceivedKeypoints
from erd_ros.ros.depth import depths_of_people, estimate_with_depths
from erd_ros.ros.frames import Frames, Placement, is_frame_id
from erd_ros.ros.inputs import FRONT_ENDS, FrontEnd
from erd_ros.ros.knowledge import Heights, above_ground, cues_of_persons, used_cues
from erd_ros.ros.names import given_ids, tracked_ids
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.scene import FrameError, Scene, possible_joints
from erd_ros.ros.stamps import Moment, StampError, StampReader
from erd_ros.ros.usable import usable
from erd_ros.runtime import Backend
from erd_ros.runtime.carried_size import SizesByPerson
from erd_ros.runtime.estimator import Estimator, EstimatorConfig
from erd_ros.runtime.people import People, PeopleConfig, PeopleFilter, moved, people_from_poses
from erd_ros.runtime.smoothing import SmoothingConfig
from erd_ros.runtime.tracker import Tracker, TrackerConfig
from erd_ros.skeleton import Skeleton

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
        self._tracker, self._filter = Tracker(), PeopleFilter()
        self._estimator = Estimator(backend)
        self._sizes, self._heights = SizesByPerson(), Heights()
        self._remark, self._prefix = remark, prefix
        self._stamps = StampReader()
        fell_back = backend.device == "cpu" != parameters.device
        self._state = Person3DArray.CPU_FALLBACK if fell_back else Person3DArray.FULL
        self.adopt(parameters)
        self._warm_up(self.front_end.skeleton or backend.info.skeleton)

    def adopt(self, parameters: NodeParameters) -> None:
        """Go on with other values of those parameters that change at once."""
        self._parameters = parameters
        self._tracker.config = TrackerConfig(
            parameters.prediction_timeout, parameters.track_gate, parameters.track_speed
        )
        self._filter.config = PeopleConfig(
            parameters.prediction_timeout,
            SmoothingConfig(parameters.smoothing_lag, parameters.smoothing_offset),
        )
        self._estimator.config = EstimatorConfig(
            parameters.min_keypoints, parameters.min_confidence, parameters.image_margin
        )

    def tell_height(self, person_id: str, height_m: float) -> None:
        """How tall one person is; 0 = not known any more. From any thread.

        Raises InputError for who is not there, a height that nobody has, and a model without cues.
        """
        if not self._estimator.backend.takes_cues:
            raise InputError("a height has no effect: the model takes no cues")
        self._heights.tell(person_id, height_m)

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
        received = usable(received, size, self._parameters)
        for cause, words in received.remarks:
            self._remark(cause, words)
        with _or_drop("not estimated"):
            ids = self._ids(received, moment.time_s)
            poses, used = self._estimate(received.keypoints, ids, camera, inputs, header)
        placement = self._placement(header)
        seen = moved(people_from_poses(poses, ids, used), *placement)
        people = self._filter.update(seen, placement.translation, moment.time_s)
        if not moment.measured:
            people = replace(people, velocity=np.full_like(people.velocity, np.nan))
        self._forget_ended(people)
        return Scene(
            source=header,
            header=Header(stamp=header.stamp, frame_id=self._parameters.target_frame)
            if self._parameters.target_frame
            else header,
            people=people,
            possible=possible_joints(received.keypoints.skeleton, poses.skeleton),
            keypoints=received.keypoints,
            size=received.size or size,
            image=received.image,
            state=Person3DArray.NO_ROOT if problem else self._state,
            problem=problem,
            origin=placement.translation,
        )

    def _ids(self, received: ReceivedKeypoints, time_s: float) -> list[str]:
        if received.ids:
            return given_ids(received.ids, self._prefix)
        return tracked_ids(self._tracker.update(received.keypoints, time_s), self._prefix)

    def _forget_ended(self, people: People) -> None:
        ended = {people.ids[row] for row in np.flatnonzero(people.ended)}
        self._sizes.forget(sorted(ended))
        self._heights.keep({name for name in people.ids if name} - ended)

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

    def _estimate(
        self,
        keypoints: Keypoints2D,
        ids: Sequence[str],
        camera: Camera | None,
        inputs: Inputs,
        header: Header,
    ) -> tuple[Pose3D, list[int]]:
        """Poses in the camera frame, and which cues each was found with."""
        if camera is None or inputs.info is None:
            return Pose3D.unplaced(keypoints, self._estimator.skeleton), []
        self._compare_frames(header.frame_id, inputs.info.header.frame_id)
        if not self._estimator.backend.takes_cues:
            return self._estimator.estimate(keypoints, camera), []
        frames = header.frame_id, inputs.info.header.frame_id
        heights_m = [self._heights.of(name, self._parameters.person_height) for name in ids]
        known = cues_of_persons(self._parameters, self._ground(header), heights_m)
        poses, cues, refused = estimate_with_depths(
            lambda keypoints, cues: self._estimator.estimate(keypoints, camera, cues),
            keypoints,
            self._sizes.told(ids, known),
            self._depths(keypoints, camera, inputs.depth, frames),
            self._parameters.depth_deviation,
        )
        for words in refused:
            self._remark("depth refused", words)
        assert poses.size is not None  # models that take cues give it
        self._sizes.learn(ids, poses.size)
        return poses, [used_cues(cue) for cue in cues]

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

    def _warm_up(self, skeleton: Skeleton) -> None:
        """Estimate somebody: the first frame is not late, a layout of no use is known now."""
        camera = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))
        pixels = np.linspace((300, 100), (340, 400), len(skeleton), dtype=np.float32)
        confidence = np.ones((1, len(skeleton)), np.float32)
        self._estimator.estimate(Keypoints2D(skeleton, pixels[None], confidence), camera)

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
