"""What a robot knows of everybody before a camera besides keypoints: the ground."""

from erd_ros.cues import Cues
from erd_ros.errors import InputError
from erd_ros.ros.frames import Placement


def cues_of_ground(camera_in_ground: Placement | None, height_std: float, tilt_std: float) -> Cues:
    """Of everybody.

    camera_in_ground      of the optical frame in a frame whose z points up from the ground
    height_std, tilt_std  of the camera, metres and radians
    """
    if camera_in_ground is None:
        return Cues()
    up = camera_in_ground.rotation[2]  # the ground's z axis, in the camera
    return Cues(
        up=(float(up[0]), float(up[1]), float(up[2])),
        camera_height=float(camera_in_ground.translation[2]),
        camera_height_deviation=height_std,
        tilt_deviation=tilt_std,
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
