"""The values that a model's parameters begin with, on one device or sharded over many."""

import hashlib

import torch
import torch.distributed as dist
from torch import Tensor

from model.gpt import GPT


@torch.no_grad()
def initialize(model: GPT, seed: int) -> None:
    """GPT-2's initial values: matrices N(0, 0.02), those that end a branch N(0, 0.02 / sqrt(2 layers)), biases 0, norms 1.

    (Radford et al. 2019, 2.3; the deviation as in the released code.) Each tensor has a generator of its own, keyed by seed
    and name: the values are the same on any number of devices, and for any other shape of the rest.
    """
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            values = torch.zeros(parameter.shape) if name.endswith("bias") else torch.ones(parameter.shape)
        else:
            ends_branch = name.endswith(("output.weight", "down.weight"))
            deviation = 0.02 * ((2 * model.config.layers) ** -0.5 if ends_branch else 1)
            digest = hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(digest, "little", signed=True))
            values = torch.empty(parameter.shape).normal_(0, deviation, generator=generator)
        parameter.copy_(placed_like(values, parameter))


def placed_like(tensor: Tensor, like: Tensor) -> Tensor:
    """`tensor`, whole on every rank, sharded over devices as `like` is; itself when `like` is on one device."""
    if not dist.is_initialized():
        return tensor
    # Imported where there are ranks: it takes a second.
    from torch.distributed.tensor import DTensor, distribute_tensor

    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements) if isinstance(like, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """`tensor` gathered from all ranks, which must all ask for it; itself when it is on one device."""
    if not dist.is_initialized():
        return tensor
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
