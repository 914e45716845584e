"""The processes that train one model together, and the device that each of them uses."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from erd_ros.data.batches import Batch
from erd_ros.errors import BackendError, InputError

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Processes:
    """``count`` processes, of which this one is number ``rank`` and computes on ``device``.

    Every process calls every method, in the same order.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that validates, writes files and shows progress."""
        return self.rank == 0

    def share(self, batch_size: int) -> int:
        """Samples of a batch that this process draws. Raises InputError for what has no halves."""
        samples, left_over = divmod(batch_size, self.count)
        if left_over or samples < 2:
            raise InputError(
                f"batch_size {batch_size} over {self.count} processes: expected a multiple of "
                f"{self.count}, 2 samples or more for each"
            )
        return samples

    def averaged(self, objective: nn.Module) -> Callable[[Batch], Tensor]:
        """The objective with gradients averaged over all processes as it is differentiated.

        Statistics of batch normalisation are those of the first process.
        """
        return objective if self.count == 1 else DistributedDataParallel(objective)

    def mean(self, values: Tensor) -> Tensor:
        """Values of one process averaged over all."""
        if self.count > 1:
            dist.all_reduce(values)
        return values / self.count

    def wait(self) -> None:
        """Return when every process is here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def training_processes(device: str | None = None) -> Iterator[Processes]:
    """This process alone, or together with those that torchrun has started.

    device  one of ``DEVICES``; the GPU where there is one if not given
    Raises BackendError when there is no GPU, or fewer than processes.
    """
    chosen = _device(device)
    if not dist.is_torchelastic_launched():
        yield Processes(chosen)
        return
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Processes(chosen, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def _device(name: str | None) -> torch.device:
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in DEVICES:
        raise InputError(f"unknown device '{name}'; choose one of {', '.join(DEVICES)}")
    if name == "cpu":
        return torch.device(name)
    index, found = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if index >= found:
        raise BackendError(
            f"device cuda: PyTorch {torch.__version__} sees {found} GPUs, process {index} of this "
            "machine needs its own; start fewer processes, install PyTorch for CUDA, or choose cpu"
        )
    torch.cuda.set_device(index)
    return torch.device(name, index)
