"""The demo's picture: skeletons projected into the image, views in metres, curves over time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from erd_ros.demo.drawing import colour_of, draw_skeleton, from_jpeg
from erd_ros.demo.figures import persons, rows_of, stature
from erd_ros.demo.recording import Recording
from erd_ros.pose import FloatArray

Array = NDArray[np.float64]

# Longer pauses than this break a curve: the person was not seen.
_PAUSE_S = 0.5
_ADULT_M = (1.5, 2.0)


def save_picture(
    recording: Recording, path: Path, title: str, truth_distance_m: Array | None = None
) -> None:
    """Write a PNG of 1600 x 1000 pixels.

    truth_distance_m  (F, P) distance of each person's root in the frames published, drawn dashed
    """
    shown = persons(recording)
    figure = Figure(figsize=(16, 10), dpi=100, layout="constrained")
    figure.suptitle(title, fontsize=14)
    grid = figure.add_gridspec(2, 4, height_ratios=(1.15, 1))
    answer = best_answer(recording)
    _draw_image(figure.add_subplot(grid[0, :2]), recording, shown, answer)
    _draw_view(figure.add_subplot(grid[0, 2]), recording, shown, answer, 1)
    _draw_view(figure.add_subplot(grid[0, 3]), recording, shown, answer, 2)
    _draw_distance(figure.add_subplot(grid[1, :2]), recording, shown, truth_distance_m)
    _draw_height(figure.add_subplot(grid[1, 2:]), recording, shown)
    figure.savefig(path)


def best_answer(recording: Recording) -> int | None:
    """The answer to show: an image of it was kept, most people in it, most keypoints seen."""
    placed = np.isfinite(recording.joints).all((1, 2))
    answers = len(recording.answered_ns)
    people = np.bincount(recording.message[placed], minlength=answers).astype(float)
    seen = (recording.scores > 0).mean(1)
    keypoints = np.bincount(recording.message[placed], seen[placed], minlength=answers)
    kept = np.isin(recording.answered_ns, recording.images_ns)
    merit = np.where(kept, people + keypoints / 100, -1)
    if not answers or merit.max() <= 0:
        return None
    # Of equals, the middle one: people who walk in or out are least cut off there.
    equals = np.flatnonzero(merit == merit.max())
    return int(equals[len(equals) // 2])


def _colours(shown: Sequence[str], person: str) -> tuple[int, int, int]:
    return colour_of(shown.index(person)) if person in shown else (128, 128, 128)


def _rows_at(recording: Recording, answer: int | None) -> NDArray[np.int64]:
    placed = np.isfinite(recording.joints).all((1, 2))
    return np.flatnonzero(placed & (recording.message == (-1 if answer is None else answer)))


def _draw_image(axes: Axes, recording: Recording, shown: Sequence[str], answer: int | None) -> None:
    axes.set_axis_off()
    if answer is None:
        axes.set_title("no image in which somebody was placed")
        return
    stamp = recording.answered_ns[answer]
    image = from_jpeg(recording.image(int(np.flatnonzero(recording.images_ns == stamp)[0])))
    camera = recording.camera
    scale = image.shape[1] / camera.width
    thickness = max(2, image.shape[1] // 400)
    for row in _rows_at(recording, answer):
        pixels = (camera.project(recording.joints[row]) + 0.5) * scale - 0.5
        colour = _colours(shown, str(recording.ids[row]))
        draw_skeleton(image, recording.skeleton, pixels.astype(np.float32), colour, thickness)
    axes.imshow(image)
    seconds = 1e-9 * (stamp - recording.published_ns[0])
    axes.set_title(f"3D skeletons projected back into the image, at {seconds:.1f} s")


def _draw_view(
    axes: Axes, recording: Recording, shown: Sequence[str], answer: int | None, vertical: int
) -> None:
    """Joints of one answer in the plane of x and y (front) or x and z (top), metres."""
    front = vertical == 1
    for row in _rows_at(recording, answer):
        joints = recording.joints[row]
        person = str(recording.ids[row])
        colour = np.divide(_colours(shown, person), 255)
        for parent, child in recording.skeleton.bones:
            ends = joints[[parent, child]]
            axes.plot(ends[:, 0], ends[:, vertical], color=colour, linewidth=2)
        axes.scatter(joints[:, 0], joints[:, vertical], color=colour, s=12, zorder=3)
        edge = joints[:, vertical].min() if front else joints[:, vertical].max()
        axes.annotate(
            f"{person}, {np.linalg.norm(joints[0]):.2f} m",
            (float(joints[0, 0]), float(edge)),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
        )
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.3)
    axes.set_xlabel("x, right of the camera [m]")
    if front:
        axes.invert_yaxis()
        axes.set_title("seen from the camera")
        axes.set_ylabel("y, down [m]")
    else:
        axes.plot(0, 0, marker="^", markersize=12, color="black")
        axes.annotate("camera", (0, 0), xytext=(10, -4), textcoords="offset points")
        axes.set_title("seen from above")
        axes.set_ylabel("z, ahead [m]")
    axes.margins(0.15)


def _curve(axes: Axes, seconds: Array, values: Array | FloatArray, **style: object) -> None:
    pauses = np.flatnonzero(np.diff(seconds) > _PAUSE_S) + 1
    broken = np.insert(np.asarray(values, np.float64), pauses, np.nan)
    axes.plot(np.insert(seconds, pauses, np.nan), broken, **style)  # type: ignore[arg-type]


def _seconds(recording: Recording, rows: NDArray[np.int64]) -> Array:
    stamps = recording.answered_ns[recording.message[rows]]
    return np.asarray(1e-9 * (stamps - recording.published_ns[0]), np.float64)


def _draw_distance(
    axes: Axes, recording: Recording, shown: Sequence[str], truth_distance_m: Array | None
) -> None:
    for person in shown:
        rows = rows_of(recording, person)
        distance = np.linalg.norm(recording.joints[rows, 0], axis=-1)
        label = f"{person}: median {np.median(distance):.2f} m"
        colour = np.divide(_colours(shown, person), 255)
        _curve(axes, _seconds(recording, rows), distance, color=colour, label=label)
    if truth_distance_m is not None:
        seconds = 1e-9 * (recording.published_ns - recording.published_ns[0])
        lines = axes.plot(seconds, truth_distance_m, "--", color="black", linewidth=1)
        lines[0].set_label("truth")
    _finish(axes, "distance of the pelvis from the camera", "[m]")
    axes.set_ylim(bottom=0)


def _draw_height(axes: Axes, recording: Recording, shown: Sequence[str]) -> None:
    axes.axhspan(*_ADULT_M, color="0.92", zorder=0)
    for person in shown:
        rows = rows_of(recording, person)
        heights = stature(recording.skeleton, recording.joints[rows])
        label = f"{person}: median {np.median(heights):.2f} m"
        colour = np.divide(_colours(shown, person), 255)
        _curve(axes, _seconds(recording, rows), heights, color=colour, label=label)
    _finish(axes, "body height from the bones of each frame (grey: most adults)", "[m]")
    axes.set_ylim(1.0, 2.4)


def _finish(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title)
    axes.set_xlabel("time [s]")
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", ncols=2)
