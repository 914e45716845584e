"""Five people who walk to and fro, cross all the time and hide each other; without ROS."""

import numpy as np

from erd_ros.synthetic import SyntheticConfig, synthesise

RATE_HZ = 30.0
PEOPLE = 5
DEPTHS = np.linspace(3.0, 6.0, PEOPLE)
INTRINSICS = np.array([[620.0, 0, 640], [0, 620.0, 360], [0, 0, 1]])
SIZE = (1280, 720)
_HIDING_PX = 45  # nearer than this on the image, whoever is behind is not detected
_FORGET_S = 2.0  # beyond the node's prediction_timeout: then a new id is right
_SHORT_S = 0.5  # gone for less than this, somebody should be found again
_STOP_S = 3.0  # for so long the camera stops, once a minute


class Walkers:
    """Five people: the synthetic adults' poses, moved to and fro across the image."""

    def __init__(self, seed: int = 0) -> None:
        truth = synthesise(SyntheticConfig()).truth_in_camera  # (frames, 2, 17, 3)
        self._poses = truth - truth[:, :, :1]
        self._generator = np.random.default_rng(seed)

    def roots(self, time_s: float) -> np.ndarray:
        """(5, 3) metres, camera frame."""
        periods = 9.0 + 2.0 * np.arange(PEOPLE)
        across = 0.75 * DEPTHS * np.sin(2 * np.pi * time_s / periods + np.arange(PEOPLE))
        return np.stack([across, np.full(PEOPLE, 0.3), DEPTHS], -1)

    def seen(self, time_s: float) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """(person, pixels (17, 2), scores (17,)) of those detected, in random order."""
        frame = int(time_s * 25) % len(self._poses)
        roots = self.roots(time_s)
        points = self._poses[frame, np.arange(PEOPLE) % 2] + roots[:, None]
        projected = points @ INTRINSICS.T
        pixels = projected[..., :2] / projected[..., 2:]
        pixels += self._generator.normal(0, 3.0, pixels.shape) * (3 / DEPTHS)[:, None, None]
        scores = (self._generator.random((PEOPLE, 17)) > 0.15).astype(float)
        found = []
        for person in self._generator.permutation(PEOPLE):
            nearer = pixels[:person, 0, 0]
            hidden = (np.abs(nearer - pixels[person, 0, 0]) < _HIDING_PX).any()
            if not hidden and self._generator.random() > 0.02:
                found.append((int(person), pixels[person], scores[person]))
        return found


class Owners:
    """Whom each id stood for: counts the ids that stand for another person than before.

    swaps   of ids that stood for somebody else less than two seconds ago
    gaps    times somebody was not seen for up to half a second, but for single images
    found   those of them after which the id was the old one
    """

    def __init__(self) -> None:
        self._owner: dict[str, tuple[int, float]] = {}
        self._seen: dict[int, tuple[str, float]] = {}
        self.swaps = self.gaps = self.found = 0
        self.ids: set[str] = set()

    def check(self, name: str, person: int, now_s: float) -> None:
        before, when_s = self._owner.get(name, (person, now_s))
        self.swaps += before != person and now_s - when_s < _FORGET_S
        last, seen_s = self._seen.get(person, (name, now_s))
        if 1.5 / RATE_HZ < now_s - seen_s < _SHORT_S:
            self.gaps += 1
            self.found += last == name
        self._owner[name], self._seen[person] = (person, now_s), (name, now_s)
        self.ids.add(name)


def is_running(elapsed_s: float) -> bool:
    """Whether the camera sends images: it stops for three seconds of each minute."""
    return elapsed_s % 60 > _STOP_S


def jump_s(elapsed_s: float, total_s: float) -> float:
    """What is added to the stamps: an hour in the second third, and nothing again after it."""
    return 3600.0 if total_s / 3 < elapsed_s < 2 * total_s / 3 else 0.0
