"""Curves of a run for TensorBoard."""

import sys
from collections.abc import Mapping
from pathlib import Path

from erd_ros.errors import InputError


class Scalars:
    """Writes numbers into the event files of a folder; without TensorBoard it says so, once.

    next_step  what the folder holds from this step on was written by a run that was broken off
               and is struck out
    """

    def __init__(self, folder: Path, next_step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            print(
                f"no scalars are written: TensorBoard cannot be imported ({error}); "
                "install it with `pip install erd_ros[train]`",
                file=sys.stderr,
            )
            self._writer = None
            return
        try:
            self._writer = SummaryWriter(str(folder), purge_step=next_step)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers by name, at one step of the whole run, at once to the disk.

        Raises InputError when the disk is full.
        """
        if self._writer is None:
            return
        try:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
            self._writer.flush()
        except OSError as error:
            raise _unwritable(self._writer.log_dir, error) from error

    def close(self) -> None:
        """Write no more."""
        if self._writer is not None:
            self._writer.close()


def _unwritable(folder: str | Path, error: OSError) -> InputError:
    return InputError(
        f"scalars cannot be written to {folder}: {error.strerror}; make room, then go on with "
        "--resume"
    )
