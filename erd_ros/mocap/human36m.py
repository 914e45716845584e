"""Human3.6M (Ionescu et al., TPAMI 2014) in VideoPose3D's processed form.

``data_3d_h36m.npz`` holds the 32 joints of the motion capture at 50 Hz, ``data_2d_h36m_*.npz`` what
a detector finds in the images of the four cameras. The cameras are in human36m_cameras.json.
"""

from collections.abc import Iterator
from pathlib import Path

from erd_ros.errors import InputError
from erd_ros.mocap.clip import Cameras, Clip
from erd_ros.mocap.options import ReaderOptions
from erd_ros.mocap.studio import read_human36m_calibrations
from erd_ros.mocap.videopose3d import read_keypoints, read_positions, stacked_keypoints
from erd_ros.pose import FloatArray

FRAMES_PER_SECOND = 50.0
_JOINTS = 32
# H36M17 among them; the others repeat joints or end hands and feet.
_CHOSEN = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)


def human36m_clips(source: Path, options: ReaderOptions) -> tuple[int, Iterator[Clip]]:
    """Clips of ``data_3d_h36m.npz``, or of that file in a folder: their number, and each.

    With ``options.detections`` the clips have keypoints, with ``options.cameras`` cameras. Actions
    are without the number of the take: "Directions 1" is one of "Directions". Raises InputError
    for files of another form, and for clips without keypoints or cameras where they are asked for.
    """
    path = source / "data_3d_h36m.npz" if source.is_dir() else source
    positions = read_positions(path, _JOINTS)
    keypoints = None if options.detections is None else read_keypoints(options.detections)
    cameras = None if options.cameras is None else read_human36m_calibrations(options.cameras)

    def clip(subject: str, name: str, joints: FloatArray) -> Clip:
        found: FloatArray | None = None
        if keypoints is not None and options.detections is not None:
            found = stacked_keypoints(options.detections, keypoints, (subject, name), len(joints))
        return Clip(
            f"{subject}/{name}",
            subject,
            name.rstrip("0123456789").rstrip(),
            "",
            joints[:, _CHOSEN],
            FRAMES_PER_SECOND,
            found,
            None if cameras is None else _cameras_of(subject, cameras, options.cameras),
        )

    return len(positions), (clip(*key, joints) for key, joints in positions.items())


def _cameras_of(subject: str, cameras: dict[str, Cameras], path: Path | None) -> Cameras:
    if subject not in cameras:
        raise InputError(
            f"{path} has no cameras of {subject}; it has those of {', '.join(cameras)}"
        )
    return cameras[subject]
