"""The node's state for /diagnostics: a level with its reason, and the numbers behind it."""

from collections.abc import Mapping

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from erd_ros.msg import Person3DArray
from erd_ros.ros.humans import hri_messages
from erd_ros.ros.images import converter
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.publishers import tf_message_type
from erd_ros.ros.statistics import Report
from erd_ros.runtime import Backend

_STATES = {
    int(getattr(Person3DArray, name)): name
    for name in ("FULL", "NO_ROOT", "STALE", "CPU_FALLBACK", "FAULT")
}
OVERWRITTEN = "overwritten"  # a newer frame came before the worker was free


def diagnostic_array(
    stamp: Time,
    name: str,
    report: Report,
    facts: Mapping[str, str],
    waiting_for: str,
    limits: tuple[str, ...],
) -> DiagnosticArray:
    """One message.

    name         the node's
    facts        what does not change while the node runs: backend, model, ...
    waiting_for  topic of the input, named when nothing came; empty = the node is not active
    limits       what the node was asked for and cannot do
    """
    level, reason = assess(report, waiting_for, limits)
    values = {**facts, **_numbers(report)}
    status = DiagnosticStatus(
        level=level,
        name=f"{name}: skeletons",
        message=reason,
        hardware_id=facts.get("backend", ""),
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array


def assess(report: Report, waiting_for: str, limits: tuple[str, ...] = ()) -> tuple[bytes, str]:
    """Level and message: ERROR when input comes and nothing can be made of it."""
    dropped = bool(report.recent_drops)
    if dropped and not report.recent_processed:
        return DiagnosticStatus.ERROR, f"every frame is dropped: {report.reason}"
    reasons = list(limits)
    if not dropped and not report.recent_processed:
        reasons.insert(0, f"nothing comes on {waiting_for}" if waiting_for else "not active")
    reasons += [f"dropped, {cause}: {count}" for cause, count in report.recent_drops.items()]
    reasons += [f"{cause}: {count}" for cause, count in report.recent_notices.items()]
    if report.reason:
        reasons.append(report.reason)
    return (DiagnosticStatus.WARN, "; ".join(reasons)) if reasons else (DiagnosticStatus.OK, "ok")


def _numbers(report: Report) -> dict[str, str]:
    numbers = {
        "rate [Hz]": f"{report.rate_hz:.1f}",
        "latency p50 [s]": f"{report.latency_p50_s:.4f}",
        "latency p99 [s]": f"{report.latency_p99_s:.4f}",
        "frames processed": str(report.processed),
        "persons": str(report.persons),
        "residual [px]": f"{report.residual_px:.2f}",
    }
    numbers |= {f"dropped: {cause}": str(count) for cause, count in report.drops.items()}
    return numbers | {f"noticed: {cause}": str(count) for cause, count in report.notices.items()}


def describe(parameters: NodeParameters, backend: Backend) -> dict[str, str]:
    """What stays as it is while the node runs, for the log and /diagnostics."""
    facts = {
        "backend": f"{backend.name} {backend.device} {backend.precision}",
        "model": backend.info.name,
        "sha256": backend.sha256,
        "input": parameters.input,
        "device": backend.device,
        "precision": backend.precision,
        "self-test": str(backend.self_test or "none: the file has no golden vectors"),
        "tf": "on" if parameters.publish_tf and tf_message_type() else "off",
        "humans": "on" if parameters.publish_humans and hri_messages() else "off",
        "frame": parameters.target_frame or "of the input",
        "cues": "taken" if backend.takes_cues else "not taken",
    }
    if parameters.input in ("image", "compressed_image"):
        facts["detector"] = parameters.detector
    if parameters.input == "image":
        facts["image conversion"] = converter()[0]
    return facts


def limits(parameters: NodeParameters, backend: Backend) -> tuple[str, ...]:
    """What the node was asked for and cannot do."""
    found = []
    if parameters.publish_tf and tf_message_type() is None:
        found.append(
            "TF is off: tf2_msgs is not installed (it comes with ROS); set publish_tf: false"
        )
    asked = parameters.ground_frame or parameters.use_depth or parameters.person_height
    if asked and not backend.takes_cues:
        found.append(
            "ground_frame, use_depth and person_height have no effect: the model takes no cues; "
            "run one of root: cues"
        )
    if backend.fallbacks:
        found.append(f"the model runs on {backend.device}, for {'; '.join(backend.fallbacks)}")
    return tuple(found)


def state_name(state: int) -> str:
    """Name of a constant of Person3DArray."""
    return _STATES[state]
