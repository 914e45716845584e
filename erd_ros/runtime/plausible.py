"""What counts as seen, and what a person can be: bounds on keypoints, places and sizes."""

import numpy as np
from numpy.typing import NDArray

from erd_ros.pose import FloatArray, Keypoints2D

Mask = NDArray[np.bool_]

# Metres from the camera to the root. A person fills the image at the one, is a few pixels at the
# other.
DISTANCE_M = (0.1, 100.0)
# Metres from ankle to head top along the body, from a newborn's to the tallest's.
SIZE_M = (0.3, 2.6)
# Metres of standard deviation along the ray that still say something.
_LARGEST_SIGMA_M = 100.0
# Pixels of root mean square distance of the keypoints from their mean: 2 are a person 7 pixels
# tall.
_SMALLEST_SPREAD_PX = 2.0
# Reprojection error in units of that spread. On motion capture with detectors' errors it is 0.08 in
# the median.
_LARGEST_RESIDUAL = 1.5


def in_image(pixels: FloatArray, size: tuple[int, int], margin: float) -> Mask:
    """(...) whether pixels (..., 2) are in an image of ``size`` (width, height), or near it.

    margin  fraction of the image's longer side by which they may lie outside
    """
    # Pixel centres are whole numbers: the image reaches from -0.5 to size - 0.5.
    reach = 0.5 + margin * max(size)
    return np.asarray(((pixels >= -reach) & (pixels <= np.array(size) - 1 + reach)).all(-1))


def seen_keypoints(
    keypoints: Keypoints2D, size: tuple[int, int] | None, image_margin: float
) -> Keypoints2D:
    """The keypoints without those that are exactly (0, 0) or outside the image.

    Detectors write (0, 0) for what they have not found, whatever its score.
    size          (width, height) of the image, pixels; None = not known
    image_margin  as ``in_image`` has it
    """
    seen = (keypoints.pixels != 0).any(-1)
    if size is not None:
        seen &= in_image(keypoints.pixels, size, image_margin)
    return Keypoints2D(
        keypoints.skeleton, keypoints.pixels, np.where(seen, keypoints.confidence, 0)
    )


def surest(keypoints: Keypoints2D, persons: int) -> NDArray[np.int64]:
    """Indices, in order, of at most so many persons: those whose scores add up to the most."""
    by_score = np.argsort(-keypoints.confidence.sum(-1), kind="stable")
    return np.sort(by_score[:persons])


def possible_places(
    root: FloatArray, size: FloatArray | None, sigma: FloatArray | None, residual_px: FloatArray
) -> Mask:
    """(N,) who stands where a person can stand and is as large as a person can be.

    root (N, 3), size (N, 4) and sigma (N,) as in ``Pose3D``, metres; residual_px (N,) in units of
    the spread of the person's keypoints; NaN, where the lens shows none of the joints, is not
    possible
    """
    near, far = DISTANCE_M
    distance = np.linalg.norm(root, axis=-1)
    possible = (near <= distance) & (distance <= far) & (residual_px <= _LARGEST_RESIDUAL)
    if size is not None:
        smallest, largest = SIZE_M
        possible &= (smallest <= size[:, 0]) & (size[:, 0] <= largest) & np.isfinite(size[:, 1])
    if sigma is not None:
        possible &= (sigma >= 0) & (sigma <= _LARGEST_SIGMA_M)
    return np.asarray(possible)


def spread_px(keypoints: Keypoints2D) -> FloatArray:
    """(N,) root mean square distance of the keypoints seen from their mean; 0 for none."""
    seen = keypoints.confidence > 0
    count = np.maximum(seen.sum(-1), 1)[:, None]
    points = np.where(seen[..., None], keypoints.pixels, 0).astype(np.float64)
    offset = np.where(seen[..., None], points - (points.sum(1) / count)[:, None], 0)
    return np.asarray(np.sqrt((offset**2).sum((1, 2)) / count[:, 0]), np.float32)


def spread_enough(keypoints: Keypoints2D) -> Mask:
    """(N,) whose keypoints are not all in one place."""
    return np.asarray(spread_px(keypoints) >= _SMALLEST_SPREAD_PX)
