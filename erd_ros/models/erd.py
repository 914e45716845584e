"""The graph: normalise, lift, then descend along reprojection residuals (ERD paper 3).

Training, export and the PyTorch backend run this one module; nobody writes the loop again.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor, nn

from erd_ros.errors import InputError
from erd_ros.geometry.root import ROOT_SOLVERS, root_from_depth
from erd_ros.models.config import ModelConfig
from erd_ros.models.inputs import Inputs
from erd_ros.models.known import Known, Prior, no_cues
from erd_ros.models.lifters import LIFTERS
from erd_ros.models.linear import LifterShape, ResidualRegressor
from erd_ros.models.posed import Keypoints
from erd_ros.models.size import SizeAndDepth
from erd_ros.models.sizing import Sized, Sizing, size_of
from erd_ros.models.view import View
from erd_ros.skeleton import Skeleton

# Reprojection divides by depth; the bound keeps poses that pass through the camera finite.
_SMALLEST_DEPTH = 0.1
# The root does not deviate from itself.
_SMALLEST_DEVIATION = 1e-3


@dataclass(frozen=True, eq=False)
class Estimate:
    """A pose after one step: joints (N, J, 3) relative to the root, root (N, 3); metres.

    sized  the person's size and the variances, of models whose root comes from cues
    """

    joints: Tensor
    root: Tensor
    sized: Sized | None = None


@dataclass(frozen=True, eq=False)
class Lifted:
    """What the lifter says, in the view's frame, metres.

    poses   (N, R, J, 3) joints relative to each of the R joints of ``ModelConfig.relative_to``
    joints  (N, J, 3) relative to the root: the mean of the poses
    depth   (N,) of the root, canonical (AbsPoseLifter 3.1); of use where it was trained
    prior   of the person's size; of use where the root comes from cues: poses are in sizes then
    """

    poses: Tensor
    joints: Tensor
    depth: Tensor
    prior: Prior


class ErdModel(nn.Module):
    """Rays (N, J, 2) and confidence (N, J) to poses in the camera frame.

    The buffers hold the mean and the deviation of poses and of increments, metres; training sets
    them from its data. Rays are pixels of a camera of focal length 1, so that depths are canonical
    as they stand. Raises InputError for joints that the skeleton lacks.
    """

    pose_mean: Tensor
    pose_deviation: Tensor
    increment_deviation: Tensor
    not_itself: Tensor

    def __init__(self, skeleton: Skeleton, config: ModelConfig) -> None:
        super().__init__()
        joints, names = len(skeleton), skeleton.joint_names
        unknown = [name for name in config.relative_to if name not in names]
        if unknown:
            raise InputError(f"unknown joint '{unknown[0]}'; choose one of {', '.join(names)}")
        self.config = config
        self.skeleton = skeleton
        # Training may compute the networks, never the geometry, in lower precision.
        self.in_networks: Callable[[], AbstractContextManager[object]] = nullcontext
        self.relative_to = [names.index(name) for name in config.relative_to]
        if self.relative_to[0] != 0:
            raise InputError(
                f"relative_to begins with {config.relative_to[0]}, expected {names[0]}"
            )
        self.inputs = Inputs(joints, config.inputs)
        self.lifter = LIFTERS[config.lifter](self.lifter_shape(), config.lifter_size)
        features = self.inputs.regressor_size(config.feature) + 2 * (config.root == "cues")
        self.regressors = nn.ModuleList(
            ResidualRegressor(features, joints, config.regressor_size) for _ in range(config.steps)
        )
        sizings = config.steps + 1 if config.root == "cues" else 0
        self.sizings = nn.ModuleList(Sizing(skeleton) for _ in range(sizings))
        self.register_buffer("pose_mean", torch.zeros(len(self.relative_to), joints, 3))
        self.register_buffer("pose_deviation", torch.ones(len(self.relative_to), joints, 3))
        self.register_buffer("increment_deviation", torch.full((joints, 3), 0.05))
        not_itself = 1 - torch.eye(joints)[self.relative_to][..., None]
        self.register_buffer("not_itself", not_itself, persistent=False)

    def lifter_shape(self) -> LifterShape:
        """What goes into the lifter, and what comes out."""
        inputs = self.config.inputs
        return LifterShape(
            self.skeleton.parents,
            channels=(0 if inputs.pca else 2) + inputs.confidence,
            context=inputs.pca + inputs.context_size,
            outputs=3 * len(self.relative_to),
        )

    def set_statistics(
        self, rays: Tensor, confidence: Tensor, joints: Tensor, root: Tensor
    ) -> None:
        """Set means and deviations from samples: joints (N, J, 3), root (N, 3) in the camera."""
        view = self.inputs.view(rays, confidence)
        self.inputs.set_statistics(view)
        poses = self.relative_poses(view, joints)
        # A joint relative to itself says nothing: the root's place holds its depth, and the
        # logarithms of the size and of its deviation.
        poses[:, 0, 0, 2] = view.from_camera(root[:, None])[:, 0, 2]
        if self.sizings:
            poses[:, 0, 0, 0] = size_of(joints, self.skeleton).log()
        self.pose_mean.copy_(poses.mean(0))
        self.pose_deviation.copy_(poses.std(0).clamp(min=_SMALLEST_DEVIATION))
        if self.sizings:
            self.pose_mean[0, 0, 1] = self.pose_deviation[0, 0, 0].log()
            self.pose_deviation[0, 0, 1] = 1

    def relative_poses(self, view: View, joints_in_camera: Tensor) -> Tensor:
        """Poses (N, R, J, 3) in the view, relative to each joint of ``relative_to``.

        In metres, or in sizes where the root comes from cues.
        """
        joints = view.from_camera(joints_in_camera)
        if self.sizings:
            joints = joints / size_of(joints, self.skeleton)[:, None, None]
        return joints[:, None] - joints[:, self.relative_to][:, :, None]

    def with_steps(self, steps: int) -> "ErdModel":
        """A model of the first ``steps`` regressors, with the same weights; steps <= K."""
        model = ErdModel(self.skeleton, replace(self.config, steps=steps))
        kept = model.state_dict().keys()
        model.load_state_dict({k: v for k, v in self.state_dict().items() if k in kept})
        return model.eval()

    def forward(
        self, rays: Tensor, confidence: Tensor, cues: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Joints (N, J, 3), root (N, 3) and residual (N, J) after the last step.

        Where the root comes from cues: then size (N, 4) with its deviation, and the same of what
        this image measures, without the lifter's guess and the cue of the size; and sigma (N,), the
        deviation of the root along the ray; metres.
        """
        *_, last = self.trajectory(rays, confidence, cues=cues)
        return last.joints, last.root, *what_is_sure(last, rays, confidence)

    def trajectory(
        self,
        rays: Tensor,
        confidence: Tensor,
        steps: int | None = None,
        root: Tensor | None = None,
        cues: Tensor | None = None,
    ) -> list[Estimate]:
        """Every step's estimate in the camera frame; the first is the lifter's alone.

        steps   stop after so many regressors; all where not given
        root    (N, 3) the true root in the camera, for models whose root is "given"
        cues    (N, C) what else is known (``cues.py``), for models whose root is "cues"
        Whatever stands in ``rays`` where confidence is 0, NaN included, has no influence.
        Raises InputError when a model needs the true root and there is none.
        """
        if self.config.root == "given" and root is None:
            raise InputError("this model was trained with the true root; give it, or train another")
        view = self.inputs.view(rays, confidence)
        given = None if root is None else view.from_camera(root[:, None]).squeeze(1)
        wanted = None if steps is None else steps + 1
        return [
            Estimate(
                view.to_camera(one.joints), view.to_camera(one.root[:, None]).squeeze(1), one.sized
            )
            for one in islice(self._descend(view, given, cues), wanted)
        ]

    def lift(self, view: View) -> Lifted:
        """The lifter's poses, before any root is solved."""
        features, context = self.inputs.of_lifter(view)
        with self.in_networks():
            pose = self.lifter(features, context).float()
        # (N, R, 3, J): one row per coordinate, so that a runtime goes through joints at a stretch.
        roots = len(self.relative_to)
        several = pose.mT.unflatten(1, (roots, 3))
        poses = several * self.pose_deviation.mT + self.pose_mean.mT
        log_size, log_deviation, depth = poses[:, 0, :, 0].unbind(-1)
        poses = poses * self.not_itself.mT
        # A sum: ONNX's mean has an axis that opset 17 writes otherwise than the exporter does.
        joints = (poses - poses[..., :1]).sum(1) / roots if roots > 1 else poses[:, 0]
        return Lifted(poses.mT, joints.mT, depth, Prior.of(log_size, log_deviation))

    def _descend(self, view: View, given: Tensor | None, cues: Tensor | None) -> Iterator[Estimate]:
        """Every step's estimate in the view's frame (ERD paper eqs. 2 to 5)."""
        lifted = self.lift(view)
        pose = lifted.joints
        if self.sizings:
            cues = no_cues(pose.shape[0], pose) if cues is None else cues
            keypoints = Keypoints.of(view).agreeing(pose)
            known = Known.of(keypoints, lifted.prior, cues)
            estimate = self._sized(0, known, pose)
        else:
            estimate = self._metric(view, lifted, pose, given)
        yield estimate
        for step, regressor in enumerate(self.regressors, start=1):
            features, context = self._features(view, estimate)
            with self.in_networks():
                increment = regressor(features, context, self.increment_deviation).float()
            pose = pose + increment
            if not self.config.root_every_step:
                estimate = replace(estimate, joints=pose)
            elif estimate.sized is not None:
                estimate = self._sized(step, known, pose, estimate.sized.solved)
            else:
                estimate = self._metric(view, lifted, pose, given)
            yield estimate

    def _features(self, view: View, estimate: Estimate) -> tuple[Tensor, Tensor]:
        """What a regressor reads: of the keypoints, and of the person as a whole."""
        sized = estimate.sized
        if sized is None:
            residual = view.rays.mT - _project(estimate.joints, estimate.root).mT
            features = self.inputs.of_regressor(self.config.feature, view, residual)
            return features, view.direction[:, :0]
        features = self.inputs.of_regressor(self.config.feature, view, sized.residual)
        return features, _certainty(sized)

    def _metric(self, view: View, lifted: Lifted, pose: Tensor, given: Tensor | None) -> Estimate:
        """A pose in metres with the root that fits it, or with the given one."""
        if self.config.root == "given":
            assert given is not None  # trajectory sees to it
            return Estimate(pose, given)
        if self.config.root == "learned":
            return Estimate(pose, torch.stack(root_from_depth(view.rays[:, 0], lifted.depth), -1))
        solver = ROOT_SOLVERS[self.config.root]
        return Estimate(pose, torch.stack(solver(view.rays, pose, view.confidence), -1))

    def _sized(
        self, step: int, known: Known, pose: Tensor, before: SizeAndDepth | None = None
    ) -> Estimate:
        """A pose in sizes brought to metres, and its root."""
        sized: Sized = self.sizings[step](known, pose, before)
        return Estimate(sized.joints, sized.root, sized)


def what_is_sure(estimate: Estimate, rays: Tensor, confidence: Tensor) -> tuple[Tensor, ...]:
    """Residual (N, J); size (N, 4) and sigma (N,) where the estimate has them."""
    residual = reprojection_error(estimate, rays, confidence)
    if estimate.sized is None:
        return (residual,)
    sized = estimate.sized
    sizes = [sized.solved.solution[:, 0], sized.solved.variances[:, 0].sqrt(), *sized.own_size()]
    return residual, torch.cat(sizes, -1), sized.depth_variance.sqrt()


def reprojection_error(estimate: Estimate, rays: Tensor, confidence: Tensor) -> Tensor:
    """Distance (N, J) in normalised image coordinates; 0 where a joint was not seen."""
    seen = confidence > 0
    given = torch.where(seen[:, None], rays.mT, 0.0)
    offset = given - _project(estimate.joints, estimate.root).mT
    # sqrt has no slope at 0; nothing is trained through here, and inference does not mind.
    distance = (offset * offset).sum(1).sqrt()
    return torch.where(seen, distance, 0.0)


def _project(joints: Tensor, root: Tensor) -> Tensor:
    """Perspective projection (N, J, 2), ERD paper eq. 5, in normalised image coordinates."""
    points = joints.mT + root[..., None]
    return (points[:, :2] / points[:, 2:].clamp(min=_SMALLEST_DEPTH)).mT


def _certainty(sized: Sized) -> Tensor:
    """Logarithms (N, 2) of the relative deviations of size and depth, about 1 in magnitude."""
    variances = sized.solved.variances[:, :2] / (sized.within * sized.within)
    return (variances.log() / 2 + 3).squeeze(-1)
