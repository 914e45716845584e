"""How far two graphs are apart on the same images; used by convert_detectors.py."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

Run = Callable[[Any], Sequence[Any]]


def difference(one: Run, two: Run, images: Sequence[Any]) -> float:
    """Largest difference of the outputs, in units of the largest value of each, or of 1."""
    worst = 0.0
    for image in images:
        for ours, theirs in zip(one(image), two(image), strict=True):
            if ours.shape != theirs.shape:  # NHWC beside NCHW
                theirs = theirs.transpose(0, 3, 1, 2)
            worst = max(worst, float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1)))
    return worst


def random_images(kind: str) -> Iterator[Any]:
    """(1, 256, 256, 3) noise at several scales, 0..255 as "int32" or 0..1 as "float32"."""
    random = np.random.default_rng(0)
    for cells in (4, 16, 64):
        block = np.ones((256 // cells, 256 // cells, 1))
        image = np.kron(random.random((cells, cells, 3)), block)[None]
        yield (image * 255 if kind == "int32" else image).astype(kind)
