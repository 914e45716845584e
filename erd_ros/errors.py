"""Errors of the package. Each message is one line: the value, the bound and the way out.

ErdError
├── InputError     a camera, keypoints, a pose, a parameter or a file of data is unusable
├── ArtifactError  a model file is missing, corrupt, foreign or of another joint layout
└── BackendError   the runtime that executes the model cannot be had or failed
"""

# Characters of a message; names in it may come from a file or from the network.
_LONGEST, _END = 4000, 500


def shortened(text: str) -> str:
    """The text without its middle where that is too long; the way out stands at the end."""
    if len(text) <= _LONGEST:
        return text
    begin, end = text[: _LONGEST - _END], text[-_END:]
    return f"{begin} ... ({len(text) - _LONGEST} characters left out) ... {end}"


class ErdError(Exception):
    """Base of everything this package raises on purpose; caught once, at the edge."""

    def __init__(self, message: str = "") -> None:
        super().__init__(shortened(" ".join(message.splitlines())))


class InputError(ErdError):
    """A camera, keypoints, a pose, a parameter or a data file is unusable."""


class ArtifactError(ErdError):
    """A model file is missing, corrupt, foreign or of another joint layout."""


class BackendError(ErdError):
    """The runtime that executes the model cannot be had, or failed."""
