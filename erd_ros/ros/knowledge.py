"""What a robot knows of people besides their keypoints: cues for a model that takes them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from threading import Lock

import numpy as np

from erd_ros.cues import ANKLE_HEIGHT, Cues
from erd_ros.errors import InputError
from erd_ros.msg import Person3D
from erd_ros.ros.frames import Placement
from erd_ros.ros.parameters import PERSON_HEIGHTS_M, NodeParameters

_USED = {
    "size": Person3D.CUE_SIZE,
    "camera_height": Person3D.CUE_GROUND,
    "depth": Person3D.CUE_DEPTH,
}


def cues_of_persons(
    parameters: NodeParameters, camera_in_ground: Placement | None, heights_m: Sequence[float]
) -> list[Cues]:
    """One per person, all but the depth.

    camera_in_ground  of the optical frame in a frame whose z points up from the ground
    heights_m         one per person, 0 = not known
    """
    common = _of_everyone(parameters, camera_in_ground)
    deviation_m = parameters.person_height_deviation
    return [
        replace(common, size=height_m - ANKLE_HEIGHT, size_deviation=deviation_m)
        if height_m > 0
        else common
        for height_m in heights_m
    ]


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
