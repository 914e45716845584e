"""Lifters by name. Each takes a ``LifterShape`` and a ``LifterConfig``."""

from erd_ros.models.abspose import AbsPoseLifter
from erd_ros.models.lcn import LcnLifter
from erd_ros.models.linear import LinearLifter
from erd_ros.models.semgcn import SemGcnLifter

LIFTERS = {
    "linear": LinearLifter,
    "lcn": LcnLifter,
    "semgcn": SemGcnLifter,
    "abspose": AbsPoseLifter,
}
