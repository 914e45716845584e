"""What goes wrong around a node: one thing after another, for ``soak.py``."""

import importlib.util
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from erd_ros.msg import Keypoint2D, Person2D, Person2DArray
from geometry_msgs.msg import TransformStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from node_process import FRAME_ID, NodeProcess, Topics, set_stamp
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from walkers import INTRINSICS, SIZE

GROUND_FRAME = "base_link"
IMAGE_NAMESPACE = "/second"
_CROWD = 10_000
_ODD_IDS = ("7", "", "a b", "\u00e4", "x" * 1_000_000, "a/b", "-1", "b0001", "1_", "\n")
# Of a camera that looks ahead, a metre above the ground: x right, y down, z forward.
_LEVEL = (-0.5, 0.5, -0.5, 0.5)


class Adversity:
    """Does one thing after another to the nodes that ``soak.py`` runs; counts what it did."""

    def __init__(self, topics: Topics, seed: int) -> None:
        self._topics, self._generator = topics, np.random.default_rng(seed)
        node = topics.node
        sensor = qos_profile_sensor_data
        self._depth = node.create_publisher(Image, "depth_image", sensor)
        image_topic = f"{IMAGE_NAMESPACE}/image/compressed"
        self._image = node.create_publisher(CompressedImage, image_topic, sensor)
        self._image_info = node.create_publisher(
            CameraInfo, f"{IMAGE_NAMESPACE}/camera_info", sensor
        )
        self._change = node.create_client(ChangeState, "/erd_node/change_state")
        self._answers: list[Any] = []
        self._second: NodeProcess | None = None
        self._crowd = _persons(self._generator.uniform(0, SIZE, (_CROWD, 17, 2)))
        self._tf = _tf_publisher(node)
        self._kinds = [name for name in ADVERSITIES if name != "wrong ground" or self._tf]
        self._next: list[str] = []
        self.counts: dict[str, int] = dict.fromkeys(self._kinds, 0)
        self.wrong: list[str] = []

    def strike(self, stamp_s: float) -> None:
        """The next of them; ``stamp_s`` lies between two images of the walkers."""
        self._settle()
        self._next = self._next or list(self._generator.permutation(self._kinds))
        name = str(self._next.pop())
        self.counts[name] += 1
        ADVERSITIES[name](self, stamp_s)

    def usual(self, stamp_s: float) -> None:
        """What the nodes hear besides: a transform, and an image for the second one."""
        if self._tf:
            self._say_height(stamp_s, 1.0)
        if int(stamp_s * 30) % 6 == 0:
            grey = np.full((SIZE[1] // 2, SIZE[0] // 2, 3), 120, np.uint8)
            self._send_image(stamp_s, cv2.imencode(".jpg", grey)[1].tobytes())

    def end(self) -> None:
        self._settle()

    def _settle(self) -> None:
        """What is to be said of the one before."""
        for future in self._answers:
            if not future.done():
                self.wrong.append("a lifecycle request was not answered within ten seconds")
            elif future.result().success:
                self.wrong.append("a lifecycle request that is not legal was answered with success")
        self._answers = []
        if self._second is not None:
            self._second.stop()
            self._second = None

    def _send(self, pixels: np.ndarray, stamp_s: float, **fields: Any) -> None:
        """Persons (N, 17, 2) and their CameraInfo."""
        self._publish(_persons(pixels), stamp_s, **fields)

    def _publish(self, persons: list[Person2D], stamp_s: float, **fields: Any) -> None:
        message = Person2DArray(layout="h36m17", width=SIZE[0], height=SIZE[1], persons=persons)
        message.header.frame_id = FRAME_ID
        set_stamp(message.header, stamp_s)
        info = CameraInfo(**{
            "width": SIZE[0], "height": SIZE[1], "k": INTRINSICS.ravel().tolist(),
            "header": message.header, **fields,
        })  # fmt: skip
        self._topics.info.publish(info)
        self._topics.keypoints.publish(message)

    def _somebody(self) -> np.ndarray:
        """(1, 17, 2) pixels, at the edge of the image and of nobody's shape."""
        return self._generator.uniform((5, 5), (60, 200), (1, 17, 2))

    def _illegal_requests(self, stamp_s: float) -> None:
        for number in (
            Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE,
            Transition.TRANSITION_CLEANUP, Transition.TRANSITION_CREATE, 77,
        ):  # fmt: skip
            request = ChangeState.Request(transition=Transition(id=number))
            self._answers.append(self._change.call_async(request))

    def _large_jpeg(self, stamp_s: float) -> None:
        content = bytearray(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
        at = content.find(b"\xff\xc0")
        content[at + 5 : at + 9] = (16_000).to_bytes(2, "big") + (65_000).to_bytes(2, "big")
        self._send_image(stamp_s, bytes(content))

    def _large_png(self, stamp_s: float) -> None:
        self._send_image(stamp_s, _LARGE_PNG)

    def _send_image(self, stamp_s: float, content: bytes) -> None:
        message = CompressedImage(format="jpeg")
        message.header.frame_id = FRAME_ID
        set_stamp(message.header, stamp_s)
        message.data.frombytes(content)
        matrix = INTRINSICS / 2
        matrix[2, 2] = 1
        info = CameraInfo(width=SIZE[0] // 2, height=SIZE[1] // 2, k=matrix.ravel().tolist())
        info.header = message.header
        self._image_info.publish(info)
        self._image.publish(message)

    def crowd(self, stamp_s: float, persons: int = _CROWD) -> None:
        self._publish(self._crowd[:persons], stamp_s)

    def _stamp_zero(self, stamp_s: float) -> None:
        for _ in range(3):
            self._send(self._somebody(), 0.0)

    def _stamp_equal(self, stamp_s: float) -> None:
        for _ in range(3):
            self._send(self._somebody(), stamp_s)

    def _stamp_outlier(self, stamp_s: float) -> None:
        self._send(self._somebody(), stamp_s + float(self._generator.choice([-0.7, 0.7, 100])))

    def _wrong_ground(self, stamp_s: float) -> None:
        self._say_height(stamp_s, float(self._generator.choice([0, 0.05, -0.5, 1e6])))
        self._send(self._somebody(), stamp_s)

    def _say_height(self, stamp_s: float, height_m: float) -> None:
        placed = TransformStamped(child_frame_id=FRAME_ID)
        placed.header.frame_id = GROUND_FRAME
        set_stamp(placed.header, stamp_s)
        turn, move = placed.transform.rotation, placed.transform.translation
        (turn.x, turn.y, turn.z, turn.w), move.z = _LEVEL, height_m
        self._tf[1].publish(self._tf[0](transforms=[placed]))

    def _zero_keypoints(self, stamp_s: float) -> None:
        self._send(np.zeros((3, 17, 2)), stamp_s)

    def _one_place(self, stamp_s: float) -> None:
        self._send(self._somebody()[:, :1] + self._generator.random((1, 17, 2)), stamp_s)

    def _wrong_depth(self, stamp_s: float) -> None:
        width, height = int(self._generator.choice([SIZE[0], 640])), SIZE[1]
        message = Image(width=width, height=height, step=2 * width, encoding="16UC1")
        message.header.frame_id = FRAME_ID
        set_stamp(message.header, stamp_s)
        value = int(self._generator.choice([0, 1, 30, 65535]))
        message.data.frombytes(np.full(width * height, value, np.uint16).tobytes())
        self._depth.publish(message)
        self._send(self._somebody(), stamp_s)

    def _bad_camera(self, stamp_s: float) -> None:
        for matrix in (np.zeros((3, 3)), INTRINSICS * 1e-3, INTRINSICS * 1e200, INTRINSICS.T):
            self._send(self._somebody(), stamp_s, k=matrix.ravel().tolist())
        self._send(self._somebody(), stamp_s, d=[500.0] * 5, distortion_model="plumb_bob")
        self._send(self._somebody(), stamp_s, width=0, height=0)

    def _odd_ids(self, stamp_s: float) -> None:
        persons = _persons(np.repeat(self._somebody(), len(_ODD_IDS), 0))
        for person, name in zip(persons, _ODD_IDS, strict=True):
            person.id = name
        self._publish(persons, stamp_s)

    def _second_node(self, stamp_s: float) -> None:
        self._second = NodeProcess("input:=keypoints", "autostart:=false")


def _persons(pixels: np.ndarray) -> list[Person2D]:
    return [
        Person2D(score=1.0, keypoints=[Keypoint2D(x=x, y=y, score=0.9) for x, y in person])
        for person in pixels.tolist()
    ]


def _tf_publisher(node: Any) -> Any:
    """Message type and publisher of /tf where the node can listen to it, else None."""
    if importlib.util.find_spec("tf2_ros") is None:
        return None
    message_type = importlib.import_module("tf2_msgs.msg").TFMessage
    return message_type, node.create_publisher(message_type, "/tf", 100)


_LARGE_PNG = cv2.imencode(".png", np.zeros((10_000, 10_000), np.uint8))[1].tobytes()
ADVERSITIES: dict[str, Callable[[Adversity, float], None]] = {
    "illegal lifecycle requests": Adversity._illegal_requests,
    "JPEG of 65000 x 16000": Adversity._large_jpeg,
    "PNG of 10000 x 10000": Adversity._large_png,
    "10,000 persons": Adversity.crowd,
    "stamps of 0": Adversity._stamp_zero,
    "equal stamps": Adversity._stamp_equal,
    "stamp far off": Adversity._stamp_outlier,
    "wrong ground": Adversity._wrong_ground,
    "keypoints at (0, 0)": Adversity._zero_keypoints,
    "keypoints in one place": Adversity._one_place,
    "wrong depth": Adversity._wrong_depth,
    "impossible CameraInfo": Adversity._bad_camera,
    "ids that are no names": Adversity._odd_ids,
    "second node of the same name": Adversity._second_node,
}
