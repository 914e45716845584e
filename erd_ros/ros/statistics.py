"""What the node counts: frames, drops by cause, latencies. Thread-safe, no rclpy."""

from collections import Counter, deque
from dataclasses import dataclass
from threading import Lock

import numpy as np

# Ten seconds at 30 Hz: enough for a 99th percentile to mean something.
_LATENCIES = 300


@dataclass(frozen=True)
class Report:
    """The counts since the node started, and what happened since the last report.

    processed             frames since the start
    drops, notices        frames thrown away, and frames used although something was wrong, by
                          cause, since the start
    recent_...            the same since the last report
    reason                message of the last drop since the last report; without drops, of the
                          last notice
    rate_hz               frames processed per second
    latency_p50_s, p99_s  over the last 300 frames; NaN before the first
    persons, residual_px  of the last frame; residual is the mean, NaN for nobody
    """

    processed: int
    drops: dict[str, int]
    notices: dict[str, int]
    recent_processed: int
    recent_drops: dict[str, int]
    recent_notices: dict[str, int]
    reason: str
    rate_hz: float
    latency_p50_s: float
    latency_p99_s: float
    persons: int
    residual_px: float


class Statistics:
    """Counts on any thread; ``report`` closes one period and opens the next."""

    def __init__(self, now_s: float) -> None:
        self._lock = Lock()
        self._drops: Counter[str] = Counter()
        self._notices: Counter[str] = Counter()
        self._reported_drops: Counter[str] = Counter()
        self._reported_notices: Counter[str] = Counter()
        self._processed = self._reported_processed = 0
        self._latencies_s: deque[float] = deque(maxlen=_LATENCIES)
        self._reported_s = now_s
        self._drop_reason = self._notice_reason = ""
        self._persons = 0
        self._residual_px = float("nan")

    def processed(self, latency_s: float, persons: int, residual_px: float) -> None:
        """A frame was published."""
        with self._lock:
            self._processed += 1
            self._latencies_s.append(latency_s)
            self._persons = persons
            self._residual_px = residual_px

    def dropped(self, cause: str, reason: str = "") -> None:
        """A frame was thrown away; ``reason`` is the message that says why."""
        with self._lock:
            self._drops[cause] += 1
            self._drop_reason = reason or self._drop_reason

    def noticed(self, cause: str, reason: str) -> None:
        """Something is wrong with a frame that is used; ``reason`` is the message that says it."""
        with self._lock:
            self._notices[cause] += 1
            self._notice_reason = reason

    def report(self, now_s: float) -> Report:
        """What was counted until ``now_s``, on the clock given when this was made."""
        with self._lock:
            latencies = np.array(self._latencies_s or [np.nan])
            p50, p99 = np.percentile(latencies, [50, 99])
            recent = self._processed - self._reported_processed
            report = Report(
                processed=self._processed,
                drops=dict(self._drops),
                notices=dict(self._notices),
                recent_processed=recent,
                recent_drops=dict(self._drops - self._reported_drops),
                recent_notices=dict(self._notices - self._reported_notices),
                reason=self._drop_reason or self._notice_reason,
                rate_hz=recent / max(now_s - self._reported_s, 1e-9),
                latency_p50_s=float(p50),
                latency_p99_s=float(p99),
                persons=self._persons,
                residual_px=self._residual_px,
            )
            self._reported_drops = self._drops.copy()
            self._reported_notices = self._notices.copy()
            self._reported_processed, self._reported_s = self._processed, now_s
            self._drop_reason = self._notice_reason = ""
        return report
