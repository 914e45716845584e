"""What all backends share: what they say of themselves, and the checks around the graph."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from numpy.typing import ArrayLike

from erd_ros.artifact import Artifact
from erd_ros.cues import CUES
from erd_ros.errors import ArtifactError
from erd_ros.golden import Golden
from erd_ros.pose import FloatArray
from erd_ros.runtime import PoseOutputs, check_cues, check_inputs, empty_outputs
from erd_ros.runtime.self_test import SelfTest

INPUTS = ("rays", "confidence", "cues")  # the last of models that take them
OUTPUTS = ("joints", "root", "residual", "size", "sigma")  # the last two likewise


class GraphBackend(ABC):
    """See ``erd_ros.runtime.Backend``; a kind of backend says how the graph is executed."""

    name: str

    def __init__(
        self, info: Artifact, device: str, sha256: str, takes_cues: bool, golden: Golden | None
    ) -> None:
        self.info = info
        self.device = device
        self.precision = info.precision
        self.sha256 = sha256
        self.takes_cues = takes_cues
        self.golden = golden
        self.self_test: SelfTest | None = None
        self.fallbacks: tuple[str, ...] = ()

    def __call__(
        self, rays: ArrayLike, confidence: ArrayLike, cues: ArrayLike | None = None
    ) -> PoseOutputs:
        """Poses of N persons; see ``Backend``. Raises BackendError when the execution fails."""
        joints = len(self.info.skeleton)
        rays, confidence = check_inputs(rays, confidence, joints)
        more = check_cues(cues, len(rays), self.takes_cues)
        if not len(rays):
            return empty_outputs(joints, self.takes_cues)
        return PoseOutputs(*self._run((rays, confidence, *more)))

    @abstractmethod
    def _run(self, inputs: tuple[FloatArray, ...]) -> Sequence[FloatArray]:
        """Outputs of one person or more, in the order of ``OUTPUTS``; inputs in that of INPUTS."""


def input_names(takes_cues: bool) -> tuple[str, ...]:
    """Inputs of the graph, in their order."""
    return INPUTS if takes_cues else INPUTS[:2]


def output_names(takes_cues: bool) -> tuple[str, ...]:
    """Outputs of the graph, in their order."""
    return OUTPUTS if takes_cues else OUTPUTS[:3]


def check_graph(
    inputs: dict[str, list[int]], outputs: Sequence[str], joints: int, source: str
) -> bool:
    """Whether a graph takes cues. Raises ArtifactError when it does not fit its description.

    inputs  name to shape, without the number of persons
    """
    takes_cues = "cues" in inputs
    shapes = dict(zip(INPUTS, ([joints, 2], [joints], [len(CUES)]), strict=True))
    expected = {name: shapes[name] for name in input_names(takes_cues)}
    wanted = output_names(takes_cues)
    if inputs != expected or not set(outputs).issuperset(wanted):
        raise ArtifactError(
            f"{source}: its graph takes {inputs} and gives {sorted(outputs)}, but its description "
            f"of {joints} joints needs {expected} and {sorted(wanted)}; "
            "export it again with `erd export`"
        )
    return takes_cues
