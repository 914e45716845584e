"""From MoveNet MultiPose's six maps to people: what stands behind the cut in the original graph.

A map has one cell for 4 x 4 pixels of the network's input. The arithmetic is that of the graph of
tfhub's movenet/multipose/lightning/1, but for its limit to six people.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from erd_ros.pose import FloatArray

CELL_PX = 4
_PEAK_CELLS = 5
_SPREAD = 0.3  # the Gaussian's variance, twice, in units of the smaller side of the maps
_KEYPOINT_SEEN = 0.127
_JOINTS = 17


@dataclass(frozen=True, eq=False)
class People2D:
    """N people as a finder sees them, the best first.

    keypoints  (N, 17, 3) float32: column, row in pixels, score 0..1; layout coco17
    boxes      (N, 4) float32: left, top, right, bottom in pixels
    scores     (N,) float32, 0..1
    """

    keypoints: FloatArray
    boxes: FloatArray
    scores: FloatArray

    def __len__(self) -> int:
        return len(self.scores)

    def chosen(self, index: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "People2D":
        """The people at these places."""
        return People2D(self.keypoints[index], self.boxes[index], self.scores[index])


@dataclass(frozen=True, eq=False)
class Maps:
    """What the network gives for one image, maps of H x W cells; the names are the graph's.

    center (H, W), box_scale (2, H, W), box_offset (2, H, W), kpt_heatmap (17, H, W),
    kpt_regress (34, H, W), kpt_offset (34, H, W); pairs are row, column.
    """

    center: FloatArray
    box_scale: FloatArray
    box_offset: FloatArray
    kpt_heatmap: FloatArray
    kpt_regress: FloatArray
    kpt_offset: FloatArray


def decode(maps: Maps, min_center: float, most: int) -> People2D:
    """People whose centre scores ``min_center`` or more, at most ``most``; pixels of the input.

    A pixel's own place is its upper left corner.
    """
    rows, columns, centers = _peaks(maps.center, min_center, most)
    cells = np.stack([rows, columns], -1).astype(np.float32)  # (N, 2)
    boxes = _boxes(maps, rows, columns, cells)
    expected = cells[:, None] + maps.kpt_regress[:, rows, columns].T.reshape(-1, _JOINTS, 2)
    heat = _sigmoid(maps.kpt_heatmap)
    places = np.stack(
        [_best_cells(heat, box, where) for box, where in zip(boxes, expected, strict=True)]
        or [np.zeros((0, _JOINTS, 2), int)]
    ).reshape(-1, _JOINTS, 2)
    scores = _keypoint_scores(heat, boxes, expected, places)
    offsets = maps.kpt_offset.reshape(_JOINTS, 2, *heat.shape[1:])
    joints = np.arange(_JOINTS)
    found = places + offsets[joints, :, places[..., 0], places[..., 1]]
    keypoints = np.concatenate([found[..., ::-1] * CELL_PX, scores[..., None]], -1)
    people = People2D(
        np.asarray(keypoints, np.float32),
        np.asarray(boxes[:, [1, 0, 3, 2]] * CELL_PX, np.float32),
        _person_scores(centers, scores),
    )
    return people.chosen(np.argsort(-people.scores, kind="stable"))


def _sigmoid(values: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-values)), np.float32)


def _peaks(
    center: FloatArray, min_center: float, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Rows, columns and scores of the largest local maxima."""
    scores = _sigmoid(center)
    around = cv2.dilate(scores, np.ones((_PEAK_CELLS, _PEAK_CELLS), np.uint8))
    flat = np.flatnonzero((around - scores < 1e-6) & (scores >= min_center))
    flat = flat[np.argsort(-scores.ravel()[flat], kind="stable")][:most]
    rows, columns = np.divmod(flat, center.shape[1])
    return rows, columns, scores.ravel()[flat]


def _boxes(
    maps: Maps, rows: NDArray[np.int64], columns: NDArray[np.int64], cells: FloatArray
) -> FloatArray:
    """(N, 4) top, left, bottom, right in cells, within the maps."""
    middle = cells + maps.box_offset[:, rows, columns].T
    half = np.maximum(maps.box_scale[:, rows, columns].T, 0) / 2
    limit = np.tile(maps.center.shape, 2)
    return np.asarray(np.clip(np.hstack([middle - half, middle + half]), 0, limit), np.float32)


def _best_cells(heat: FloatArray, box: FloatArray, expected: FloatArray) -> NDArray[np.int64]:
    """(17, 2) row and column where heat times the Gaussian is largest within the box."""
    first = np.ceil(box[:2]).astype(int)
    last = np.ceil(box[2:]).astype(int)
    if (last <= first).any():  # no cell lies in the box: the original takes the first of all
        return np.zeros((_JOINTS, 2), int)
    part = heat[:, first[0] : last[0], first[1] : last[1]]
    spread = _spread(heat)
    rows = np.arange(first[0], last[0]) - expected[:, :1]
    columns = np.arange(first[1], last[1]) - expected[:, 1:]
    near = np.exp(-(rows**2) / spread)[:, :, None] * np.exp(-(columns**2) / spread)[:, None, :]
    best = (part * near).reshape(_JOINTS, -1).argmax(-1)
    places = np.stack(np.divmod(best, part.shape[2]), -1) + first
    return np.asarray(places, np.int64)


def _keypoint_scores(
    heat: FloatArray, boxes: FloatArray, expected: FloatArray, places: NDArray[np.int64]
) -> FloatArray:
    """(N, 17): the weighted heat of each place, the largest of all people whose box holds it."""
    at = heat[np.arange(_JOINTS), places[..., 0], places[..., 1]]  # (N, 17)
    within = (places[:, None] >= boxes[None, :, None, :2]) & (
        places[:, None] < boxes[None, :, None, 2:]
    )
    away = ((places[:, None] - expected[None]) ** 2).sum(-1)  # (N, N, 17)
    near = np.exp(-away / _spread(heat)) * within.all(-1)
    return np.asarray(at * near.max(1, initial=0), np.float32)


def _spread(heat: FloatArray) -> float:
    # 0.3 in half precision, as the original stores it.
    return float(np.float16(_SPREAD)) * min(heat.shape[1:])


def _person_scores(centers: FloatArray, scores: FloatArray) -> FloatArray:
    """The centre's score times the mean of the keypoints that are seen."""
    seen = scores > _KEYPOINT_SEEN
    mean = np.where(seen, scores, 0).sum(-1) / np.maximum(seen.sum(-1), 1)
    return np.asarray(centers * mean, np.float32)
