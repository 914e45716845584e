"""What a robot knows of people besides their keypoints: cues for a model that takes them."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from threading import Lock

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from erd_ros.cues import ANKLE_HEIGHT, Cues
from erd_ros.errors import InputError
from erd_ros.msg import Person3D
from erd_ros.pose import Keypoints2D
from erd_ros.ros.frames import Placement
from erd_ros.ros.parameters import PERSON_HEIGHTS_M, NodeParameters
from erd_ros.skeleton import H36M17, conversion_matrix

# A depth image sees the front of the body; the pelvis lies about so much deeper, in metres.
_SURFACE_TO_PELVIS = 0.1
# Half the side, in pixels, of the square whose median depth counts.
_DEPTH_WINDOW = 2
# Depth images to remember, and how far from an image one may be taken, in seconds.
_REMEMBERED, _SLACK_S = 8, 0.05
# REP-118: type of a pixel, and metres in one unit.
_DEPTH_ENCODINGS = {"32FC1": ("f4", 1.0), "16UC1": ("u2", 0.001), "mono16": ("u2", 0.001)}
_USED = {
    "size": Person3D.CUE_SIZE,
    "camera_height": Person3D.CUE_GROUND,
    "depth": Person3D.CUE_DEPTH,
}


def cues_of_persons(
    keypoints: Keypoints2D,
    parameters: NodeParameters,
    camera_in_ground: Placement | None,
    depth_image: NDArray[np.float32] | None,
    heights_m: Sequence[float],
) -> list[Cues]:
    """One per person.

    camera_in_ground  of the optical frame in a frame whose z points up from the ground
    depth_image       (H, W) metres along z, NaN = not measured, registered to the camera
    heights_m         one per person, 0 = not known
    """
    common = _of_everyone(parameters, camera_in_ground)
    depths = _depths(keypoints, depth_image)
    return [
        _of_one(common, parameters, height, float(depth))
        for height, depth in zip(heights_m, depths, strict=True)
    ]


def _of_one(common: Cues, parameters: NodeParameters, height_m: float, depth_m: float) -> Cues:
    cues = common
    if height_m > 0:
        deviation_m = parameters.person_height_deviation
        cues = replace(cues, size=height_m - ANKLE_HEIGHT, size_deviation=deviation_m)
    if np.isfinite(depth_m):
        cues = replace(cues, depth=depth_m, depth_deviation=parameters.depth_deviation)
    return cues


def used_cues(cues: Cues) -> int:
    """Sum of the CUE_ constants of Person3D that hold."""
    return sum(
        int(bit) for name, bit in _USED.items() if np.isfinite(getattr(cues, f"{name}_deviation"))
    )


def above_ground(camera_in_ground: Placement) -> Placement:
    """The same. Raises InputError for a camera that is not above the ground."""
    height_m = float(camera_in_ground.translation[2])
    if not height_m > 0:
        raise InputError(
            f"the camera is {height_m:.3f} m above ground_frame by TF, expected more than 0; "
            "correct the transform, or name a frame whose z points up from the ground"
        )
    return camera_in_ground


def _of_everyone(parameters: NodeParameters, camera_in_ground: Placement | None) -> Cues:
    cues = Cues()
    if camera_in_ground is not None:
        up = camera_in_ground.rotation[2]  # the ground's z axis, in the camera
        cues = replace(
            cues,
            up=(float(up[0]), float(up[1]), float(up[2])),
            camera_height=float(camera_in_ground.translation[2]),
            camera_height_deviation=parameters.camera_height_deviation,
            tilt_deviation=parameters.camera_tilt_deviation,
        )
    return cues


def _depths(keypoints: Keypoints2D, image: NDArray[np.float32] | None) -> NDArray[np.float64]:
    """(N,) of the pelvis, metres; NaN where it is not seen or not measured."""
    depths = np.full(len(keypoints), np.nan)
    if image is None:
        return depths
    height, width = image.shape
    for person, (column, row) in enumerate(_pelvis(keypoints)):
        if not (0 <= column <= width - 1 and 0 <= row <= height - 1):
            continue
        x, y, reach = round(float(column)), round(float(row)), _DEPTH_WINDOW
        window = image[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        known = window[np.isfinite(window) & (window > 0)]
        if len(known):
            depths[person] = np.median(known) + _SURFACE_TO_PELVIS
    return depths


def _pelvis(keypoints: Keypoints2D) -> NDArray[np.float32]:
    """(N, 2) pixels; NaN where a hip was not seen."""
    weights = conversion_matrix(keypoints.skeleton, H36M17)[H36M17.index("pelvis")]
    used = np.flatnonzero(weights)
    if not len(used):
        return np.full((len(keypoints), 2), np.nan, np.float32)
    return np.asarray(np.einsum("s,nsc->nc", weights[used], keypoints.pixels[:, used]), np.float32)


def metres_from_depth_image(message: Image) -> NDArray[np.float32]:
    """(H, W) metres along z; NaN or 0 = not measured. Raises InputError for another encoding."""
    if message.encoding not in _DEPTH_ENCODINGS:
        raise InputError(
            f"unsupported encoding '{message.encoding}' of the depth image; publish one of "
            f"{', '.join(_DEPTH_ENCODINGS)}"
        )
    code, metres = _DEPTH_ENCODINGS[message.encoding]
    kind = np.dtype((">" if message.is_bigendian else "<") + code)
    row_bytes = message.width * kind.itemsize
    if message.step < row_bytes or len(message.data) < message.height * message.step:
        raise InputError(
            f"the depth image holds {len(message.data)} bytes in rows of {message.step}, too few "
            f"for {message.width}x{message.height} in {message.encoding}; correct its publisher"
        )
    data = np.frombuffer(message.data, np.uint8, message.height * message.step)
    rows = np.ascontiguousarray(data.reshape(message.height, message.step)[:, :row_bytes])
    return np.asarray(rows.view(kind) * metres, np.float32)


class Heights:
    """How tall single persons are, as the node was told; from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._told_m: dict[str, float] = {}
        self._present: Collection[str] = ()

    def tell(self, name: str, height_m: float) -> None:
        """Of somebody who is present; 0 forgets. Raises InputError for anyone else."""
        smallest, tallest = PERSON_HEIGHTS_M
        if height_m != 0 and not smallest <= height_m <= tallest:
            raise InputError(
                f"height is {height_m:g} m, expected {smallest:g} to {tallest:g} m, or 0 = forget "
                "what was told"
            )
        with self._lock:
            if name not in self._present:
                there = ", ".join(sorted(self._present)) or "nobody"
                raise InputError(f"nobody has the id '{name}' now; there are: {there}")
            self._told_m[name] = height_m

    def of(self, name: str, otherwise_m: float) -> float:
        """What was told of a person, metres."""
        with self._lock:
            return self._told_m.get(name) or otherwise_m

    def keep(self, present: Collection[str]) -> None:
        """These are there now; forget all others."""
        with self._lock:
            self._present = present
            self._told_m = {name: m for name, m in self._told_m.items() if name in present}


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
