"""What a loss costs: the same persons and keypoints with and without it.

A share of the protocol's poses has hidden legs, but other poses than those without; only pairs
say what it costs that they are hidden.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from erd_ros.evaluate.robot_keypoints import whole_body
from erd_ros.evaluate.robot_views import LARGEST_ROLL, RobotViews
from erd_ros.evaluate.scenes import Scene
from erd_ros.evaluate.steps import StepModel
from erd_ros.metrics import joint_errors_mm
from erd_ros.skeleton import H36M17

Array = NDArray[np.float64]
_RANDOM_JOINTS = 6
_LEGS = [H36M17.index(f"{side}_{part}") for side in ("left", "right") for part in ("knee", "ankle")]


@dataclass(frozen=True, eq=False)
class Loss:
    """The same F persons before and after."""

    before: Scene
    after: Scene


def losses(views: RobotViews, generator: Generator) -> dict[str, Loss]:
    """Losses by name, of the persons who are wholly in the image, Human3.6M's layout."""
    whole = views.chosen(views.in_image().all(1))
    rays, confidence = whole_body(whole, generator)
    root = whole.points_in_camera[:, 0]
    full = Scene(rays, confidence, whole.points_in_camera - root[:, None], root)
    level = _rolled(full, -whole.roll)
    side = np.where(generator.random(len(whole)) < 0.5, -LARGEST_ROLL, LARGEST_ROLL)
    return {
        "knees and ankles unseen": Loss(full, _without(full, _columns(len(whole), _LEGS))),
        f"{_RANDOM_JOINTS} of {len(H36M17)} joints unseen": Loss(
            full, _without(full, _at_random(len(whole), generator))
        ),
        f"camera rolled by {LARGEST_ROLL:g} degrees": Loss(level, _rolled(level, side)),
    }


def cost(model: StepModel, loss: Loss) -> dict[str, float]:
    """MPJPE, after the last step, of the joints that are seen after the loss; both in mm."""
    counted = loss.after.confidence > 0
    before, after = (
        float(_of_last_step(model, scene)[counted].mean()) for scene in (loss.before, loss.after)
    )
    return {
        "poses": float(len(counted)),
        "before_mm": before,
        "after_mm": after,
        "grows_percent": 100 * (after / before - 1),
    }


def _of_last_step(model: StepModel, scene: Scene) -> Array:
    joints, _ = model(scene.rays, scene.confidence)[-1]
    return joint_errors_mm(joints, scene.joints)


def _without(scene: Scene, hidden: NDArray[np.bool_]) -> Scene:
    confidence = np.where(hidden, np.float32(0), scene.confidence)
    return Scene(scene.rays, confidence, scene.joints, scene.root)


def _columns(persons: int, joints: list[int]) -> NDArray[np.bool_]:
    return np.broadcast_to(np.isin(np.arange(len(H36M17)), joints), (persons, len(H36M17)))


def _at_random(persons: int, generator: Generator) -> NDArray[np.bool_]:
    order = generator.random((persons, len(H36M17))).argsort(1)
    return np.asarray(order < _RANDOM_JOINTS)


def _rolled(scene: Scene, degrees: Array) -> Scene:
    """The scene turned about the optical axis by (F,) angles."""
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], 1)  # (F, 2, 2)
    rays = np.einsum("fab,fjb->fja", turn, scene.rays).astype(np.float32)
    joints, root = scene.joints.copy(), scene.root.copy()
    joints[..., :2] = np.einsum("fab,fjb->fja", turn, scene.joints[..., :2])
    root[:, :2] = np.einsum("fab,fb->fa", turn, scene.root[:, :2])
    return Scene(rays, scene.confidence, joints, root)
