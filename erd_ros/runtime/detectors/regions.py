"""The square of an image at which a landmark network looks: cut out, turned upright, and back."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from erd_ros.pose import FloatArray


@dataclass(frozen=True)
class Region:
    """A square in an image, in pixels, the centre of the first pixel at (0, 0).

    column, row  of its centre
    side         length
    angle        radians by which a person in it leans to the right, who is upright in the crop
    """

    column: float
    row: float
    side: float
    angle: float = 0.0

    def from_crop(self, points: FloatArray) -> FloatArray:
        """Points (..., 2) in the crop, 0..1 from edge to edge, to pixels of the image."""
        away = (points - 0.5) * self.side
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        across = self.column + cosine * away[..., 0] - sine * away[..., 1]
        down = self.row + sine * away[..., 0] + cosine * away[..., 1]
        return np.asarray(np.stack([across, down], -1), np.float32)

    def crop(self, image_rgb: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
        """The square with so many pixels a side; black where the image ends."""
        # The centres of three of the crop's corner pixels, in the crop and in the image.
        ends = np.array([[0, 0], [pixels - 1, 0], [0, pixels - 1]], np.float32)
        there = self.from_crop((ends + 0.5) / pixels)
        matrix = cv2.getAffineTransform(ends, there)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(image_rgb, matrix, (pixels, pixels), flags=flags)
        return np.asarray(crop, np.uint8)
