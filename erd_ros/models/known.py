"""What stays the same from step to step: keypoints, the lifter's guess of the size, the cues."""

from dataclasses import dataclass

import torch
from torch import Tensor

from erd_ros.cues import ANKLE_HEIGHT, CUES
from erd_ros.models.posed import Keypoints

_COLUMN = {name: index for index, name in enumerate(CUES)}
_UP = slice(_COLUMN["up_x"], _COLUMN["up_z"] + 1)
# Keeps a size of nonsense, before a network has learned anything, in the finite.
_LOG_SIZE = (-1.6, 1.6)
_LOG_DEVIATION = (-5.0, 0.0)


@dataclass(frozen=True, eq=False)
class Prior:
    """The lifter's guess of the size: mean (N,) and standard deviation (N,) of its logarithm."""

    log_size: Tensor
    log_deviation: Tensor

    @classmethod
    def of(cls, log_size: Tensor, log_deviation: Tensor) -> "Prior":
        """Of what a network gives, within bounds."""
        return cls(log_size.clamp(*_LOG_SIZE), log_deviation.clamp(*_LOG_DEVIATION))

    def detach(self) -> "Prior":
        """The same without gradients."""
        return Prior(self.log_size.detach(), self.log_deviation.detach())


def no_cues(persons: int, like: Tensor) -> Tensor:
    """Cues (N, C) that say nothing, on the device of another tensor."""
    row = torch.zeros(len(CUES), dtype=like.dtype, device=like.device)
    for name in ("size_variance", "camera_height_variance", "depth_variance"):
        row[_COLUMN[name]] = torch.inf
    return row.expand(persons, -1)


@dataclass(frozen=True, eq=False)
class Told:
    """Guess and cues together, each (N, 1, 1) but ``up``; 0 where absent, variances are infinite.

    guess     of the size, metres
    size      guess and cue, each by its information; ``of_size`` the information of both, 1/m^2
    depth     ``of_depth`` its information
    ground    how far below the camera ankles are that stand on it
    up        (N, 3, 1) away from the ground, in the camera frame
    """

    guess: Tensor
    size: Tensor
    of_size: Tensor
    depth: Tensor
    of_depth: Tensor
    ground: Tensor
    height_variance: Tensor
    tilt_variance: Tensor
    up: Tensor

    @classmethod
    def of(cls, prior: Prior, cues: Tensor) -> "Told":
        """Of cues (N, C)."""
        columns = cues[..., None]

        def column(name: str) -> Tensor:
            return columns[:, _COLUMN[name] : _COLUMN[name] + 1]

        def known(name: str) -> tuple[Tensor, Tensor]:
            information = 1 / column(f"{name}_variance")
            return torch.where(information > 0, column(name), 0.0), information

        guess = prior.log_size[:, None, None].exp()
        deviation = guess * prior.log_deviation[:, None, None].exp()
        (size, of_size), (depth, of_depth) = known("size"), known("depth")
        of_guess = 1 / (deviation * deviation)
        of_both = of_guess + of_size
        height, _ = known("camera_height")
        return cls(
            guess,
            (of_guess * guess + of_size * size) / of_both,
            of_both,
            depth,
            of_depth,
            height - ANKLE_HEIGHT,
            column("camera_height_variance"),
            column("tilt_variance"),
            columns[:, _UP],
        )


@dataclass(frozen=True, eq=False)
class Known:
    """Of N persons, in the view.

    up, axis  (N, 3, 1) away from the ground, and along the camera's axis
    rows      (N, 2, 6) coefficients of the depth, and constants, of the solver's rows: size, the
              depth itself, keypoints, cue of the depth, both ankles
    """

    keypoints: Keypoints
    told: Told
    up: Tensor
    axis: Tensor
    rows: Tensor

    @classmethod
    def of(cls, keypoints: Keypoints, prior: Prior, cues: Tensor) -> "Known":
        """Of cues (N, C) in the camera frame."""
        told, rotation = Told.of(prior, cues), keypoints.view.rotation_camera_to_view
        zero, one = keypoints.zero, keypoints.one
        axis, up = rotation[..., 2:], rotation @ told.up
        along, slope = axis.mT @ keypoints.of_depth, up.mT @ keypoints.of_depth
        rows = [
            torch.cat([zero, one, -one, along, slope, slope], -1),
            torch.cat([-told.size, zero, zero, -told.depth, told.ground, told.ground], -1),
        ]
        return cls(keypoints, told, up, axis, torch.cat(rows, 1))
