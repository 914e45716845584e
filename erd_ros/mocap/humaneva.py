"""HumanEva-I (Sigal et al., IJCV 2010) in VideoPose3D's processed form.

``data_3d_humaneva15.npz`` holds 15 joints at 60 Hz, ``data_2d_humaneva15_*.npz`` what a detector
finds in the images of the three colour cameras. Its subjects are "Train/S1" and "Validate/S1":
the same persons, other frames. What the data set calls Validate is what papers test on.
"""

from collections.abc import Iterator
from pathlib import Path

from erd_ros.errors import InputError
from erd_ros.mocap.clip import Clip, measured_joints
from erd_ros.mocap.options import ReaderOptions
from erd_ros.mocap.videopose3d import read_keypoints, read_positions, stacked_keypoints
from erd_ros.pose import FloatArray
from erd_ros.skeleton import HUMANEVA15

FRAMES_PER_SECOND = 60.0
SPLITS = {"Train": "train", "Validate": "test"}


def humaneva_clips(source: Path, options: ReaderOptions) -> tuple[int, Iterator[Clip]]:
    """Clips of ``data_3d_humaneva15.npz``, or of that file in a folder: their number, and each.

    A clip's split is the data set's own. The spine and the neck are NaN: the 15 joints are without
    them. With ``options.detections`` the clips have keypoints. "Walking 1 chunk0" is one of
    "Walking". Raises InputError for files of another form.
    """
    path = source / "data_3d_humaneva15.npz" if source.is_dir() else source
    positions = read_positions(path, len(HUMANEVA15))
    keypoints = None if options.detections is None else read_keypoints(options.detections)
    for part in {subject.partition("/")[0] for subject, _ in positions} - set(SPLITS):
        raise InputError(f"{path} has the part '{part}', expected {' or '.join(SPLITS)}")

    def clip(part: str, name: str, joints: FloatArray) -> Clip:
        split, _, subject = part.partition("/")
        found = None
        if keypoints is not None and options.detections is not None:
            found = stacked_keypoints(options.detections, keypoints, (part, name), len(joints))
        return Clip(
            f"{part}/{name}",
            subject,
            name.partition(" ")[0],
            SPLITS[split],
            measured_joints(joints, HUMANEVA15),
            FRAMES_PER_SECOND,
            found,
        )

    return len(positions), (clip(*key, joints) for key, joints in positions.items())
