"""Where frames stand to each other at the time of an image, by tf2, imported when asked for."""

import importlib
import time
from typing import Any, NamedTuple

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time as RclpyTime
from scipy.spatial.transform import Rotation

from erd_ros.errors import BackendError, InputError

_POLL_S = 0.005
# The Earth is 1.3e7 m across, and frames that stand in its middle are in use.
_FARTHEST_M = 1e8


class Placement(NamedTuple):
    """How a point p of one frame is written in another: rotation (3, 3) @ p + translation (3,)."""

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]


def is_frame_id(name: str) -> bool:
    """Whether tf2 takes it: not empty, and no slash at the beginning."""
    return bool(name) and not name.startswith("/")


class Frames:
    """Listens to TF for a node. Raises BackendError where tf2_ros cannot be imported."""

    def __init__(self, node: Node) -> None:
        try:
            self._tf2: Any = importlib.import_module("tf2_ros")
        except ImportError as error:
            raise BackendError(
                f"target_frame and ground_frame need tf2_ros, which cannot be imported ({error}); "
                "install it, e.g. ros-$ROS_DISTRO-tf2-ros-py, or leave both empty"
            ) from error
        self._buffer = self._tf2.Buffer()
        self._listener = self._tf2.TransformListener(self._buffer, node)

    def placement(self, target: str, source: str, stamp: Time, timeout_s: float) -> Placement:
        """Of ``source`` in ``target`` at the stamp; waits for it, on any thread but the executor's.

        Raises InputError when it does not become known in time.
        """
        end_s = time.monotonic() + timeout_s
        when = RclpyTime.from_msg(stamp)
        while True:
            try:
                found = self._buffer.lookup_transform(target, source, when)
            except self._tf2.TransformException as error:
                # Waited for here, because tf2 waits by the node's clock, which may stand still.
                if time.monotonic() >= end_s:
                    raise InputError(
                        f"no transform from '{source}' to '{target}' at the stamp of the image "
                        f"within {timeout_s:g} s: {error}"
                    ) from error
                time.sleep(_POLL_S)
            else:
                return placement_of(found.transform)

    def forget(self) -> None:
        """What was known, but for static transforms: time went back."""
        self._buffer.clear()

    def close(self) -> None:
        """Stop listening."""
        self._listener.unregister()


def placement_of(transform: Any) -> Placement:
    """What a geometry_msgs/Transform says.

    Raises InputError for numbers that are no rotation, and a place that is none on the Earth.
    """
    turn, move = transform.rotation, transform.translation
    quaternion, translation = [turn.x, turn.y, turn.z, turn.w], [move.x, move.y, move.z]
    length = float(np.linalg.norm(quaternion))
    if not (0 < length < np.inf and (np.abs(translation) <= _FARTHEST_M).all()):
        raise InputError(
            f"the transform has rotation {quaternion} and translation {translation}, expected "
            f"a quaternion that is not 0 and metres up to {_FARTHEST_M:g}; correct its publisher"
        )
    return Placement(Rotation.from_quat(quaternion).as_matrix(), np.array(translation))
