"""Errors of the package. Each message names the value, the bound and the way out.

ErdError
├── InputError     a camera, keypoints, a pose, a parameter or a file of data is unusable
├── ArtifactError  a model file is missing, corrupt, foreign or of another joint layout
└── BackendError   the runtime that executes the model cannot be had or failed
"""


class ErdError(Exception):
    """Base of everything this package raises on purpose; caught once, at the edge."""


class InputError(ErdError):
    """A camera, keypoints, a pose, a parameter or a data file is unusable."""


class ArtifactError(ErdError):
    """A model file is missing, corrupt, foreign or of another joint layout."""


class BackendError(ErdError):
    """The runtime that executes the model cannot be had, or failed."""
