"""Images of the videos that stay outside the repository."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from conftest import SHARED


def frames(name: str, first: int, last: int) -> Iterator[np.ndarray]:
    """RGB images from ``first`` to the one before ``last``; skips where the video is missing."""
    video = SHARED / "media" / name
    if not video.is_file():
        pytest.skip(f"{video} is not there")
    capture = cv2.VideoCapture(str(video))
    for _ in range(first):
        assert capture.grab()
    for _ in range(first, last):
        there, image_bgr = capture.read()
        assert there
        yield cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)
    capture.release()
