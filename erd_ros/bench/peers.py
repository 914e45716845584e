"""MediaPipe's own 3D on the same machine: it comes with its 2D keypoints, from the image."""

import time
from pathlib import Path

import cv2
import numpy as np

from erd_ros.errors import InputError
from erd_ros.input_file import check_file
from erd_ros.runtime.detectors.mediapipe_detector import MediapipeDetector

_IMAGES = 60
_WARM_UP_IMAGES = 10
_MOST_FRAMES = 600  # of the video: somebody may come in late


def mediapipe_3d(video: Path) -> dict[str, float]:
    """Milliseconds for each image of a video in which somebody was found; one person each.

    Raises InputError for a video that cannot be read or shows nobody, BackendError without
    MediaPipe.
    """
    check_file(str(video), "video")
    capture = cv2.VideoCapture(str(video))
    detector = MediapipeDetector()
    times: list[float] = []
    for _ in range(_MOST_FRAMES):
        read, image = capture.read()
        if not read or len(times) == _WARM_UP_IMAGES + _IMAGES:
            break
        rgb = np.ascontiguousarray(image[..., ::-1])
        start = time.perf_counter()
        keypoints = detector(rgb)
        seconds = time.perf_counter() - start
        if (keypoints.confidence > 0).any():
            times.append(1e3 * seconds)
    capture.release()
    if len(times) <= _WARM_UP_IMAGES:
        raise InputError(
            f"{video} has {len(times)} images with a person, more than {_WARM_UP_IMAGES} are "
            "needed; name another video"
        )
    p50, p99 = np.percentile(times[_WARM_UP_IMAGES:], [50, 99])
    return {"p50_ms": float(p50), "p99_ms": float(p99), "images": len(times) - _WARM_UP_IMAGES}
