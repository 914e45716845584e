"""When a slow finder looks: a newcomer is seen within a stated time."""

from dataclasses import dataclass

from erd_ros.errors import InputError

_ASSUMED_S = 1 / 30  # between images that have no stamp


@dataclass(frozen=True)
class ScheduleConfig:
    """When the finder looks.

    newcomer_s    seconds within which somebody who comes is looked for
    most_images   images of which at least one is looked at
    early_images  images that pass at least between looks when people may have been mixed up
    """

    newcomer_s: float = 0.3
    most_images: int = 9
    early_images: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.newcomer_s < float("inf"):
            raise InputError(f"newcomer_s is {self.newcomer_s}, expected 0 or more")
        for name in ("most_images", "early_images"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 1 or more")


class Schedule:
    """Counts images and time since the finder looked."""

    def __init__(self, config: ScheduleConfig) -> None:
        self._config = config
        self._last_s: float | None = None
        self._since_s = float("inf")
        self._images = config.most_images

    def due(self, stamp_s: float | None) -> bool:
        """Whether the finder has to look at the next image, of this stamp in seconds.

        It has to when the image after this one could come too late.
        """
        step = self._step(stamp_s)
        self._since_s += step
        self._images += 1
        late = self._since_s + step > self._config.newcomer_s
        return late or self._images >= self._config.most_images

    def may_look_early(self) -> bool:
        """Whether a look that is not due can be afforded."""
        return self._images >= self._config.early_images

    def looked(self) -> None:
        """The finder has looked at the last image."""
        self._since_s, self._images = 0.0, 0

    def _step(self, stamp_s: float | None) -> float:
        last, self._last_s = self._last_s, stamp_s
        if stamp_s is None:
            return _ASSUMED_S
        if last is None or stamp_s < last:  # a clock that jumped back
            return float("inf")
        return stamp_s - last
