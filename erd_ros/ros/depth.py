"""Depth images: that of the time of an image, and how far away people are by it."""

from collections import deque

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.pose import Keypoints2D
from erd_ros.skeleton import H36M17, conversion_matrix

# A depth image sees the front of the body; the pelvis lies about so much deeper, in metres.
_SURFACE_TO_PELVIS = 0.1
# Half the side of the square whose median depth counts, in lengths of the trunk: 7 cm. In pixels
# at least.
_REACH, _SMALLEST_REACH = 0.14, 2
# Fraction of the square that must have been measured.
_LEAST_MEASURED = 0.2
# Depth images to remember, and how far from an image one may be taken, in seconds.
_REMEMBERED, _SLACK_S = 8, 0.05
# REP-118: type of a pixel, and metres in one unit.
_ENCODINGS = {"32FC1": ("f4", 1.0), "16UC1": ("u2", 0.001), "mono16": ("u2", 0.001)}
_NO_RETURN = (0, 65535)  # of whole numbers
_TRUNK_TOP = ("left_shoulder", "right_shoulder")

Metres = NDArray[np.float32]
Array = NDArray[np.float64]


def depths_of_people(
    keypoints: Keypoints2D, message: Image, camera: Camera, frames: tuple[str, ...]
) -> Array:
    """(N,) z of each pelvis in metres; NaN where it is not seen or not measured.

    message  registered to the camera
    frames   ids of the frame that the camera's images are in
    Raises InputError for an image of another size than the camera's or in another frame, and for
    one that cannot be read.
    """
    size, expected = f"{message.width}x{message.height}", f"{camera.width}x{camera.height}"
    if size != expected:
        raise InputError(
            f"the depth image is {size}, the camera's image {expected}; publish depth that is "
            "registered to the camera, pixel by pixel"
        )
    if message.header.frame_id not in frames:
        raise InputError(
            f"the depth image is in frame '{message.header.frame_id}', the camera's image in "
            f"'{frames[0]}'; publish depth that is registered to the camera"
        )
    return _at_pelvis(keypoints, metres_from_depth_image(message))


def _at_pelvis(keypoints: Keypoints2D, image: Metres) -> Array:
    depths = np.full(len(keypoints), np.nan)
    height, width = image.shape
    pelvis = _middle_of_hips(keypoints)
    for person, (column, row) in enumerate(pelvis):
        if not (0 <= column <= width - 1 and 0 <= row <= height - 1):
            continue
        x, y = round(float(column)), round(float(row))
        reach = _reach(keypoints, person, pelvis[person])
        square = image[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        known = square[~np.isnan(square)]
        if len(known) >= _LEAST_MEASURED * square.size:
            depths[person] = np.median(known) + _SURFACE_TO_PELVIS
    return depths


def _middle_of_hips(keypoints: Keypoints2D) -> Metres:
    """(N, 2) pixels; NaN where a hip was not seen."""
    weights = conversion_matrix(keypoints.skeleton, H36M17)[H36M17.index("pelvis")]
    used = np.flatnonzero(weights)
    if not len(used):
        return np.full((len(keypoints), 2), np.nan, np.float32)
    return np.asarray(np.einsum("s,nsc->nc", weights[used], keypoints.pixels[:, used]), np.float32)


def _reach(keypoints: Keypoints2D, person: int, pelvis: Metres) -> int:
    """Pixels from the pelvis to each side that are the body's for sure."""
    names = keypoints.skeleton.joint_names
    top = [names.index(name) for name in _TRUNK_TOP if name in names]
    trunk_px = np.linalg.norm(keypoints.pixels[person, top] - pelvis, axis=-1)
    known = trunk_px[np.isfinite(trunk_px)]
    return (
        max(_SMALLEST_REACH, round(_REACH * float(known.min())))
        if len(known)
        else (_SMALLEST_REACH)
    )


def metres_from_depth_image(message: Image) -> Metres:
    """(H, W) metres along z; NaN = no return. Raises InputError for another encoding."""
    if message.encoding not in _ENCODINGS:
        raise InputError(
            f"unsupported encoding '{message.encoding}' of the depth image; publish one of "
            f"{', '.join(_ENCODINGS)}"
        )
    code, metres = _ENCODINGS[message.encoding]
    kind = np.dtype((">" if message.is_bigendian else "<") + code)
    row_bytes = message.width * kind.itemsize
    if message.step < row_bytes or len(message.data) < message.height * message.step:
        raise InputError(
            f"the depth image holds {len(message.data)} bytes in rows of {message.step}, too few "
            f"for {message.width}x{message.height} in {message.encoding}; correct its publisher"
        )
    data = np.frombuffer(message.data, np.uint8, message.height * message.step)
    rows = np.ascontiguousarray(data.reshape(message.height, message.step)[:, :row_bytes])
    values = rows.view(kind)
    returned = (values > 0) & np.isfinite(values) if code == "f4" else ~np.isin(values, _NO_RETURN)
    # First what is measured: a NaN of float32 may be one that warns when it is multiplied.
    known = np.where(returned, values, 0) * np.float32(metres)
    return np.where(returned, known, np.float32(np.nan)).astype(np.float32)


class DepthImages:
    """The latest depth images, to find that of the time of an image."""

    def __init__(self) -> None:
        self._latest: deque[Image] = deque(maxlen=_REMEMBERED)

    def put(self, message: Image) -> None:
        """Remember one."""
        self._latest.append(message)

    def of(self, stamp: Time) -> Image | None:
        """The one nearest in time to the stamp, None when none is near."""

        def distance_s(message: Image) -> float:
            seconds = message.header.stamp.sec - stamp.sec
            return abs(float(seconds + 1e-9 * (message.header.stamp.nanosec - stamp.nanosec)))

        # The newest first: of equal stamps it is the one to take.
        nearest = min(reversed(tuple(self._latest)), key=distance_s, default=None)
        return nearest if nearest is not None and distance_s(nearest) <= _SLACK_S else None
