"""viewer: shows image and skeletons live in Rerun, in its window or as a web page.

Topics: ``people``, ``camera_info``, ``image``. The time shown is the messages' stamp.
"""

import socket
import sys
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import rerun as rr
import rerun.blueprint as rrb
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image

from erd_ros.demo.drawing import colour_of, jpeg
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.msg import Person3DArray
from erd_ros.ros.cameras import camera_from_info
from erd_ros.ros.images import rgb_from_image
from erd_ros.ros.process import run_process, spin

NODE_NAME = "viewer"
_TIMELINE = "stamp"
_CAMERA = "world/camera"
_PEOPLE = "world/people"
_PATIENCE_S = 20.0
_BONE_RADIUS_M, _JOINT_RADIUS_M = 0.02, 0.035


class Viewer(Node):
    """Logs messages to Rerun; parameter ``server``: its address, empty = open a window."""

    def __init__(self) -> None:
        super().__init__(NODE_NAME)
        open_rerun(self.declare_parameter("server", "").value)
        rr.log("world", rr.ViewCoordinates.RDF, static=True)
        self._camera: Camera | None = None
        self._shown: list[str] = []
        best_effort = qos_profile_sensor_data
        # camera_info last: the player waits for its subscribers.
        self.create_subscription(Person3DArray, "people", self._show_people, 10)
        self.create_subscription(Image, "image", self._show_image, best_effort)
        self.create_subscription(CameraInfo, "camera_info", self._show_camera, best_effort)

    def _show_camera(self, info: CameraInfo) -> None:
        if self._camera is not None:
            return
        self._camera = camera_from_info(info)
        rr.log(
            _CAMERA,
            rr.Pinhole(
                image_from_camera=self._camera.intrinsics,
                resolution=(self._camera.width, self._camera.height),
                camera_xyz=rr.ViewCoordinates.RDF,
                image_plane_distance=1.0,
            ),
            static=True,
        )

    def _show_image(self, message: Image) -> None:
        _set_time(message)
        image = jpeg(rgb_from_image(message), quality=75)
        encoded = rr.EncodedImage(contents=image.tobytes(), media_type="image/jpeg")
        rr.log(f"{_CAMERA}/image", encoded)

    def _show_people(self, message: Person3DArray) -> None:
        _set_time(message)
        bones = [(parent, child) for child, parent in enumerate(message.parents) if parent >= 0]
        present = []
        for person in message.persons:
            positions = [
                (joint.position.x, joint.position.y, joint.position.z) for joint in person.joints
            ]
            joints = np.array(positions, np.float32)
            if np.isfinite(joints).all():
                present.append(person.id)
                self._show_person(person.id, joints, bones)
        for name in set(self._shown) - set(present):
            for path in (f"{_PEOPLE}/{name}", f"{_CAMERA}/image/{name}"):
                rr.log(path, rr.Clear(recursive=True))
        self._shown = present

    def _show_person(
        self, name: str, joints: np.ndarray[Any, Any], bones: Sequence[tuple[int, int]]
    ) -> None:
        digits = "".join(character for character in name if character.isdigit())
        colour = colour_of(int(digits or 1) - 1)
        strips = [joints[list(bone)] for bone in bones]
        path = f"{_PEOPLE}/{name}"
        rr.log(f"{path}/bones", rr.LineStrips3D(strips, colors=[colour], radii=_BONE_RADIUS_M))
        rr.log(f"{path}/joints", rr.Points3D(joints, colors=[colour], radii=_JOINT_RADIUS_M))
        label = f"{name}  {np.linalg.norm(joints[0]):.2f} m"
        above_head = joints[:, 1].argmin()
        rr.log(
            f"{path}/label",
            rr.Points3D([joints[above_head]], colors=[colour], radii=0.01, labels=[label]),
        )
        if self._camera is not None:
            pixels = self._camera.project(joints)
            lines = [pixels[list(bone)] for bone in bones if np.isfinite(pixels[list(bone)]).all()]
            rr.log(f"{_CAMERA}/image/{name}", rr.LineStrips2D(lines, colors=[colour], radii=2.0))


def open_rerun(server: str) -> None:
    """Send what is logged to a Rerun server, or to a window opened for it when ``server`` is empty.

    Raises InputError when the server does not answer.
    """
    rr.init("erd_ros")
    view = rrb.Horizontal(
        rrb.Spatial3DView(name="skeletons in metres", origin="world"),
        rrb.Spatial2DView(name="image", origin=f"{_CAMERA}/image"),
    )
    layout = rrb.Blueprint(view, collapse_panels=True)
    if not server:
        rr.spawn(hide_welcome_screen=True, default_blueprint=layout)
        return
    _wait_for(server)
    rr.connect_grpc(server, default_blueprint=layout)


def _wait_for(server: str) -> None:
    """Wait until somebody listens at an address like rerun+http://127.0.0.1:9091/proxy."""
    address = urlsplit(server)
    if address.hostname is None or address.port is None:
        raise InputError(f"server is '{server}', expected e.g. rerun+http://127.0.0.1:9091/proxy")
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            socket.create_connection((address.hostname, address.port), timeout=1).close()
        except OSError as error:
            if time.monotonic() > deadline_s:
                raise InputError(
                    f"no Rerun at {server} ({error}); start one with `rerun --serve-web`"
                ) from error
            time.sleep(0.1)
        else:
            return


def _set_time(message: Image | Person3DArray) -> None:
    nanoseconds = Time.from_msg(message.header.stamp).nanoseconds
    rr.set_time(_TIMELINE, timestamp=np.datetime64(nanoseconds, "ns"))


def main(args: Sequence[str] | None = None) -> int:
    """Show until told to stop; 0 then, 1 when the viewer cannot be opened."""
    return run_process(NODE_NAME, args, lambda told: spin(Viewer(), told))


if __name__ == "__main__":
    sys.exit(main())
