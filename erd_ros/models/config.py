"""What a model is made of."""

from dataclasses import dataclass, field

from erd_ros.artifact import MOST_STEPS
from erd_ros.errors import InputError
from erd_ros.models.inputs import FEATURES, InputConfig, check_choice
from erd_ros.models.lifters import LIFTERS
from erd_ros.models.linear import LifterConfig, RegressorConfig

ROOTS = {
    "given": "the true root is an input, in training and evaluation (ERD paper, GTRoot)",
    "perspective": "least squares of the perspective projection (ERD paper 3.3, EstRoot)",
    "weak_perspective": "closed form of the weak-perspective projection (Mehta et al. 2017)",
    "cues": "size and root together, of poses in sizes: keypoints, the lifter's guess of the size "
    "and what else a robot knows (cues.py)",
    "learned": "canonical depth from the lifter (AbsPoseLifter eqs. 5 and 6)",
}
# Lifters that read a vector rather than features of joints: what PCA leaves.
VECTOR_LIFTERS = ("linear", "abspose")


@dataclass(frozen=True)
class ModelConfig:
    """Which lifter, and what refines its pose.

    inputs           what the networks read
    lifter           name in ``LIFTERS``
    relative_to      joints that the lifter gives positions relative to, averaged (Park et al.
                     2016); the skeleton's root alone is the usual lifter
    steps            residual regressors
    feature          what a regressor reads, name in ``FEATURES`` (ERD paper table 2)
    root             how the root is found, name in ``ROOTS``
    root_every_step  solve the root again after every step, or keep the lifter's
    Raises InputError that lists the choices for an unknown name.
    """

    inputs: InputConfig = field(default_factory=InputConfig)
    lifter: str = "linear"
    lifter_size: LifterConfig = field(default_factory=LifterConfig)
    relative_to: tuple[str, ...] = ("pelvis",)
    steps: int = 4
    feature: str = "residual"
    root: str = "perspective"
    root_every_step: bool = True
    regressor_size: RegressorConfig = field(default_factory=RegressorConfig)

    def __post_init__(self) -> None:
        check_choice("lifter", self.lifter, LIFTERS)
        check_choice("feature", self.feature, FEATURES)
        check_choice("root", self.root, ROOTS)
        if not 0 <= self.steps <= MOST_STEPS:
            raise InputError(f"steps is {self.steps}, expected 0 to {MOST_STEPS}")
        if not self.relative_to:
            raise InputError("relative_to is empty; name one joint or more, such as pelvis")
        if self.inputs.pca and self.lifter not in VECTOR_LIFTERS:
            raise InputError(
                f"lifter '{self.lifter}' reads joints, which pca {self.inputs.pca} dissolves; "
                f"choose pca 0 or one of {', '.join(VECTOR_LIFTERS)}"
            )
