"""How tall single persons are, as somebody said."""

from collections.abc import Collection
from threading import Lock

from erd_ros.errors import InputError

# Metres, of who is measured as a person.
PERSON_HEIGHTS_M = (0.5, 2.5)


class Heights:
    """How tall single persons are, as was said; from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._told_m: dict[str, float] = {}
        self._present: Collection[str] = ()

    def tell(self, name: str, height_m: float) -> None:
        """Of somebody who is present; 0 forgets. Raises InputError for anyone else."""
        smallest, tallest = PERSON_HEIGHTS_M
        if height_m != 0 and not smallest <= height_m <= tallest:
            raise InputError(
                f"height is {height_m:g} m, expected {smallest:g} to {tallest:g} m, or 0 = forget "
                "what was told"
            )
        with self._lock:
            if name not in self._present:
                there = ", ".join(sorted(self._present)) or "nobody"
                raise InputError(f"nobody has the id '{name}' now; there are: {there}")
            self._told_m[name] = height_m

    def of(self, name: str, otherwise_m: float) -> float:
        """What was told of a person, metres."""
        with self._lock:
            return self._told_m.get(name) or otherwise_m

    def keep(self, present: Collection[str]) -> None:
        """These are there now; forget all others."""
        with self._lock:
            self._present = present
            self._told_m = {name: m for name, m in self._told_m.items() if name in present}
