"""The table of parameters as ROS parameters: declared, checked, changed."""

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter as RclpyParameter

from erd_ros.errors import InputError
from erd_ros.ros.parameters import (
    AT_CONFIGURE,
    NEVER,
    PARAMETERS,
    NodeParameters,
    Parameter,
    check_value,
)

# Declared by rclpy itself, or for the whole system.
_FOREIGN = ("use_sim_time", "start_type_description_service", "qos_overrides.")


def declare_parameters(node: Node) -> NodeParameters:
    """Declare every parameter on a node made with automatically declared overrides; their values.

    An integer given for a real number is taken as one. Unknown names are warned of, with the
    nearest known one.
    Raises InputError that names parameter, value and bound.
    """
    overrides = {name: value.value for name, value in node.get_parameters_by_prefix("").items()}
    _warn_of_unknown(node, overrides)
    values = {}
    for parameter in PARAMETERS:
        value = overrides.get(parameter.name, parameter.default)
        if isinstance(parameter.default, float) and type(value) is int:
            value = float(value)
        check_value(parameter, value)
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
        description=parameter.description,
        additional_constraints=limits.text(),
        read_only=parameter.changes == NEVER,
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


def changed(
    parameters: NodeParameters, changes: Iterable[RclpyParameter], configured: bool
) -> NodeParameters:
    """The parameters with changes that ROS asks for; those of others are passed over.

    configured  the node holds a model and topics, which were made from the present values
    Raises InputError for a value that is not possible, and for one that would have no effect now.
    """
    fixed = {parameter.name for parameter in PARAMETERS if parameter.changes == AT_CONFIGURE}
    known = {parameter.name for parameter in PARAMETERS}
    values = {change.name: change.value for change in changes if change.name in known}
    for name, value in values.items():
        if configured and name in fixed and value != getattr(parameters, name):
            raise InputError(
                f"parameter '{name}' takes effect when the node is configured; deactivate it, "
                "clean it up, then set it"
            )
    return replace(parameters, **values)
