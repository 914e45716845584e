"""A virtual camera turned towards the person, so that the networks see every person alike.

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
    """Keypoints of N persons in the camera turned towards each.

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

    def normalised(self) -> Tensor:
        """Keypoints (N, J, 2) about the centre in units of the scale, 0 where not seen."""
        offset = (self.rays - self.centre[:, None]) / self.scale[:, None, None]
        return torch.where(self.confidence[..., None] > 0, offset, torch.zeros_like(offset))

    def to_camera(self, points_in_view: Tensor) -> Tensor:
        """Points (N, P, 3) of the view in the camera frame."""
        return points_in_view @ self.rotation_camera_to_view

    def from_camera(self, points_in_camera: Tensor) -> Tensor:
        """Points (N, P, 3) of the camera in the view's frame."""
        return points_in_camera @ self.rotation_camera_to_view.transpose(-1, -2)


def look_at_person(rays: Tensor, confidence: Tensor) -> View:
    """The view of rays (N, J, 2) with confidence (N, J); what stands where it is 0 is ignored."""
    seen = confidence > 0
    confidence = torch.where(seen, confidence, torch.zeros_like(confidence))
    rays = torch.where(seen[..., None], rays, torch.zeros_like(rays))
    share = confidence / confidence.sum(-1, keepdim=True).clamp(min=_SMALLEST_SCALE)
    towards = torch.cat([_mean(rays, share), torch.ones_like(rays[:, 0, :1])], -1)  # (N, 3)
    towards = towards / (towards * towards).sum(-1, keepdim=True).sqrt()
    rotation = _rotation_to_forward(towards)
    homogeneous = torch.cat([rays, torch.ones_like(rays[..., :1])], -1)
    turned = homogeneous @ rotation.transpose(-1, -2)
    rays = turned[..., :2] / turned[..., 2:].clamp(min=_SMALLEST_FORWARD)
    rays = torch.where(seen[..., None], rays, torch.zeros_like(rays))
    centre = _mean(rays, share)
    offset = rays - centre[:, None]
    # Squares of the size that float32 holds well: persons span 0.01 to 1.
    scale = (share * (offset * offset).sum(-1)).sum(-1).sqrt().clamp(min=_SMALLEST_SCALE)
    return View(rays, confidence, rotation, centre, scale, towards[:, :2])


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
