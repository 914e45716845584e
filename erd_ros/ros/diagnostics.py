"""The node's state for /diagnostics: a level with its reason, and the numbers behind it."""

from collections.abc import Mapping

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from erd_ros.ros.statistics import Report

OVERWRITTEN = "overwritten"  # a newer frame came before the worker was free
IGNORED_KEYPOINTS = "ignored keypoints"  # counted with the drops, but the frame is used


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
    waiting_for  topic of the input, named when nothing came
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
    dropped = sum(
        count for cause, count in report.recent_drops.items() if cause != IGNORED_KEYPOINTS
    )
    if dropped and not report.recent_processed:
        return DiagnosticStatus.ERROR, f"every frame is dropped: {report.reason}"
    reasons = list(limits)
    if not dropped and not report.recent_processed:
        reasons.insert(0, f"nothing comes on {waiting_for}")
    for cause, count in report.recent_drops.items():
        reasons.append(f"{cause}: {count}")
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
    return numbers | {f"dropped: {cause}": str(count) for cause, count in report.drops.items()}
