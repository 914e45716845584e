"""Skeletons drawn on images with OpenCV: for the demo's camera picture and its report."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.skeleton import Skeleton

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Okabe and Ito's palette, told apart with colour-blind eyes too; RGB.
PALETTE: tuple[Colour, ...] = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (213, 94, 0),
    (86, 180, 233),
)


def colour_of(person: int) -> Colour:
    """RGB colour of the n-th person; repeats after the palette's end."""
    return PALETTE[person % len(PALETTE)]


def draw_skeleton(
    image: Image, skeleton: Skeleton, pixels: FloatArray, colour: Colour, thickness: int = 3
) -> None:
    """Draw one person's bones and joints into ``image`` (H, W, 3) RGB; ``pixels`` (J, 2).

    A joint that is NaN, or a bone with such an end, is not drawn.
    """
    shown = np.isfinite(pixels).all(-1)
    # A pixel far outside overflows OpenCV's integers; the picture's edge is enough.
    limits = 4.0 * np.array(image.shape[1::-1])
    points = np.clip(np.nan_to_num(pixels), -limits, limits).round().astype(int)
    for parent, child in skeleton.bones:
        if shown[parent] and shown[child]:
            ends = points[parent].tolist(), points[child].tolist()
            cv2.line(image, *ends, colour, thickness, cv2.LINE_AA)
    for point in points[shown].tolist():
        cv2.circle(image, point, thickness + 1, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(image, point, thickness, colour, -1, cv2.LINE_AA)


def draw_keypoints(size: tuple[int, int], keypoints: Keypoints2D) -> Image:
    """An image (H, W, 3) RGB of ``size`` (width, height): the persons on a plain background."""
    width, height = size
    image = np.full((height, width, 3), 38, np.uint8)
    cv2.rectangle(image, (0, height * 3 // 5), (width, height), (52, 50, 46), -1)
    for person in range(len(keypoints)):
        draw_skeleton(image, keypoints.skeleton, keypoints.pixels[person], colour_of(person))
    return image


def jpeg(image: Image, quality: int = 85) -> NDArray[np.uint8]:
    """An RGB image as the bytes (n,) of a JPEG file."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return np.asarray(cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))[1], np.uint8)


def from_jpeg(data: NDArray[np.uint8] | Sequence[int]) -> Image:
    """The RGB image (H, W, 3) in the bytes of a JPEG file."""
    bgr = cv2.imdecode(np.asarray(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
