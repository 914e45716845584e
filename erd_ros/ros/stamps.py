"""From the stamps of messages to the time that tracking and smoothing run on. No rclpy.

Where stamps advance the two are the same. Stamps that stand still, and single ones that are off,
must not stop tracking or give everyone a new id.
"""

from dataclasses import dataclass

# A stamp that goes back by less is a message that came late, by more a clock that was set.
LATE_S = 0.5
# A step forward that is so many times the step from the stamp before it belonged to an outlier.
_OUTLIER_STEPS = 4.0
# Between two images while stamps do not say it: that of a camera of 30 Hz, or half of what was
# measured, so that a stamp that comes twice does not run ahead of the next.
_ASSUMED_STEP_S, _LEAST_STEP_S = 1 / 30, 1e-3


class StampError(Exception):
    """A message is not used because of its stamp; ``cause`` is counted."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True)
class Moment:
    """When an image was taken, for tracking.

    time_s    seconds; greater than that of the image before unless ``restarted``
    measured  the step from the image before is that of the stamps; False = assumed
    restarted the clock was set back: what was known belongs to another time
    remark    (cause, what is wrong with the stamp); None = nothing
    """

    time_s: float
    measured: bool = True
    restarted: bool = False
    remark: tuple[str, str] | None = None


class StampReader:
    """Stamps in the order of arrival, in seconds, to moments."""

    def __init__(self) -> None:
        self._first_s = self._before_s = self._last_s = float("-inf")
        self._offset_s = 0.0  # of the time from the stamps
        self._time_s = float("-inf")
        self._step_s = _ASSUMED_STEP_S
        self._candidate_s: float | None = None  # where a clock may have been set back to

    def read(self, stamp_s: float) -> Moment:
        """The moment of a message.

        Raises StampError for a message that came late, and for the first one that goes back
        into the time already seen: only the next stamp says whether the clock was set.
        """
        back_s = self._last_s - stamp_s
        if self._time_s == float("-inf"):
            return self._restart(stamp_s, None)
        if stamp_s == 0 or back_s == 0:
            return self._without_time(stamp_s)
        if back_s < 0:
            return self._go_on(stamp_s)
        if self._last_was_off(stamp_s):
            return self._leave_out_last(stamp_s)
        if back_s <= LATE_S:
            raise StampError(
                "late", f"a message of {back_s:.3f} s before the last one came after it"
            )
        return self._went_back(stamp_s)

    def _go_on(self, stamp_s: float) -> Moment:
        time_s = stamp_s + self._offset_s
        self._step_s = min(_ASSUMED_STEP_S, max(_LEAST_STEP_S, (stamp_s - self._last_s) / 2))
        self._before_s, self._last_s, self._candidate_s = self._last_s, stamp_s, None
        if time_s <= self._time_s:  # times were assumed meanwhile
            return self._assumed(None)
        self._time_s = time_s
        return Moment(time_s)

    def _without_time(self, stamp_s: float) -> Moment:
        remark = (
            "stamp stands still",
            f"the stamp {stamp_s:.3f} s {'is not set' if stamp_s == 0 else 'came before'}: people "
            "are tracked by an assumed rate, and their velocity is not known; stamp each "
            "image with the time when it was taken",
        )
        return self._assumed(remark)

    def _assumed(self, remark: tuple[str, str] | None) -> Moment:
        self._time_s += self._step_s
        return Moment(self._time_s, measured=False, remark=remark)

    def _last_was_off(self, stamp_s: float) -> bool:
        """Whether this stamp follows the one before the last, from which the last was far off."""
        step_s = stamp_s - self._before_s
        return (
            0 < step_s < float("inf") and self._last_s - self._before_s >= _OUTLIER_STEPS * step_s
        )

    def _leave_out_last(self, stamp_s: float) -> Moment:
        step_s = stamp_s - self._before_s
        remark = (
            "stamp off",
            f"the stamp {self._last_s:.3f} s lies between {self._before_s:.3f} s and "
            f"{stamp_s:.3f} s: it was off, and people keep their ids",
        )
        self._last_s, self._candidate_s = stamp_s, None
        self._time_s += step_s
        self._offset_s = self._time_s - stamp_s
        return Moment(self._time_s, remark=remark)

    def _went_back(self, stamp_s: float) -> Moment:
        remark = (
            "time went back",
            f"the stamp went back from {self._last_s:.3f} s to {stamp_s:.3f} s: "
            "persons are tracked anew and get new ids",
        )
        before_all = stamp_s <= self._first_s
        if before_all or (self._candidate_s is not None and self._candidate_s <= stamp_s):
            return self._restart(stamp_s, remark)
        self._candidate_s = stamp_s
        raise StampError(
            "stamp off",
            f"the stamp went back from {self._last_s:.3f} s to {stamp_s:.3f} s; people are "
            "tracked anew if the next one does so too",
        )

    def _restart(self, stamp_s: float, remark: tuple[str, str] | None) -> Moment:
        self._first_s = self._last_s = self._time_s = stamp_s
        self._step_s = _ASSUMED_STEP_S
        self._before_s, self._candidate_s, self._offset_s = float("-inf"), None, 0.0
        return Moment(stamp_s, restarted=remark is not None, remark=remark)
