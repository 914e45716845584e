"""What the demo saw, as arrays in one file: the recorder writes it, the report reads it."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.npz_arrays import read_npz_arrays, write_npz_arrays
from erd_ros.pose import FloatArray
from erd_ros.skeleton import Skeleton

Stamps = NDArray[np.int64]
# Kinds of numpy's types, and dimensions.
_ARRAYS = {
    **dict.fromkeys(("backend", "layout", "camera_distortion_model"), ("U", 0)),
    **dict.fromkeys(("joint_names", "ids"), ("U", 1)),
    **dict.fromkeys(("published_ns", "answered_ns", "arrived_ns", "images_ns"), ("i", 1)),
    **dict.fromkeys(("parents", "message", "image_ends", "camera_size"), ("i", 1)),
    **dict.fromkeys(("latency_s", "age_s", "residual_px", "camera_distortion"), ("f", 1)),
    "joints": ("f", 3),
    "scores": ("f", 2),
    "image_bytes": ("u", 1),
    "camera_intrinsics": ("f", 2),
}


@dataclass(frozen=True, eq=False)
class Recording:
    """Stamps are nanoseconds of the ROS clock; positions metres in the camera optical frame.

    published_ns   (F,) stamps of the frames that were published
    answered_ns    (A,) stamps of the frames that people were published for
    arrived_ns     (A,) when that answer arrived at the recorder, monotonic clock
    latency_s, age_s   (A,) as Person3DArray says them
    message        (R,) index into the A answers of each person seen, one row per person and answer
    ids            (R,) text
    joints         (R, J, 3), NaN for a person without a root
    scores         (R, J) confidence of the keypoint behind each joint; 0 = inferred
    residual_px    (R,)
    images_ns      (I,) stamps of the images kept, ``image_ends`` (I,) the end of each in
    image_bytes    (B,) JPEG files one after the other
    camera_*       fields of Camera
    """

    backend: str
    layout: str
    joint_names: NDArray[np.str_]
    parents: NDArray[np.int64]
    published_ns: Stamps
    answered_ns: Stamps
    arrived_ns: Stamps
    latency_s: FloatArray
    age_s: FloatArray
    message: NDArray[np.int64]
    ids: NDArray[np.str_]
    joints: FloatArray
    scores: FloatArray
    residual_px: FloatArray
    images_ns: Stamps
    image_ends: NDArray[np.int64]
    image_bytes: NDArray[np.uint8]
    camera_size: NDArray[np.int64]
    camera_intrinsics: NDArray[np.float64]
    camera_distortion: NDArray[np.float64]
    camera_distortion_model: str

    @property
    def skeleton(self) -> Skeleton:
        """Layout of the joints. Raises InputError when nothing was answered."""
        return Skeleton(self.layout, tuple(self.joint_names.tolist()), tuple(self.parents.tolist()))

    @property
    def camera(self) -> Camera:
        """The camera that the frames came from. Raises InputError when none was heard of."""
        width, height = self.camera_size.tolist()
        return Camera(
            width,
            height,
            self.camera_intrinsics,
            tuple(self.camera_distortion.tolist()),
            self.camera_distortion_model,
        )

    def image(self, index: int) -> NDArray[np.uint8]:
        """Bytes of the JPEG file of one of the images kept."""
        start = int(self.image_ends[index - 1]) if index else 0
        return self.image_bytes[start : int(self.image_ends[index])]

    def save(self, path: Path) -> None:
        """Write a .npz file, whole or not at all. Raises InputError when it cannot be written."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        write_npz_arrays(path, arrays)

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """Read a recording. Raises InputError when there is none, or it is damaged."""
        arrays = read_npz_arrays(path, "recording")
        values: dict[str, Any] = {}
        for name, (kinds, dimensions) in _ARRAYS.items():
            array = arrays.get(name)
            if array is None or array.ndim != dimensions or array.dtype.kind not in kinds:
                found = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
                raise InputError(
                    f"{path} is not a recording of the demo: {name} is {found}; "
                    "run `erd demo` again"
                )
            values[name] = array
        texts = {
            name: str(values[name]) for name in ("backend", "layout", "camera_distortion_model")
        }
        return cls(**{**values, **texts})
