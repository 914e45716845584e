"""The demo's picture: skeletons projected into the image, views in metres, curves over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from erd_ros.demo.drawing import colour_of, draw_skeleton, from_jpeg
from erd_ros.demo.figures import persons, rows_of, stature
from erd_ros.demo.recording import Recording
from erd_ros.files import write_whole
from erd_ros.pose import FloatArray

Array = NDArray[np.float64]

# Longer pauses than this break a curve: the person was not seen.
_PAUSE_S = 0.5
_ADULT_M = (1.5, 2.0)
_AXIS_LABELS = ("x, right of the camera [m]", "y, down [m]", "z, ahead of the camera [m]")


class View(NamedTuple):
    """A projection along one axis of the camera frame: which axis lies across, which one up."""

    title: str
    across: int
    up: int


VIEWS = (
    View("seen from the camera", 0, 1),
    View("seen from the left", 2, 1),
    View("seen from above", 0, 2),
)


def save_picture(recording: Recording, path: Path, title: str, truth: Array | None = None) -> None:
    """Write a PNG of 1600 x 1000 pixels.

    truth  (F, P, J, 3) metres in the camera frame, of the published frames; drawn black
    """
    shown = persons(recording)
    figure = Figure(figsize=(16, 10), dpi=100, layout="constrained")
    figure.suptitle(f"{title}\n{recording.backend}", fontsize=12)
    rows = figure.add_gridspec(2, 1, height_ratios=(1.1, 1))
    upper, lower = figure.add_subfigure(rows[0]), figure.add_subfigure(rows[1])
    image, *views = upper.subplots(1, 3, width_ratios=(2.1, 1, 1))
    above, distance, height = lower.subplots(1, 3, width_ratios=(1, 1.5, 1.5))
    answer = best_answer(recording)
    _draw_image(image, recording, shown, answer)
    for axes, view in zip((*views, above), VIEWS, strict=True):
        if truth is not None and answer is not None:
            published = recording.published_ns == recording.answered_ns[answer]
            _draw_truth(axes, recording, truth[published], view)
        _draw_view(axes, recording, shown, answer, view)
    _draw_distance(distance, recording, shown, truth)
    _draw_height(height, recording, shown)
    write_whole(path, figure.savefig)


def best_answer(recording: Recording) -> int | None:
    """The answer to show: its image was kept, if any was, most people and keypoints seen."""
    placed = np.isfinite(recording.joints).all((1, 2))
    answers = len(recording.answered_ns)
    people = np.bincount(recording.message[placed], minlength=answers).astype(float)
    seen = (recording.scores > 0).mean(1)
    keypoints = np.bincount(recording.message[placed], seen[placed], minlength=answers)
    kept = np.isin(recording.answered_ns, recording.images_ns) | (len(recording.images_ns) == 0)
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
        axes.set_title("nobody was placed")
        return
    if not len(recording.images_ns):
        axes.set_title("no images were published")
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
    axes: Axes, recording: Recording, shown: Sequence[str], answer: int | None, view: View
) -> None:
    for row in _rows_at(recording, answer):
        joints = recording.joints[row]
        person = str(recording.ids[row])
        colour = np.divide(_colours(shown, person), 255)
        _draw_bones(axes, recording, joints, view, color=colour, linewidth=2.5)
        top = joints[:, view.up].min() if view.up == 1 else joints[:, view.up].max()
        place = float(joints[0, view.across]), float(top)
        axes.annotate(person, place, xytext=(0, 7), textcoords="offset points", ha="center")
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.3)
    axes.margins(0.15)
    axes.set_title(view.title)
    axes.set_xlabel(_AXIS_LABELS[view.across])
    axes.set_ylabel(_AXIS_LABELS[view.up])
    if view.up == 1:
        axes.invert_yaxis()
    else:
        axes.plot(0, 0, marker="^", markersize=12, color="black")
        axes.annotate("camera", (0, 0), xytext=(10, -4), textcoords="offset points")


def _draw_truth(axes: Axes, recording: Recording, truth: Array, view: View) -> None:
    for joints in truth.reshape(-1, *truth.shape[-2:]):
        _draw_bones(axes, recording, joints, view, color="black", linewidth=1)


def _draw_bones(
    axes: Axes, recording: Recording, joints: Array | FloatArray, view: View, **style: Any
) -> None:
    for parent, child in recording.skeleton.bones:
        ends = joints[[parent, child]]
        axes.plot(ends[:, view.across], ends[:, view.up], solid_capstyle="round", **style)


def _curve(axes: Axes, seconds: Array, values: Array | FloatArray, **style: Any) -> None:
    pauses = np.flatnonzero(np.diff(seconds) > _PAUSE_S) + 1
    broken = np.insert(np.asarray(values, np.float64), pauses, np.nan)
    axes.plot(np.insert(seconds, pauses, np.nan), broken, **style)


def _seconds(recording: Recording, rows: NDArray[np.int64]) -> Array:
    stamps = recording.answered_ns[recording.message[rows]]
    return np.asarray(1e-9 * (stamps - recording.published_ns[0]), np.float64)


def _draw_distance(
    axes: Axes, recording: Recording, shown: Sequence[str], truth: Array | None
) -> None:
    for person in shown:
        rows = rows_of(recording, person)
        distance = np.linalg.norm(recording.joints[rows, 0], axis=-1)
        label = f"{person}: median {np.median(distance):.2f} m"
        colour = np.divide(_colours(shown, person), 255)
        _curve(axes, _seconds(recording, rows), distance, color=colour, label=label)
    if truth is not None:
        seconds = 1e-9 * (recording.published_ns - recording.published_ns[0])
        lines = axes.plot(
            seconds, np.linalg.norm(truth[:, :, 0], axis=-1), color="black", linewidth=1
        )
        lines[0].set_label("truth")
    _finish(axes, "distance of the pelvis from the camera", "[m]", "lower right")
    placed = recording.joints[np.isfinite(recording.joints).all((1, 2)), 0]
    if len(placed):
        # A person who is cut off by the image's edge may be placed far away for a frame.
        usual = np.percentile(np.linalg.norm(placed, axis=-1), 99)
        axes.set_ylim(0, 1.25 * float(usual))


def _draw_height(axes: Axes, recording: Recording, shown: Sequence[str]) -> None:
    axes.axhspan(*_ADULT_M, color="0.92", zorder=0)
    for person in shown:
        rows = rows_of(recording, person)
        heights = stature(recording.skeleton, recording.joints[rows])
        label = f"{person}: median {np.median(heights):.2f} m"
        colour = np.divide(_colours(shown, person), 255)
        _curve(axes, _seconds(recording, rows), heights, color=colour, label=label)
    _finish(axes, "body height from the bones of each frame (grey: adults)", "[m]", "upper right")
    axes.set_ylim(1.0, 2.4)


def _finish(
    axes: Axes, title: str, unit: str, legend: Literal["lower right", "upper right"]
) -> None:
    axes.set_title(title)
    axes.set_xlabel("time [s]")
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc=legend, ncols=2)
