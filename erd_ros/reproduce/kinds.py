"""Kinds of actions: what the sources name in a hundred ways, in as few as a table can show."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# The first kind of which a word occurs in an action's name; the order decides where two do.
KINDS = {
    "crawl, lie": ("crawl", "lie", "lying"),
    "sit": ("sit", "stand up"),
    "crouch, squat, lunge": ("crouch", "squat", "lunge", "hurdle", "leg raise", "bend over"),
    "jump": ("jump", "leap", "hop", "skip"),
    "run": ("run/jog", " run"),
    "carry": ("box", "pick up"),
    "strike, throw": ("punch", "throw", "sword", "kick", "block"),
    "wave, clap, arms": ("shoulder", "waving", "clapping", "arms", "wash", "t-pose"),
    "walk": ("walk", "side step"),
    "stand": ("stand", "look", "sway", "turn"),
}
OTHER = "other"


def kind_of(action: str) -> str:
    """Kind of an action as a source names it; OTHER where no word of it is known."""
    name = action.partition("|")[0].lower()
    for kind, words in KINDS.items():
        if any(word in name for word in words):
            return kind
    return OTHER


def by_kind(
    action: NDArray[np.int64], names: Sequence[str]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Index (F,) into the kinds for action (F,), an index into ``names``; and the kinds."""
    kinds = (*KINDS, OTHER)
    of_names = np.array([kinds.index(kind_of(name)) for name in names], np.int64)
    return of_names[action], kinds
