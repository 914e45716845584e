"""The frame in which the networks see a person: a camera turned towards them, or the camera itself.

A pose at the edge of a wide image looks sheared; seen by a camera at the same place that looks at
the person it does not. Turning a camera needs no depth, only its rays. Within the view, keypoints
are normalised by the person's own mean and scale (AbsPoseLifter eqs. 2 to 4), here weighted by
confidence over the joints seen.
"""

from dataclasses import dataclass

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
    rotation_camera_to_view  (N, 3, 3)
    centre                   (N, 2) weighted mean of the rays in the view, near 0
    scale                    (N,) weighted root mean square distance of the rays from the centre
    direction                (N, 2) x and y of the unit vector to the person, in the camera
    """

    rays: Tensor
    confidence: Tensor
    rotation_camera_to_view: Tensor
    centre: Tensor
    scale: Tensor
    direction: Tensor

    def to_camera(self, points_in_view: Tensor) -> Tensor:
        """Points (N, P, 3) of the view in the camera frame."""
        return points_in_view @ self.rotation_camera_to_view

    def from_camera(self, points_in_camera: Tensor) -> Tensor:
        """Points (N, P, 3) of the camera in the view's frame."""
        return points_in_camera @ self.rotation_camera_to_view.transpose(-1, -2)


def look_at_person(rays: Tensor, confidence: Tensor) -> View:
    """The view of rays (N, J, 2) with confidence (N, J); what stands where it is 0 is ignored."""
    rays, confidence, share = _seen(rays, confidence)
    towards = _towards(rays, share)
    rotation = _rotation_to_forward(towards)
    homogeneous = torch.cat([rays, torch.ones_like(rays[..., :1])], -1)
    turned = homogeneous @ rotation.transpose(-1, -2)
    rays = turned[..., :2] / turned[..., 2:].clamp(min=_SMALLEST_FORWARD)
    rays = torch.where(confidence[..., None] > 0, rays, 0.0)
    centre, scale = _centre_and_scale(rays, share)
    return View(rays, confidence, rotation, centre, scale, towards[:, :2])


def look_ahead(rays: Tensor, confidence: Tensor) -> View:
    """The camera itself, as the papers have it: nothing is turned."""
    rays, confidence, share = _seen(rays, confidence)
    rotation = torch.eye(3, dtype=rays.dtype, device=rays.device).expand(rays.shape[0], 3, 3)
    centre, scale = _centre_and_scale(rays, share)
    return View(rays, confidence, rotation, centre, scale, _towards(rays, share)[:, :2])


FRAMES = {"person": look_at_person, "camera": look_ahead}


def _seen(rays: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rays and confidence, 0 where not seen, and each joint's share of the confidence."""
    seen = confidence > 0
    confidence = torch.where(seen, confidence, 0.0)
    rays = torch.where(seen[..., None], rays, 0.0)
    return (
        rays,
        confidence,
        confidence / confidence.sum(-1, keepdim=True).clamp(min=_SMALLEST_SCALE),
    )


def _towards(rays: Tensor, share: Tensor) -> Tensor:
    """Unit vectors (N, 3) along the mean rays."""
    towards = torch.cat([_mean(rays, share), torch.ones_like(rays[:, 0, :1])], -1)
    return towards / (towards * towards).sum(-1, keepdim=True).sqrt()


def _centre_and_scale(rays: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (N, 2) and scale (N,) of the rays (AbsPoseLifter eqs. 3 and 4)."""
    centre = _mean(rays, share)
    offset = rays - centre[:, None]
    # Squares of the size that float32 holds well: persons span 0.01 to 1.
    return centre, (share * (offset * offset).sum(-1)).sum(-1).sqrt().clamp(min=_SMALLEST_SCALE)


def _mean(rays: Tensor, share: Tensor) -> Tensor:
    return (share[..., None] * rays).sum(1)


def _rotation_to_forward(towards: Tensor) -> Tensor:
    """Smallest rotations (N, 3, 3) that bring unit vectors (N, 3), z > 0, onto (0, 0, 1)."""
    a, b, c = towards.unbind(-1)
    k = 1 / (1 + c)
    return torch.stack(
        [
            torch.stack([1 - a * a * k, -a * b * k, -a], -1),
            torch.stack([-a * b * k, 1 - b * b * k, -b], -1),
            torch.stack([a, b, c], -1),
        ],
        -2,
    )
