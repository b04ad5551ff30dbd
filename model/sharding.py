"""Tensors that are sharded over ranks: from a whole tensor to its shards, and back.

With one process both functions return their argument.
"""

import torch.distributed as dist
from torch import Tensor


def placed_like(tensor: Tensor, like: Tensor) -> Tensor:
    """Return `tensor`, whole on every rank, sharded over devices as `like` is; unchanged if `like` is on one device."""
    if not dist.is_initialized():
        return tensor
    # Imported only with several ranks: it takes a second.
    from torch.distributed.tensor import DTensor, distribute_tensor

    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements) if isinstance(like, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """Return `tensor` gathered from all ranks, which must all call this; unchanged if it is on one device."""
    if not dist.is_initialized():
        return tensor
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
