"""How a layer between near joints falls apart into a few matrices that are nearly full."""

from itertools import combinations, pairwise

import torch
from torch import Tensor


def order_along_body(near: Tensor) -> Tensor:
    """Indices (J,) of joints from one end of the body to the other, by which (J, J) are near.

    Fiedler's vector, the second eigenvector of the Laplacian, is smooth along a graph (1973): who
    are near each other come to stand side by side.
    """
    linked = near.double()
    _, vectors = torch.linalg.eigh(linked.sum(1).diag() - linked)
    return torch.argsort(vectors[:, 1], stable=True)


def runs(near: Tensor, count: int) -> list[tuple[slice, slice]]:
    """Joints in at most ``count`` runs, and the joints that each run reads, in their order.

    Of all ways to cut the order into runs the one with the smallest matrices.
    """
    joints = len(near)
    choices = (
        [*pairwise((0, *cuts, joints))]
        for cuts in combinations(range(1, joints), min(count, joints) - 1)
    )
    parts = min(choices, key=lambda parts: sum(_area(near, *part) for part in parts))
    return [(slice(*part), _read(near, *part)) for part in parts]


def _read(near: Tensor, start: int, stop: int) -> slice:
    read = near[start:stop].any(0).nonzero()
    return slice(int(read.min()), int(read.max()) + 1)


def _area(near: Tensor, start: int, stop: int) -> int:
    read = _read(near, start, stop)
    return (stop - start) * int(read.stop - read.start)
