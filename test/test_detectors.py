import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from real_video import frames

from erd_ros.errors import BackendError, InputError
from erd_ros.runtime.detectors import make_detector
from erd_ros.skeleton import BLAZEPOSE33

ROOT = Path(__file__).parents[1]


@pytest.fixture(params=["mediapipe", "people"])
def detector(request):
    if request.param == "mediapipe":
        pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    made = make_detector(request.param)
    yield made
    made.close()


def joint(keypoints, name):
    return keypoints.pixels[0, keypoints.skeleton.index(name)]


def middle(keypoints, part):
    return (joint(keypoints, f"left_{part}") + joint(keypoints, f"right_{part}")) / 2


def test_a_person_on_real_video_stands_upright_where_they_are(detector):
    """A man stands at the table: head at row 40, feet at row 370, read off the picture."""
    for image in frames("one_person_indoor.mp4", 270, 300):
        keypoints = detector(image)
    assert len(keypoints) == 1
    np.testing.assert_allclose(joint(keypoints, "nose"), (459, 49), atol=15)
    heights = [middle(keypoints, part)[1] for part in ("shoulder", "hip", "knee", "ankle")]
    assert heights == sorted(heights)
    assert heights[0] > joint(keypoints, "nose")[1]
    assert 330 < heights[-1] < 370
    torso = [keypoints.skeleton.index(f"{side}_hip") for side in ("left", "right")]
    assert (keypoints.confidence[0, torso] > 0.9).all()


def test_an_empty_room_holds_nobody(detector):
    """At MediaPipe's own threshold the table's foot was somebody in most of these images."""
    assert [len(detector(image)) for image in frames("one_person_indoor.mp4", 0, 20)] == [0] * 20


def test_left_is_the_persons_left(detector):
    """The man turns his back to the camera: his left is on the image's left, mirrored as well."""
    image = next(frames("one_person_indoor.mp4", 300, 301))
    for view in (image, image[:, ::-1]):
        keypoints = [detector(view) for _ in range(8)][-1]
        for part in ("ear", "shoulder", "elbow", "hip"):
            left, right = joint(keypoints, f"left_{part}"), joint(keypoints, f"right_{part}")
            assert left[0] < right[0], part


def test_pixels_count_from_the_centre_of_the_first_pixel(detector):
    """Mirroring an image W wide takes column u to W - 1 - u. A detector's error is about a pixel.

    Measured over 82 frames of this video: 0.9 pixels too much for the sum of both columns.
    """
    sums = []
    for index in (140, 300, 560):
        image = next(frames("one_person_indoor.mp4", index, index + 1))
        pair = []
        for view in (image, image[:, ::-1]):
            single = make_detector("mediapipe")
            pair.append([single(view) for _ in range(8)][-1])
            single.close()
        assert [len(keypoints) for keypoints in pair] == [1, 1]
        flipped = pair[1].pixels[0, list(BLAZEPOSE33.flip)]
        body = slice(11, 29)
        sums.append(pair[0].pixels[0, body, 0] + flipped[body, 0] - (image.shape[1] - 1))
    assert abs(np.median(sums)) < 2.5


def test_images_of_any_size_and_layout_in_memory(detector):
    image = next(frames("one_person_indoor.mp4", 300, 301))
    expected = [detector(image) for _ in range(5)][-1]
    padded = np.zeros((*image.shape[:2], 4), np.uint8)
    padded[..., :3] = image
    view = padded[..., :3]
    assert not view.flags.c_contiguous
    np.testing.assert_allclose(detector(view).pixels, expected.pixels, atol=10)
    for height, width in ((1, 1), (2, 500), (1000, 3)):
        assert len(detector(np.zeros((height, width, 3), np.uint8))) == 0


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((48, 64), np.uint8),
        np.zeros((48, 64, 4), np.uint8),
        np.zeros((0, 64, 3), np.uint8),
        np.zeros((48, 64, 3), np.float32),
        [[[0, 0, 0]]],
    ],
)
def test_what_is_no_image_is_refused(detector, image):
    with pytest.raises(InputError, match=r"image has shape .* expected \(H, W, 3\) uint8"):
        detector(image)


def test_a_closed_detector_says_so(detector):
    detector.close()
    detector.close()
    with pytest.raises(BackendError, match="closed"):
        detector(np.zeros((48, 64, 3), np.uint8))


def test_an_unknown_detector_lists_the_choices():
    with pytest.raises(InputError, match="unknown detector 'openpose'; choose one of mediapipe"):
        make_detector("openpose")


def python(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("ModuleNotFoundError('No module named mediapipe')", "pip install erd_ros[mediapipe]"),
        ("ImportError('numpy.core.multiarray failed to import')", "numpy>=1.26,<2"),
        ("ImportError('libGLESv2.so.2: cannot open shared object file')", "apt install libgl1"),
    ],
)
def test_what_is_not_installed_is_named(error, message):
    result = python(f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "mediapipe":
            raise {error}
sys.meta_path.insert(0, Missing())
from erd_ros.errors import BackendError
from erd_ros.runtime.detectors import make_detector
try:
    make_detector("mediapipe")
except BackendError as error:
    print(error)
""")
    assert message in result.stdout, result.stderr


def test_a_model_that_would_be_downloaded_is_refused():
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    from erd_ros.runtime.detectors.mediapipe_detector import MediapipeConfig, MediapipeDetector

    with pytest.raises(BackendError, match=r"pose_landmark_heavy\.tflite is not there; `pip"):
        MediapipeDetector(MediapipeConfig(model_complexity=2))
    with pytest.raises(InputError, match="model_complexity is 3"):
        MediapipeConfig(model_complexity=3)
    with pytest.raises(InputError, match="min_detection_confidence is nan"):
        MediapipeConfig(min_detection_confidence=float("nan"))


def test_all_is_quiet_when_all_is_well_and_other_errors_still_show():
    """In a process of its own: MediaPipe's native code writes to file descriptor 2."""
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    result = python("""
import sys
import numpy as np
from erd_ros.runtime.detectors import make_detector, mediapipe_detector
detector = make_detector("mediapipe")
detector(np.zeros((48, 64, 3), np.uint8))
with mediapipe_detector._without_noise():
    print("I0000 gl_context_egl.cc:85] Successfully initialized EGL. Major : 1", file=sys.stderr)
    print("I0000 gl_context.cc:369] GL version: 3.2 (OpenGL ES 3.2 Mesa)", file=sys.stderr)
    print("something else", file=sys.stderr)
detector.close()
""")
    assert result.returncode == 0
    assert result.stderr == "something else\n"
