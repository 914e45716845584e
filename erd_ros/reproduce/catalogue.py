"""The runs that tables share: every lifter is trained once, whatever refines it."""

from collections.abc import Sequence

from erd_ros.reproduce.runs import Run

# The ERD paper trains with detections where it tests with them, and with exact keypoints else.
DETECTORS = {"gt2d": "exact", "det2d": "simulated"}
ROOTS = {"given": "given", "perspective": "estimated"}
# Figure 3 of the ERD paper goes beyond the four regressors of its tables.
_FIGURE_3_STEPS = 6
PCA = 30
MANY_ROOTS = (
    "pelvis", "thorax", "head_top", "left_wrist", "right_wrist", "left_ankle", "right_ankle",
)  # fmt: skip
# Draws once as many detections as the training data have frames.
FIXED_SAMPLES = 175_000


def lifter_run(lifter: str, trained_on: str, name: str = "", more: Sequence[str] = ()) -> Run:
    """A lifter alone, trained on "gt2d" or "det2d"."""
    overrides = (_detector(trained_on), "model.steps=0", *more)
    return Run(f"{lifter}-{trained_on}{name}", f"{lifter}.yaml", overrides)


def erd_run(lifter: str, trained_on: str, root: str, feature: str = "residual") -> Run:
    """ERD on a lifter of its own; of the linear one as many regressors as figure 3 has."""
    more = [f"model.root={root}", f"model.feature={feature}"]
    if lifter == "linear" and feature == "residual":
        more.append(f"model.steps={_FIGURE_3_STEPS}")
    name = f"{lifter}-{trained_on}-erd-{root}" + ("" if feature == "residual" else f"-{feature}")
    return Run(
        name, f"{lifter}.yaml", (_detector(trained_on), *more), lifter_run(lifter, trained_on)
    )


def pca_run(trained_on: str) -> Run:
    """ERD with given root, keypoints and features reduced to their principal components."""
    pca = f"model.inputs.pca={PCA}"
    lifter = lifter_run("linear", trained_on, f"-pca{PCA}", [pca])
    overrides = (_detector(trained_on), pca, "model.root=given")
    return Run(f"linear-{trained_on}-pca{PCA}-erd-given", "linear.yaml", overrides, lifter)


def joint_run() -> Run:
    """The lifter and its regressors trained together."""
    return Run(
        "linear-gt2d-joint",
        "linear.yaml",
        (_detector("gt2d"), "schedule=joint", "model.root=given"),
    )


def root_once_run() -> Run:
    """ERD with the root that fits the lifter's pose, kept through all steps."""
    overrides = (_detector("gt2d"), "model.root=perspective", "model.root_every_step=false")
    return Run("linear-gt2d-erd-root-once", "linear.yaml", overrides, lifter_run("linear", "gt2d"))


def many_roots_run() -> Run:
    """ERD with given root on a lifter of positions relative to several joints, averaged."""
    relative = f"model.relative_to=[{', '.join(MANY_ROOTS)}]"
    lifter = lifter_run("linear", "gt2d", "-many-roots", [relative])
    overrides = (_detector("gt2d"), relative, "model.root=given")
    return Run("linear-gt2d-many-roots-erd-given", "linear.yaml", overrides, lifter)


def abspose_run(context: Sequence[str]) -> Run:
    """AbsPoseLifter on exact keypoints, told the person's location, scale, both or neither."""
    overrides = (_detector("gt2d"), f"model.inputs.context=[{', '.join(context)}]")
    return Run("-".join(["abspose", "gt2d", *context]), "abspose.yaml", overrides)


def abspose_fixed_run() -> Run:
    """AbsPoseLifter on detections that were made once."""
    overrides = (_detector("det2d"), f"simulation.fixed_samples={FIXED_SAMPLES}")
    return Run("abspose-det2d-fixed", "abspose.yaml", overrides)


def abspose_error_run(kind: str) -> Run:
    """AbsPoseLifter on errors drawn from a model of them, "mixture" or "gaussian"."""
    return Run(f"abspose-{kind}", "abspose.yaml", error_model=f"{kind}.json")


def _detector(trained_on: str) -> str:
    return f"simulation.detector={DETECTORS[trained_on]}"
