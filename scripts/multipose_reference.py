"""What MoveNet MultiPose's own graph, in TensorFlow, makes of frames of videos.

    python scripts/multipose_reference.py PACKAGE OUT.json VIDEO:FRAME:SIZE ...

PACKAGE is the unpacked npm package of convert_detectors.py, whose environment this needs. SIZE is
the long side in pixels. The file is what the decoder in numpy is tested against.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from convert_detectors import graph_of_tfjs


def frame(video: Path, number: int) -> np.ndarray:
    """Frame of a video, RGB."""
    capture = cv2.VideoCapture(str(video))
    for _ in range(number + 1):
        there, image = capture.read()
        if not there:
            sys.exit(f"{video} has no frame {number}")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def letterboxed(image: np.ndarray, size: int) -> np.ndarray:
    """(1, H, W, 3) int32, scaled to a long side, padded right and below to multiples of 32."""
    scale = size / max(image.shape[:2])
    height, width = (round(side * scale) for side in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    padded = np.pad(small, ((0, -height % 32), (0, -width % 32), (0, 0)))
    return padded[None].astype(np.int32)


def main() -> None:
    """Carry out the command line."""
    package, out, *wanted = sys.argv[1:]
    graph = graph_of_tfjs(Path(package) / "models/movenet-multipose.json")
    function = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    run = function.prune("input:0", "Identity:0")
    results = []
    for text in wanted:
        video, number, size = text.rsplit(":", 2)
        image = letterboxed(frame(Path(video), int(number)), int(size))
        people = np.asarray(run(tf.constant(image)))[0]
        results.append(
            {
                "video": Path(video).name,
                "frame": int(number),
                "size": int(size),
                "input": [image.shape[1], image.shape[2]],
                "people": [[round(float(v), 6) for v in row] for row in people if row[55] > 0.05],
            }
        )
    Path(out).write_text(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
