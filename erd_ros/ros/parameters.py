"""The node's parameters: one table, from which come declaration, checks, YAML and documentation.

``python -m erd_ros.ros.parameters`` prints the table of README, with ``--yaml`` the contents of
config/erd_node.yaml.
"""

import sys
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from erd_ros.errors import InputError
from erd_ros.runtime.detectors import DETECTORS

# The smallest and the tallest that may be told.
PERSON_HEIGHTS_M = (0.5, 2.5)
Value = bool | int | float | str
IMAGE_INPUTS = ("image", "compressed_image")
INPUTS = (*IMAGE_INPUTS, "keypoints", "hri_skeleton2d", "yolo", "zed")

# When a change takes effect: in the next frame, when the node is configured the next time, never.
AT_ONCE, AT_CONFIGURE, NEVER = "at once", "at configure", "never"


class Limits(NamedTuple):
    """What a parameter may be: within minimum..maximum, or one of the choices; () = anything."""

    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def text(self) -> str:
        """The range in words, empty when there is none."""
        if self.choices:
            return ", ".join(self.choices)
        return "" if self.minimum is None else f"{self.minimum:g} to {self.maximum:g}"


_UNLIMITED = Limits()


def _fixed(default: Value, description: str, limits: Limits = _UNLIMITED) -> Any:
    return _field(default, description, limits, AT_CONFIGURE)


def _live(default: Value, description: str, limits: Limits = _UNLIMITED) -> Any:
    return _field(default, description, limits, AT_ONCE)


def _field(default: Value, description: str, limits: Limits, changes: str) -> Any:
    metadata = {"description": description, "limits": limits, "changes": changes}
    return field(default=default, metadata=metadata)


def _in_unit(unit: str, minimum: float, maximum: float) -> Limits:
    return Limits(unit, minimum, maximum)


@dataclass(frozen=True)
class NodeParameters:
    """Values of every parameter. Raises InputError that names parameter, value and bound."""

    input: str = _fixed(
        "image",
        "what the node listens to: images for its detector, or the keypoints of another node",
        Limits(choices=INPUTS),
    )
    model: str = _fixed("", "path of the model file; empty = the one in the package")
    device: str = _fixed(
        "cpu", "where the graph of the model runs", Limits(choices=("cpu", "cuda"))
    )
    allow_fallback: bool = _fixed(
        False,
        "run the model with the next backend, on the CPU in the end, where the first cannot be had "
        "or fails its self-test; false = do not start",
    )
    threads: int = _fixed(1, "threads of the model's backend", _in_unit("", 1, 64))
    detector: str = _fixed("mediapipe", "2D detector, for images", Limits(choices=tuple(DETECTORS)))
    autostart: bool = _field(
        True,
        "configure and activate at start; false = wait to be told by lifecycle transitions",
        _UNLIMITED,
        NEVER,
    )
    end_with_parent: bool = _field(
        False,
        "end when the process is gone that started the node, even if it was killed (Linux); the "
        "launch file sets it, so that a launch that is started again finds no second node",
        _UNLIMITED,
        NEVER,
    )
    min_keypoints: int = _live(
        5, "keypoints that a person must have to be placed in space", _in_unit("", 2, 100)
    )
    min_confidence: float = _live(
        0.3, "keypoints below this score count as not seen", _in_unit("", 0.0, 1.0)
    )
    image_margin: float = _live(
        0.1,
        "keypoints farther outside the image than this part of its longer side count as not seen",
        _in_unit("", 0.0, 1.0),
    )
    max_persons: int = _live(
        100,
        "persons of one image that are used, the surest; 100 are tracked in 5 to 8 ms on one "
        "core, and few images hold as many who are large enough",
        _in_unit("", 1, 300),
    )
    track_gate: float = _live(
        0.3,
        "how far a person may be from where the track expects it and keep the id, in sizes of the "
        "person on the image",
        _in_unit("", 0.0, 10.0),
    )
    track_speed: float = _live(
        1.0,
        "how much farther for each second unseen, in sizes of the person",
        _in_unit("1/s", 0.0, 100.0),
    )
    prediction_timeout: float = _live(
        1.0,
        "a person who is not seen is predicted for this long, then ended and forgotten",
        _in_unit("s", 0.0, 60.0),
    )
    smoothing_lag: float = _live(
        0.1, "positions lag by smoothing at most this long; 0 = no smoothing", _in_unit("s", 0.0, 2)
    )
    smoothing_offset: float = _live(
        0.03,
        "a point in steady motion lags by smoothing at most this far",
        _in_unit("m", 0.001, 1.0),
    )
    predict_to_publication: bool = _live(
        False,
        "move people in `~/people` on to the time of publication, by their velocity; the message "
        "says by how many seconds. Markers, poses and TF stay as of the stamp",
    )
    stale_timeout: float = _fixed(
        1.0, "without usable input for this long `~/people` says so", _in_unit("s", 0.05, 60.0)
    )
    input_is_rectified: bool = _fixed(
        False, "the image is rectified: use P of the CameraInfo and no distortion, instead of K, D"
    )
    scale_camera_info: bool = _live(
        False,
        "an image of another size than its CameraInfo is that image scaled; else it is refused",
    )
    target_frame: str = _fixed(
        "", "frame of the output, by TF at the stamp of the image; empty = that of the input"
    )
    ground_frame: str = _fixed(
        "",
        "frame whose z points up from the ground, by TF: a cue for size and distance; empty = no",
    )
    tf_timeout: float = _live(
        0.1, "wait for a transform at most this long", _in_unit("s", 0.0, 2.0)
    )
    camera_height_deviation: float = _live(
        0.02, "how well TF knows the camera's height above ground", _in_unit("m", 0.001, 1.0)
    )
    camera_tilt_deviation: float = _live(
        0.005, "how well TF knows which way is up", _in_unit("rad", 0.0, 0.5)
    )
    use_depth: bool = _fixed(
        False, "take the depth of each pelvis from `depth_image`, registered to the camera"
    )
    depth_deviation: float = _live(
        0.05, "how well a depth tells that of the pelvis", _in_unit("m", 0.001, 1.0)
    )
    person_height: float = _live(
        0.0,
        "height of everyone in view, where it is known; 0 = not known",
        _in_unit("m", 0.0, PERSON_HEIGHTS_M[1]),
    )
    person_height_deviation: float = _live(
        0.02, "how well that height is known", _in_unit("m", 0.001, 1.0)
    )
    publish_tf: bool = _fixed(True, "broadcast a frame `body_<id>` per person on /tf")
    publish_poses: bool = _fixed(True, "offer `~/poses`, where each body is and how it is turned")
    publish_markers: bool = _fixed(True, "offer `~/markers` for RViz")
    publish_humans: bool = _fixed(
        True, "offer `/humans/bodies` after REP-155, where hri_msgs is installed"
    )
    publish_joint_states: bool = _fixed(
        True, "below `/humans/bodies`, offer the angles of each body's joints"
    )
    publish_cropped: bool = _fixed(
        True, "below `/humans/bodies`, offer the part of the image that shows a body"
    )
    marker_joint_diameter: float = _live(
        0.06, "diameter of a joint's sphere", _in_unit("m", 0.001, 1.0)
    )
    marker_bone_width: float = _live(0.025, "width of a bone's line", _in_unit("m", 0.001, 1.0))
    marker_labels: bool = _live(True, "write each person's id above the head")
    marker_lifetime: float = _live(
        1.0, "markers disappear when they are not renewed for this long", _in_unit("s", 0.05, 60.0)
    )
    warning_period: float = _live(
        5.0, "least time between two warnings of the same cause", _in_unit("s", 0.0, 3600.0)
    )
    diagnostics_period: float = _fixed(
        1.0, "time between two messages on /diagnostics", _in_unit("s", 0.1, 60.0)
    )

    def __post_init__(self) -> None:
        for parameter in PARAMETERS:
            check_value(parameter, getattr(self, parameter.name))
        if 0 < self.person_height < PERSON_HEIGHTS_M[0]:
            raise InputError(
                f"parameter 'person_height' is {self.person_height:g} m, expected "
                f"{PERSON_HEIGHTS_M[0]:g} m or more, or 0 = not known"
            )


class Parameter(NamedTuple):
    """One row of the table."""

    name: str
    default: Value
    description: str
    limits: Limits
    changes: str


PARAMETERS = tuple(
    Parameter(
        row.name,
        getattr(NodeParameters, row.name),
        row.metadata["description"],
        row.metadata["limits"],
        row.metadata["changes"],
    )
    for row in fields(NodeParameters)
)


def check_value(parameter: Parameter, value: Value) -> None:
    """Raise InputError that names parameter, value and bound unless the value is possible."""
    expected, limits = type(parameter.default), parameter.limits
    if type(value) is not expected:
        raise InputError(
            f"parameter '{parameter.name}' is {value!r} ({type(value).__name__}), expected "
            f"{expected.__name__}, e.g. {parameter.default!r}"
        )
    if limits.choices and value not in limits.choices:
        raise InputError(
            f"parameter '{parameter.name}' is '{value}', expected one of {limits.text()}"
        )
    if limits.minimum is None or limits.maximum is None:
        return
    # Written so that NaN is refused.
    if not limits.minimum <= float(value) <= limits.maximum:
        unit = f" {limits.unit}" if limits.unit else ""
        raise InputError(
            f"parameter '{parameter.name}' is {value:g}{unit}, expected {limits.text()}{unit}"
        )


def _yaml(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def to_markdown() -> str:
    """The table as README shows it."""
    lines = [
        "| parameter | default | unit | range | changes | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for name, default, description, limits, changes in PARAMETERS:
        row = (f"`{name}`", f"`{_yaml(default)}`", limits.unit, limits.text(), changes, description)
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def to_yaml() -> str:
    """The parameter file with every default, as config/erd_node.yaml holds it."""
    lines = [
        "# Parameters of erd_node with their defaults.",
        "# Written by: python -m erd_ros.ros.parameters --yaml",
        "/**:",
        "  ros__parameters:",
    ]
    for name, default, description, limits, _ in PARAMETERS:
        lines.append(f"    # {description}")
        bounds = " ".join(part for part in (limits.text(), limits.unit) if part)
        lines.append(f"    {name}: {_yaml(default)}" + (f"  # {bounds}" if bounds else ""))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(to_yaml() if "--yaml" in sys.argv else to_markdown())
