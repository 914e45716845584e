"""What the networks read: keypoints made comparable, and features of the person as a whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from erd_ros.errors import InputError
from erd_ros.models.view import FRAMES, View

# A projection further off than this, in units of the scaling, comes from a pose through the camera.
_LARGEST_RESIDUAL = 2.0
_SMALLEST_DEVIATION = 1e-3

CONTEXT: dict[str, Callable[[View], Tensor]] = {
    "direction": lambda view: view.direction,
    "location": lambda view: view.centre,  # AbsPoseLifter eq. 3
    "scale": lambda view: view.scale[:, None],  # AbsPoseLifter eq. 4
    "log_scale": lambda view: view.scale.log()[:, None],
}
_SIZES = {"direction": 2, "location": 2, "scale": 1, "log_scale": 1}


def _by_person(view: View, mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
    """AbsPoseLifter eq. 2: about the person's mean, in units of the person's scale."""
    return view.centre[..., None], view.scale[:, None, None]


def _by_data(view: View, mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
    """Each coordinate by the training data's mean and deviation (ERD paper 4.2)."""
    return mean.mT, deviation.mT


# Centre and unit of the rays (N, 2, J).
SCALINGS = {"person": _by_person, "data": _by_data}

# Reconstructed features (ERD paper table 2) of the given keypoints, and what they have beyond the
# reprojected ones.
FEATURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "init2d": lambda given, offset: given,
    "proj2d": lambda given, offset: given - offset,
    "concat": lambda given, offset: torch.cat([given, given - offset], -1),
    "residual": lambda given, offset: offset,
}


def check_choice(what: str, name: str, choices: Mapping[str, object]) -> None:
    """Raise InputError that lists the choices for an unknown name."""
    if name not in choices:
        raise InputError(f"unknown {what} '{name}'; choose one of {', '.join(choices)}")


@dataclass(frozen=True)
class InputConfig:
    """How keypoints become what the networks read.

    frame       "person": a camera turned towards the person; "camera": the camera itself
    scaling     "person": by the person's mean and scale; "data": by the training data's
    context     features of the person as a whole, names of ``CONTEXT``, may be empty
    confidence  whether the lifter reads each joint's confidence
    pca         principal components that keypoints and features are reduced to; 0: none
    smallest_scale  of a person, in the context; who is farther away than training's people looks
                to a network like somebody smaller, though nothing but the scale has changed
    """

    frame: str = "person"
    scaling: str = "person"
    context: tuple[str, ...] = ("direction", "log_scale")
    confidence: bool = True
    pca: int = 0
    smallest_scale: float = 0.0

    def __post_init__(self) -> None:
        check_choice("frame", self.frame, FRAMES)
        check_choice("scaling", self.scaling, SCALINGS)
        for name in self.context:
            check_choice("context", name, CONTEXT)
        if self.pca < 0:
            raise InputError(f"pca is {self.pca}, expected 0 (none) or more")
        if self.smallest_scale < 0:
            raise InputError(f"smallest_scale is {self.smallest_scale}, expected 0 (none) or more")

    @property
    def context_size(self) -> int:
        """Numbers of the context."""
        return sum(_SIZES[name] for name in self.context)


class Inputs(nn.Module):
    """The means, deviations and principal components of the data, and their use."""

    keypoint_mean: Tensor
    keypoint_deviation: Tensor
    context_mean: Tensor
    context_deviation: Tensor
    pca_mean: Tensor
    pca_components: Tensor

    def __init__(self, joints: int, config: InputConfig) -> None:
        super().__init__()
        if config.pca > 2 * joints:
            raise InputError(f"pca is {config.pca}, at most {2 * joints} for {joints} joints")
        self.config = config
        self.joints = joints
        self.register_buffer("keypoint_mean", torch.zeros(joints, 2))
        self.register_buffer("keypoint_deviation", torch.ones(joints, 2))
        self.register_buffer("context_mean", torch.zeros(config.context_size))
        self.register_buffer("context_deviation", torch.ones(config.context_size))
        self.register_buffer("pca_mean", torch.zeros(2 * joints))
        self.register_buffer("pca_components", torch.eye(2 * joints)[: config.pca])

    def view(self, rays: Tensor, confidence: Tensor) -> View:
        """The frame in which everything below happens."""
        return FRAMES[self.config.frame](rays, confidence)

    def set_statistics(self, view: View) -> None:
        """Means, deviations and principal components from samples with all joints or some."""
        seen = (view.confidence > 0).float()[..., None]
        count = seen.sum(0).clamp(min=1)
        mean = (view.rays * seen).sum(0) / count
        variance = ((view.rays - mean).square() * seen).sum(0) / count
        self.keypoint_mean.copy_(mean)
        self.keypoint_deviation.copy_(variance.sqrt().clamp(min=_SMALLEST_DEVIATION))
        if self.config.context:
            context = self._raw_context(view)
            self.context_mean.copy_(context.mean(0))
            self.context_deviation.copy_(context.std(0).clamp(min=_SMALLEST_DEVIATION))
        if self.config.pca:
            keypoints = self._scaled(view).flatten(1)
            self.pca_mean.copy_(keypoints.mean(0))
            _, _, axes = torch.linalg.svd(keypoints - self.pca_mean, full_matrices=False)
            self.pca_components.copy_(axes[: self.config.pca])

    def of_lifter(self, view: View) -> tuple[Tensor, Tensor]:
        """Features (N, J, channels) and context (N, C) for the lifter.

        Reduced by PCA the keypoints belong to no joint: they stand in the context alone.
        """
        keypoints = self._scaled(view)
        context = keypoints[:, 0, :0]
        if self.config.context:
            context = (self._raw_context(view) - self.context_mean) / self.context_deviation
        if self.config.pca:
            context = torch.cat([self._reduced(keypoints), context], -1)
            keypoints = keypoints[..., :0]
        if self.config.confidence:
            keypoints = torch.cat([keypoints, view.confidence[..., None]], -1)
        return keypoints, context

    def of_regressor(self, feature: str, view: View, residual: Tensor) -> Tensor:
        """Features (N, J, F) of the keypoints, (N, F) after PCA, for a regressor.

        residual  (N, 2, J) rays in the view less the reprojected pose
        """
        weight, unit = view.confidence[:, None], self._scaling(view)[1]
        offset = (residual / unit).clamp(-_LARGEST_RESIDUAL, _LARGEST_RESIDUAL)
        given, offset = (weight * self._scaled(view).mT).mT, (weight * offset).mT
        if self.config.pca:
            reduced = offset.flatten(1) @ self.pca_components.T
            return FEATURES[feature](self._reduced(given), reduced)
        return FEATURES[feature](given, offset)

    def regressor_size(self, feature: str) -> int:
        """How many numbers ``of_regressor`` gives of a person."""
        one = self.config.pca or 2 * self.joints
        return 2 * one if feature == "concat" else one

    def _raw_context(self, view: View) -> Tensor:
        if self.config.smallest_scale:
            view = replace(view, scale=view.scale.clamp(min=self.config.smallest_scale))
        return torch.cat([CONTEXT[name](view) for name in self.config.context], -1)

    def _scaling(self, view: View) -> tuple[Tensor, Tensor]:
        return SCALINGS[self.config.scaling](view, self.keypoint_mean, self.keypoint_deviation)

    def _scaled(self, view: View) -> Tensor:
        centre, unit = self._scaling(view)
        scaled = (view.rays.mT - centre) / unit
        return torch.where(view.confidence[:, None] > 0, scaled, 0.0).mT

    def _reduced(self, keypoints: Tensor) -> Tensor:
        return (keypoints.flatten(1) - self.pca_mean) @ self.pca_components.T
