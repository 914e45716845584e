"""Whether the camera's images arrive, by what else is known of its rate. No rclpy."""

from collections import deque
from threading import Lock

import numpy as np

WINDOW_S = 5.0
_FEWEST_INFOS, _FEWEST_IMAGES = 10, 5
# Images per CameraInfo, and per step of the stamps, below which images are lost on the way. Stamps
# of a camera that sends in bursts have uneven steps, so that they must say it more clearly.
_OF_INFOS, _OF_STEPS = 0.5, 0.25


class ImageRate:
    """Images against CameraInfo messages of the last seconds. Thread-safe.

    now_s  when listening began, on the clock of all other times
    """

    def __init__(self, now_s: float) -> None:
        self._lock = Lock()
        self._begin_s = now_s
        self._infos: deque[tuple[float, float]] = deque()  # when received, stamp
        self._images: deque[tuple[float, float]] = deque()

    def info(self, stamp_s: float, now_s: float) -> None:
        """A CameraInfo came; one that comes twice, by two subscriptions, is one."""
        with self._lock:
            if not self._infos or self._infos[-1][1] != stamp_s:
                self._infos.append((now_s, stamp_s))
                _forget_old(self._infos, now_s)

    def image(self, stamp_s: float, now_s: float) -> None:
        """An image came."""
        with self._lock:
            self._images.append((now_s, stamp_s))
            _forget_old(self._images, now_s)

    def lost(self, now_s: float) -> str | None:
        """How few of the images came, once a whole window has passed; None where enough do."""
        with self._lock:
            for received in (self._infos, self._images):
                _forget_old(received, now_s)
            infos, images = len(self._infos), len(self._images)
            stamps = np.array([stamp_s for _, stamp_s in self._images])
        if now_s - self._begin_s < WINDOW_S:
            return None
        if infos >= _FEWEST_INFOS:
            if images >= _OF_INFOS * infos:
                return None
            return f"{images} images came beside {infos} CameraInfo in {WINDOW_S:g} s"
        expected = _expected(stamps)
        if images < _OF_STEPS * expected:
            return f"by their stamps {images} of about {expected:.0f} images came in {WINDOW_S:g} s"
        return None


def _expected(stamps_s: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """How many images were taken while these came: as if all steps were as the short ones."""
    steps = np.diff(stamps_s)
    if len(stamps_s) < _FEWEST_IMAGES or not (steps > 0).all():
        return 0.0
    return float((stamps_s[-1] - stamps_s[0]) / np.percentile(steps, 10)) + 1


def _forget_old(received: deque[tuple[float, float]], now_s: float) -> None:
    while received and now_s - received[0][0] > WINDOW_S:
        received.popleft()
