"""Lifters by name. Each takes a ``LifterShape`` and a ``LifterConfig``."""

from erd_ros.models.linear import LinearLifter

LIFTERS = {"linear": LinearLifter}
