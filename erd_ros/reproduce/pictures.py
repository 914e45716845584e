"""Pictures of the papers' figures: matplotlib, without a screen, in colours for everybody."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.data.error_model import ErrorModel
from erd_ros.evaluate.scenes import Scene
from erd_ros.files import write_whole
from erd_ros.metrics import Array, mpjpe_mm
from erd_ros.report import empty_figure
from erd_ros.reproduce.scoring import Estimates
from erd_ros.skeleton import H36M17

# Okabe and Ito's colours.
_BLUE, _ORANGE, _VERMILLION, _BLACK = "#0072B2", "#E69F00", "#D55E00", "#000000"
_DPI = 120
# Of the lifter's errors: an easy pose, usual ones, a hard one.
_QUANTILES = (0.1, 0.4, 0.6, 0.9)
_MOST_POINTS = 4000


def draw_steps(path: Path, panels: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Errors, mm, against steps: one panel per title, one line per label in it."""
    figure = empty_figure(4 * len(panels), 3.4)
    for column, (title, lines) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), column + 1, title=title)
        for (label, values), colour, marker in zip(
            lines.items(), (_BLUE, _VERMILLION), "os", strict=True
        ):
            axes.plot(range(len(values)), values, marker=marker, color=colour, label=label)
        axes.set(xlabel="residual regressors (0: lifter alone)", ylabel="MPJPE (mm)")
        axes.grid(alpha=0.3)
        axes.legend()
    write_whole(path, lambda partial: figure.savefig(partial, dpi=_DPI))


def draw_depth(path: Path, scale: Array, depth: Array) -> None:
    """Canonical depths (F,), mm per pixel, against scales (F,) of the 2D pose, pixels."""
    figure = empty_figure(6, 4)
    axes = figure.add_subplot()
    every = max(1, len(scale) // _MOST_POINTS)
    axes.scatter(scale[::every], depth[::every], s=3, color=_BLUE, linewidths=0)
    nearly_all = float(np.quantile(scale, 0.995))  # who walks past a camera looks very large
    along = np.linspace(scale.min(), nearly_all, 200)
    axes.plot(along, np.median(scale * depth) / along, color=_VERMILLION)
    axes.set(xlabel="scale of the 2D pose (pixels)", ylabel="canonical root depth (mm / pixel)")
    axes.set_xlim(0, nearly_all)
    axes.grid(alpha=0.3)
    write_whole(path, lambda partial: figure.savefig(partial, dpi=_DPI))


def draw_errors(
    path: Path, pixels: NDArray[np.float32], models: Mapping[str, ErrorModel], joint: int
) -> None:
    """Histogram of one joint's errors (F,) along x, pixels, and the densities of models."""
    figure = empty_figure(6, 4)
    axes = figure.add_subplot()
    bins = np.linspace(-50, 50, 101).tolist()
    axes.hist(pixels, bins=bins, density=True, color=_BLUE, alpha=0.4, label="simulated detector")
    x = np.linspace(-50, 50, 501)
    for (kind, model), line in zip(models.items(), ("--", "-"), strict=True):
        axes.plot(x, _density(model, joint, x), line, color=_BLACK, label=f"{kind} model")
    axes.set(xlabel="error along x (pixels)", ylabel="density")
    axes.legend()
    write_whole(path, lambda partial: figure.savefig(partial, dpi=_DPI))


def _density(model: ErrorModel, joint: int, x: Array) -> Array:
    """Of the error along x: AbsPoseLifter eq. 8, integrated over y."""
    mean, deviation, share = (
        model.mean[joint, 0], model.deviation[joint, 0], model.inlier_share[joint],
    )  # fmt: skip
    gaussian = np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    uniform = (np.abs(x) <= model.half_range) / (2 * model.half_range)
    return np.asarray(share * gaussian + (1 - share) * uniform)


def draw_poses(path: Path, scene: Scene, lifter: Estimates, refined: Estimates) -> None:
    """A few poses, a column each: from the front above, from the side below."""
    errors = mpjpe_mm(lifter.joints, scene.joints)
    figure = empty_figure(2.6 * len(_QUANTILES), 6.4)
    for column, quantile in enumerate(_QUANTILES):
        pose = int(np.argmin(np.abs(errors - np.quantile(errors, quantile))))
        after = mpjpe_mm(refined.joints[pose], scene.joints[pose])
        for view, (across, name) in enumerate(((0, "front"), (2, "side"))):
            axes = figure.add_subplot(2, len(_QUANTILES), column + 1 + view * len(_QUANTILES))
            _draw_skeleton(axes, scene.joints[pose], across, _BLACK, "truth")
            _draw_skeleton(axes, lifter.joints[pose], across, _ORANGE, "lifter")
            _draw_skeleton(axes, refined.joints[pose], across, _BLUE, "ERD")
            axes.set_aspect("equal", "datalim")
            axes.set_xticks([])
            axes.set_yticks([])
            if not view:
                axes.set_title(
                    f"{100 * quantile:.0f} %: {errors[pose]:.0f} mm, ERD {after:.0f} mm", fontsize=9
                )
            if not column:
                axes.set_ylabel(name)
    figure.axes[0].legend(fontsize=8, loc="best")
    write_whole(path, lambda partial: figure.savefig(partial, dpi=_DPI))


def _draw_skeleton(axes: Any, joints: Array, across: int, colour: str, label: str) -> None:
    """Bones of joints (J, 3) in the plane of one axis of the camera and the vertical."""
    for joint, parent in enumerate(H36M17.parents):
        if parent >= 0:
            bone = joints[[parent, joint]]
            axes.plot(bone[:, across], -bone[:, 1], color=colour, linewidth=1.5, label=label)
            label = "_nolegend_"
