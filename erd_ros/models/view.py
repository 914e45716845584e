"""The frame in which the networks see a person: a camera turned towards them, or the camera itself.

A pose at the edge of a wide image looks sheared; seen by a camera at the same place that looks at
the person it does not. Turning a camera needs no depth, only its rays. Within the view, keypoints
are normalised by the person's own mean and scale (AbsPoseLifter eqs. 2 to 4), here weighted by
confidence over the joints seen.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

# Rays are divided by their third component after turning. A person who spans more than 84 degrees
# either side of the mean ray does not occur; the bound keeps corrupt input finite.
_SMALLEST_FORWARD = 0.1
_SMALLEST_SCALE = 1e-6


@dataclass(frozen=True, eq=False)
class View:
    """Keypoints of N persons in the frame in which the networks see each.

    rays                     (N, J, 2) normalised image coordinates, 0 where not seen
    confidence               (N, J), 0 = not seen
    share                    (N, 1, J) of each joint in the confidence of all
    rotation_camera_to_view  (N, 3, 3)
    centre                   (N, 2) weighted mean of the rays in the view, near 0
    scale                    (N,) weighted root mean square distance of the rays from the centre
    direction                (N, 2) x and y of the unit vector to the person, in the camera
    """

    rays: Tensor
    confidence: Tensor
    share: Tensor
    rotation_camera_to_view: Tensor
    centre: Tensor
    scale: Tensor
    direction: Tensor

    def to_camera(self, points_in_view: Tensor) -> Tensor:
        """Points (N, P, 3) of the view in the camera frame."""
        return (self.rotation_camera_to_view.mT @ points_in_view.mT).mT

    def from_camera(self, points_in_camera: Tensor) -> Tensor:
        """Points (N, P, 3) of the camera in the view's frame."""
        return (self.rotation_camera_to_view @ points_in_camera.mT).mT

    def weighted(self, weight: Tensor) -> "View":
        """The same with each joint's confidence times its weight (N, 1, J), above 0."""
        confidence = self.confidence[:, None] * weight
        share = _shares(confidence)
        centre, scale = _centre_and_scale(self.rays.mT, share)
        return replace(
            self, confidence=confidence.squeeze(1), share=share, centre=centre, scale=scale
        )


def look_at_person(rays: Tensor, confidence: Tensor) -> View:
    """The view of rays (N, J, 2) with confidence (N, J); what stands where it is 0 is ignored."""
    points, confidence, share = _seen(rays, confidence)
    towards = _towards(points, share)
    rotation = _rotation_to_forward(towards)
    turned = rotation[..., :2] @ points + rotation[..., 2:]
    points = turned[:, :2] / turned[:, 2:].clamp(min=_SMALLEST_FORWARD)
    points = torch.where(confidence[:, None] > 0, points, 0.0)
    centre, scale = _centre_and_scale(points, share)
    return View(points.mT, confidence, share, rotation, centre, scale, towards[:, :2].squeeze(-1))


def look_ahead(rays: Tensor, confidence: Tensor) -> View:
    """The camera itself, as the papers have it: nothing is turned."""
    points, confidence, share = _seen(rays, confidence)
    rotation = torch.eye(3, dtype=rays.dtype, device=rays.device).expand(rays.shape[0], 3, 3)
    centre, scale = _centre_and_scale(points, share)
    direction = _towards(points, share)[:, :2].squeeze(-1)
    return View(points.mT, confidence, share, rotation, centre, scale, direction)


FRAMES = {"person": look_at_person, "camera": look_ahead}


def _seen(rays: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rays (N, 2, J) and confidence (N, J), 0 where not seen, and each joint's share (N, 1, J).

    One row per coordinate: so a runtime goes through all joints at a stretch.
    """
    seen = confidence > 0
    confidence = torch.where(seen, confidence, 0.0)
    share = _shares(confidence)
    return torch.where(seen[:, None], rays.mT, 0.0), confidence, share[:, None]


def _shares(confidence: Tensor) -> Tensor:
    return confidence / confidence.sum(-1, keepdim=True).clamp(min=_SMALLEST_SCALE)


def _towards(points: Tensor, share: Tensor) -> Tensor:
    """Unit vectors (N, 3, 1) along the mean rays."""
    mean = _mean(points, share)
    forward = 1 / ((mean * mean).sum(1, keepdim=True) + 1).sqrt()
    return torch.cat([mean * forward, forward], 1)


def _centre_and_scale(points: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (N, 2) and scale (N,) of the rays (AbsPoseLifter eqs. 3 and 4)."""
    centre = _mean(points, share)
    offset = points - centre
    # Squares of the size that float32 holds well: persons span 0.01 to 1.
    scale = ((offset * share) * offset).sum((1, 2)).sqrt().clamp(min=_SMALLEST_SCALE)
    return centre.squeeze(-1), scale


def _mean(points: Tensor, share: Tensor) -> Tensor:
    return (share * points).sum(-1, keepdim=True)


def _rotation_to_forward(towards: Tensor) -> Tensor:
    """Smallest rotations (N, 3, 3) that bring unit vectors (N, 3, 1), z > 0, onto (0, 0, 1)."""
    across = towards[:, :2]
    flat = torch.eye(2, dtype=towards.dtype, device=towards.device)
    turned = flat - across * across.mT / (1 + towards[:, 2:])
    return torch.cat([torch.cat([turned, -across], -1), towards.mT], 1)
