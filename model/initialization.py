"""The initial values of a model's parameters, on one device or sharded over many."""

import hashlib

import torch

from model.gpt import GPT
from model.sharding import placed_like


@torch.no_grad()
def initialize(model: GPT, seed: int) -> None:
    """Set GPT-2's initial values: matrices N(0, 0.02), those that end a branch N(0, 0.02 / sqrt(2 layers)), biases 0, norms 1.

    (Radford et al. 2019, 2.3; the deviation as in the released code.) Each tensor has its own generator, keyed by seed and
    name: its values depend neither on the number of devices nor on the shape of the other tensors.
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
