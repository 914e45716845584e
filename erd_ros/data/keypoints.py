"""What 2D detectors do to keypoints: noise, outliers, joints not seen, joints not known.

The errors are a mixture of a Gaussian and rare large ones, as AbsPoseLifter eq. 8 finds them.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from erd_ros.errors import InputError
from erd_ros.skeleton import H36M17

_INDEX = {name: index for index, name in enumerate(H36M17.joint_names)}
# Parts of the body that are hidden together: by a table, an image edge, the body itself.
_HIDDEN_PARTS = (
    ("left_ankle", "right_ankle"),
    ("left_knee", "left_ankle", "right_knee", "right_ankle"),
    ("left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle", "pelvis"),
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
    ("left_knee", "left_ankle"),
    ("right_knee", "right_ankle"),
    ("left_wrist", "right_wrist"),
    ("neck_nose", "head_top"),
)
# How ``skeleton.conversion_matrix`` builds joints that COCO's and MediaPipe's layouts lack.
_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
_DERIVED = {"pelvis": _HIPS, "thorax": _SHOULDERS, "spine": _HIPS + _SHOULDERS}


@dataclass(frozen=True)
class KeypointConfig:
    """How good the 2D keypoints are. Shares are fractions of samples, sizes of the person.

    A person's size is the root mean square distance of the keypoints from their mean, about 0.5 m.

    clean_share       samples whose keypoints are exact
    noise             largest standard deviation of the Gaussian; uniform from 0
    outlier_share     fraction of the joints of the noisy samples that are far off
    outlier           standard deviation of those
    derived_share     samples with joints derived as from COCO or MediaPipe, head_top missing
    uncertain_share   samples with confidence drawn from 0.3 to 1; 1 otherwise
    hidden_share      samples with joints missing at random or a part of the body hidden
    hidden_joints     largest probability of a joint to be missing in those
    least_seen        a sample keeps at least so many joints, or all
    """

    clean_share: float = 0.35
    noise: float = 0.08
    outlier_share: float = 0.02
    outlier: float = 0.4
    derived_share: float = 0.4
    uncertain_share: float = 0.5
    hidden_share: float = 0.3
    hidden_joints: float = 0.3
    least_seen: int = 6

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value < 0 or (name.endswith("share") and value > 1):
                raise InputError(f"{name} is {value}, expected 0 or more, shares up to 1")


def detect(
    points_in_camera: Tensor, half_image: Tensor, config: KeypointConfig, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Rays (B, J, 2) and confidence (B, J) as a detector might give them.

    points_in_camera  (B, J, 3) metres, z > 0
    half_image        (B, 2) half width and height of the image in normalised image coordinates
    """
    rays = points_in_camera[..., :2] / points_in_camera[..., 2:]
    persons, joints = rays.shape[:2]
    confidence = _confidence(persons, joints, config, generator)
    rays = _noisy(rays, confidence, config, generator)
    seen = ~_hidden(persons, joints, config, generator) & (rays.abs() < half_image[:, None]).all(-1)
    derived = _chosen(persons, config.derived_share, generator)
    rays, confidence, seen = _derive(rays, confidence, seen, derived)
    too_few = seen.sum(1) < config.least_seen
    seen = seen | too_few[:, None]
    return rays, torch.where(seen, confidence, torch.zeros_like(confidence))


def _chosen(persons: int, share: float, generator: Generator) -> Tensor:
    return torch.rand((persons,), generator=generator) < share


def _confidence(persons: int, joints: int, config: KeypointConfig, generator: Generator) -> Tensor:
    uncertain = _chosen(persons, config.uncertain_share, generator)[:, None]
    drawn = 0.3 + 0.7 * torch.rand((persons, joints), generator=generator)
    return torch.where(uncertain, drawn, torch.ones_like(drawn))


def _noisy(
    rays: Tensor, confidence: Tensor, config: KeypointConfig, generator: Generator
) -> Tensor:
    """Rays with noise in proportion to the person's size, more where confidence is low."""
    persons, joints = rays.shape[:2]
    offset = rays - rays.mean(1, keepdim=True)
    size = (offset * offset).sum(-1).mean(1).sqrt()[:, None, None]
    level = config.noise * torch.rand((persons, 1, 1), generator=generator)
    level = level * (1.5 - confidence)[..., None]
    outlier = torch.rand((persons, joints, 1), generator=generator) < config.outlier_share
    level = torch.where(outlier, torch.full_like(level, config.outlier), level)
    clean = _chosen(persons, config.clean_share, generator)[:, None, None]
    level = torch.where(clean, torch.zeros_like(level), level)
    return rays + torch.randn(rays.shape, generator=generator) * level * size


def _hidden(persons: int, joints: int, config: KeypointConfig, generator: Generator) -> Tensor:
    """Joints (B, J) not seen: each by itself in half of the samples concerned, a part in half."""
    probability = config.hidden_joints * torch.rand((persons, 1), generator=generator)
    scattered = torch.rand((persons, joints), generator=generator) < probability
    part = torch.randint(len(_HIDDEN_PARTS), (persons,), generator=generator)
    together = _parts_mask(joints)[part]
    by_part = _chosen(persons, 0.5, generator)[:, None]
    concerned = _chosen(persons, config.hidden_share, generator)[:, None]
    return concerned & torch.where(by_part, together, scattered)


def _parts_mask(joints: int) -> Tensor:
    mask = torch.zeros((len(_HIDDEN_PARTS), joints), dtype=torch.bool)
    for row, part in enumerate(_HIDDEN_PARTS):
        mask[row, [_INDEX[name] for name in part]] = True
    return mask


def _derive(
    rays: Tensor, confidence: Tensor, seen: Tensor, derived: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """In the samples ``derived`` (B,), joints built from others as the estimator builds them."""
    new_rays, new_confidence, new_seen = rays.clone(), confidence.clone(), seen.clone()
    for name, parts in _DERIVED.items():
        index, sources = _INDEX[name], [_INDEX[part] for part in parts]
        new_rays[:, index] = rays[:, sources].mean(1)
        new_confidence[:, index] = confidence[:, sources].amin(1)
        new_seen[:, index] = seen[:, sources].all(1)
    new_seen[:, _INDEX["head_top"]] = False
    return (
        torch.where(derived[:, None, None], new_rays, rays),
        torch.where(derived[:, None], new_confidence, confidence),
        torch.where(derived[:, None], new_seen, seen),
    )
