"""What the targets of ``benchmark.fuzz`` are: episodes of inputs, drawn from a seed."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np


class Case(NamedTuple):
    """One input.

    text  what it was, for the reproducer
    run   gives it to the code under test: what is wrong with the answer, in a line each; raises an
          ErdError where it is refused
    """

    text: Callable[[], str]
    run: Callable[[], list[str]]


class Target(Protocol):
    """Made once a process; an episode is a sequence of inputs to one object under test."""

    def episode(self, generator: np.random.Generator) -> Iterator[Case]:
        """The inputs of one episode: the same for the same state of the generator."""
        ...
