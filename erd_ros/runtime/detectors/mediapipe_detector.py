"""MediaPipe Pose (BlazePose, Bazarevsky et al. 2020): one person, on the CPU, offline."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import BackendError, InputError
from erd_ros.pose import Keypoints2D
from erd_ros.runtime.detectors import check_image
from erd_ros.skeleton import BLAZEPOSE33

_MODELS = ("lite", "full", "heavy")  # by model_complexity; the wheel brings "full"

# What MediaPipe 0.10.21 says on stderr when all is well; no switch of its own stops it.
_NOISE = (
    b"Created TensorFlow Lite XNNPACK delegate",
    b"before absl::InitializeLog() is called",
    b"Feedback manager requires a model with a single signature",
    b"Using NORM_RECT without IMAGE_DIMENSIONS",
    b"Successfully initialized EGL",  # these two where there is a GPU or Mesa
    b"GL version:",
)


@dataclass(frozen=True)
class MediapipeConfig:
    """MediaPipe's own settings, under its own names.

    model_complexity          0 lite, 1 full, 2 heavy; only "full" is in the wheel
    min_detection_confidence  0..1, of the person detector that runs until somebody is found; at
                              MediaPipe's own 0.5 it took the foot of a table for a person
    min_tracking_confidence   0..1, below which the person detector runs again
    smooth_landmarks          MediaPipe's filter over time, which takes images to be 1/30 s apart;
                              on a person who stands it lowers jitter five-fold
    """

    model_complexity: int = 1
    min_detection_confidence: float = 0.7
    min_tracking_confidence: float = 0.5
    smooth_landmarks: bool = True

    def __post_init__(self) -> None:
        if self.model_complexity not in range(len(_MODELS)):
            raise InputError(f"model_complexity is {self.model_complexity}, expected 0, 1 or 2")
        for name in ("min_detection_confidence", "min_tracking_confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 to 1")


class MediapipeDetector:
    """Finds the most prominent person; see ``erd_ros.runtime.detectors.Detector``.

    Landmarks may lie outside the image: MediaPipe guesses where the body goes on.
    Raises BackendError when MediaPipe, a system library or the model is not installed.
    """

    skeleton = BLAZEPOSE33

    def __init__(self, config: MediapipeConfig | None = None) -> None:
        config = config or MediapipeConfig()
        solution = _import_solution()
        _check_model_file(config.model_complexity, Path(solution.__file__))
        self._quiet = False
        with _without_noise():
            self._pose: Any = solution.Pose(
                model_complexity=config.model_complexity,
                smooth_landmarks=config.smooth_landmarks,
                min_detection_confidence=config.min_detection_confidence,
                min_tracking_confidence=config.min_tracking_confidence,
            )
            # Its threads load the models now, not when the first image of the camera waits.
            self._pose.process(np.zeros((256, 256, 3), np.uint8))

    def __call__(self, image_rgb: NDArray[np.uint8], stamp_s: float | None = None) -> Keypoints2D:
        """Keypoints of one person or none; confidence is MediaPipe's visibility.

        MediaPipe takes no stamp.
        """
        check_image(image_rgb)
        if self._pose is None:
            raise BackendError("the mediapipe detector is closed; make another")
        landmarks = self._process(np.ascontiguousarray(image_rgb)).pose_landmarks
        rows = (
            [(mark.x, mark.y, mark.visibility) for mark in landmarks.landmark] if landmarks else []
        )
        values = np.array(rows, np.float32).reshape(-1, len(self.skeleton), 3)  # (0 or 1, 33, 3)
        height, width = image_rgb.shape[:2]
        # Landmarks are fractions of the image from edge to edge; our first pixel's centre is 0.
        pixels = values[..., :2] * (width, height) - 0.5
        return Keypoints2D(self.skeleton, pixels, values[..., 2])

    def close(self) -> None:
        """Stop MediaPipe's threads."""
        if self._pose is not None:
            self._pose.close()
            self._pose = None

    def _process(self, image_rgb: NDArray[np.uint8]) -> Any:
        try:
            if self._quiet:
                return self._pose.process(image_rgb)
            with _without_noise():
                result = self._pose.process(image_rgb)
        except (RuntimeError, ValueError) as error:
            height, width = image_rgb.shape[:2]
            raise BackendError(
                f"MediaPipe failed on a {width} x {height} image: {error}"
            ) from error
        # All its models have spoken once the first person is found.
        self._quiet = result.pose_landmarks is not None
        return result


def _import_solution() -> Any:
    try:
        from mediapipe.python.solutions import pose
    except ModuleNotFoundError as error:
        raise BackendError(
            f"the mediapipe detector cannot be had ({error}); install it with "
            "`pip install erd_ros[mediapipe]` (mediapipe 0.10.21: later ones bring no model), "
            "or feed keypoints instead of images"
        ) from error
    except (ImportError, ValueError) as error:  # ValueError: "numpy.dtype size changed"
        if "numpy" in str(error).lower():
            raise BackendError(
                f"MediaPipe is installed but does not go with numpy {np.__version__} ({error}); "
                "run `pip install 'numpy>=1.26,<2'` in the environment of the node"
            ) from error
        raise BackendError(
            f"MediaPipe is installed but a library of the system is missing ({error}); run "
            "`sudo apt install libgl1 libegl1 libgles2 libglib2.0-0`"
        ) from error
    return pose


def _check_model_file(model_complexity: int, solution_file: Path) -> None:
    """Raise rather than let MediaPipe download into site-packages in the middle of a mission."""
    name = f"pose_landmark_{_MODELS[model_complexity]}.tflite"
    file = solution_file.parents[2] / "modules" / "pose_landmark" / name
    if not file.is_file():
        raise BackendError(
            f"MediaPipe's model {file} is not there; `pip install mediapipe==0.10.21` brings it, "
            "that of full complexity alone, or put the file in that place"
        )


@contextmanager
def _without_noise() -> Iterator[None]:
    """Hold back what native code writes to stderr, then pass on all but the known noise.

    Python's own sys.stderr is a writer of the same file, so it waits too; nothing is lost.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            held.seek(0)
            for line in held:
                if not any(noise in line for noise in _NOISE):
                    os.write(original, line)
            os.close(original)
