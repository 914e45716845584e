"""The node's parameters: one table, from which come declaration, checks, YAML and documentation.

``python -m erd_ros.ros.parameters`` prints the table of README, with ``--yaml`` the contents of
config/erd_node.yaml.
"""

import sys
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, NamedTuple

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from erd_ros.errors import InputError
from erd_ros.runtime.detectors import DETECTORS

Value = bool | int | float | str

# Declared by rclpy itself, or for the whole system.
_FOREIGN = ("use_sim_time", "start_type_description_service", "qos_overrides.")


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


def _parameter(default: Value, description: str, limits: Limits = _UNLIMITED) -> Any:
    return field(default=default, metadata={"description": description, "limits": limits})


def _in_unit(unit: str, minimum: float, maximum: float) -> Limits:
    return Limits(unit, minimum, maximum)


@dataclass(frozen=True)
class NodeParameters:
    """Values of every parameter. Raises InputError that names parameter, value and bound."""

    input: str = _parameter(
        "image",
        "what the node listens to: `image` runs a detector, `keypoints` takes the keypoints of "
        "another node",
        Limits(choices=("image", "keypoints")),
    )
    model: str = _parameter("", "path of the model file; empty = the one in the package")
    device: str = _parameter("cpu", "where the model runs, as its backend names it: so far `cpu`")
    threads: int = _parameter(1, "threads of the model's backend", _in_unit("", 1, 64))
    detector: str = _parameter(
        "mediapipe", "2D detector, for `input: image`", Limits(choices=tuple(DETECTORS))
    )
    min_keypoints: int = _parameter(
        5, "keypoints that a person must have to be placed in space", _in_unit("", 2, 100)
    )
    min_confidence: float = _parameter(
        0.3, "keypoints below this score count as not seen", _in_unit("", 0.0, 1.0)
    )
    image_margin: float = _parameter(
        0.1,
        "keypoints farther outside the image than this part of its longer side count as not seen",
        _in_unit("", 0.0, 1.0),
    )
    track_timeout: float = _parameter(
        1.0, "a person not seen for this long is forgotten", _in_unit("s", 0.0, 60.0)
    )
    track_gate: float = _parameter(
        0.3,
        "how far a person may move from image to image and keep the id, in sizes of the person",
        _in_unit("", 0.0, 10.0),
    )
    track_speed: float = _parameter(
        1.0,
        "how much farther for each second unseen, in sizes of the person",
        _in_unit("1/s", 0.0, 100.0),
    )
    input_is_rectified: bool = _parameter(
        False, "the image is rectified: use P of the CameraInfo and no distortion, instead of K, D"
    )
    publish_tf: bool = _parameter(True, "broadcast a frame `body_<id>` per person on /tf")
    publish_markers: bool = _parameter(True, "offer `~/markers` for RViz")
    marker_joint_diameter: float = _parameter(
        0.06, "diameter of a joint's sphere", _in_unit("m", 0.001, 1.0)
    )
    marker_bone_width: float = _parameter(
        0.025, "width of a bone's line", _in_unit("m", 0.001, 1.0)
    )
    marker_labels: bool = _parameter(True, "write each person's id above the head")
    marker_lifetime: float = _parameter(
        1.0, "markers disappear when they are not renewed for this long", _in_unit("s", 0.05, 60.0)
    )
    warning_period: float = _parameter(
        5.0, "least time between two warnings of the same cause", _in_unit("s", 0.0, 3600.0)
    )
    diagnostics_period: float = _parameter(
        1.0, "time between two messages on /diagnostics", _in_unit("s", 0.1, 60.0)
    )

    def __post_init__(self) -> None:
        for parameter in PARAMETERS:
            _check(parameter, getattr(self, parameter.name))


class Parameter(NamedTuple):
    """One row of the table."""

    name: str
    default: Value
    description: str
    limits: Limits


PARAMETERS = tuple(
    Parameter(
        row.name,
        getattr(NodeParameters, row.name),
        row.metadata["description"],
        row.metadata["limits"],
    )
    for row in fields(NodeParameters)
)


def _check(parameter: Parameter, value: Value) -> None:
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


def declare_parameters(node: Node) -> NodeParameters:
    """Declare every parameter on a node made with automatically declared overrides; their values.

    An integer given for a real number is taken as one. All are read-only: a change while the node
    runs is refused by ROS, not ignored. Unknown names are warned of, with the nearest known one.
    Raises InputError that names parameter, value and bound.
    """
    overrides = {name: value.value for name, value in node.get_parameters_by_prefix("").items()}
    _warn_of_unknown(node, overrides)
    values = {}
    for parameter in PARAMETERS:
        value = overrides.get(parameter.name, parameter.default)
        if isinstance(parameter.default, float) and type(value) is int:
            value = float(value)
        _check(parameter, value)
        if node.has_parameter(parameter.name):
            node.undeclare_parameter(parameter.name)
        node.declare_parameter(parameter.name, value, _descriptor(parameter), ignore_override=True)
        values[parameter.name] = value
    return NodeParameters(**values)


def _warn_of_unknown(node: Node, overrides: dict[str, Any]) -> None:
    known = [parameter.name for parameter in PARAMETERS]
    for name in overrides:
        if name not in known and not name.startswith(_FOREIGN):
            nearest = get_close_matches(name, known, 1)
            meant = f"; did you mean '{nearest[0]}'?" if nearest else ""
            node.get_logger().warning(f"unknown parameter '{name}' has no effect{meant}")


def _descriptor(parameter: Parameter) -> ParameterDescriptor:
    limits = parameter.limits
    descriptor = ParameterDescriptor(
        description=parameter.description, additional_constraints=limits.text(), read_only=True
    )
    if limits.minimum is not None and limits.maximum is not None:
        if isinstance(parameter.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=limits.minimum, to_value=limits.maximum)
            ]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(limits.minimum), to_value=int(limits.maximum), step=1)
            ]
    return descriptor


def _yaml(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def to_markdown() -> str:
    """The table as README shows it."""
    lines = ["| parameter | default | unit | range | meaning |", "|---|---|---|---|---|"]
    for name, default, description, limits in PARAMETERS:
        row = (f"`{name}`", f"`{_yaml(default)}`", limits.unit, limits.text(), description)
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
    for name, default, description, limits in PARAMETERS:
        lines.append(f"    # {description}")
        bounds = " ".join(part for part in (limits.text(), limits.unit) if part)
        lines.append(f"    {name}: {_yaml(default)}" + (f"  # {bounds}" if bounds else ""))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(to_yaml() if "--yaml" in sys.argv else to_markdown())
