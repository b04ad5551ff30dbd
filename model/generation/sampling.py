"""The choice of the next token: the likeliest, or one drawn from what temperature, top-k and top-p leave.

A draw is a race: each token waits for a time that is exponentially distributed, divided by its probability, and the first one
wins; its chance is its probability. This is the trick of Gumbel noise (Maddison et al. 2014, arXiv 1411.0030) on another scale.
The waiting times are a hash of seed, row, step and id, no state of a generator. So a choice hardly depends on small
differences between logits: two roundings of the same model nearly always choose the same token, while a place in the
cumulated distribution moves over many tokens when those before it move a little. `speculation` lives by that.

Shapes: B rows, V ids that may be generated.
"""

import hashlib
from collections.abc import Iterable

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from model.dropout import random_bits

# Logits of about 10 have a resolution of 1e-6 in fp32: at a lower temperature, any two that differ are worlds apart.
_GREEDY_BELOW = 1e-6


class Sampling(BaseModel):
    """How the next token is chosen; the filters act in the order of the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(1.0, ge=0, description="logits are divided by it; 0 takes the likeliest token")
    top_k: int | None = Field(None, ge=1, description="only the k likeliest tokens")
    top_p: float | None = Field(None, gt=0, le=1, description="only the fewest tokens whose probability reaches p")
    seed: int = Field(0, description="of the random numbers; the same seed gives the same text")

    @property
    def is_greedy(self) -> bool:
        """Is the likeliest token taken, so that nothing is drawn?"""
        return self.temperature < _GREEDY_BELOW


def choose(logits_BV: Tensor, sampling: Sampling, waits_BV: Tensor | None) -> Tensor:
    """The chosen ids, int64 (B,). waits_BV: from `waiting_times`; greedy choice needs none.

    Top-k: Fan et al. 2018; top-p: Holtzman et al. 2020. At least one token is kept.
    """
    if sampling.is_greedy or waits_BV is None:
        return logits_BV.argmax(-1)
    # Less the greatest, so that no low temperature leads to infinity.
    scaled_BV = (logits_BV.float() - logits_BV.amax(-1, keepdim=True)) / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < scaled_BV.shape[1]:
        likeliest_BK, ids_BK = scaled_BV.topk(sampling.top_k)
        scaled_BV = torch.full_like(scaled_BV, -torch.inf).scatter_(1, ids_BK, likeliest_BK)
    probabilities_BV = scaled_BV.softmax(-1)
    if sampling.top_p is not None:
        probabilities_BV = torch.stack([_nucleus(probabilities_V, sampling.top_p) for probabilities_V in probabilities_BV])
    return (probabilities_BV / waits_BV).argmax(-1)


def _nucleus(probabilities_V: Tensor, top_p: float) -> Tensor:
    """The greatest probabilities, the fewest that reach `top_p`, and zeros; of equal ones the lower id comes first."""
    # Those below (1 - p) / V do not add up to 1 - p, so the others reach p without them. Half of it leaves room for rounding.
    likely_K = (probabilities_V >= 0.5 * (1 - top_p) / len(probabilities_V)).nonzero().squeeze(1)
    likeliest_K, places_K = probabilities_V[likely_K].sort(descending=True, stable=True)
    ids_N = likely_K[places_K[likeliest_K.cumsum(0) - likeliest_K < top_p]]
    return torch.zeros_like(probabilities_V).index_copy_(0, ids_N, probabilities_V[ids_N])


def draw_keys(seed: int, places: Iterable[tuple[int, int]]) -> Tensor:
    """The keys, int32 (B,), of places (row, step) in the texts of a seed."""
    digests = [hashlib.blake2b(f"{seed} {row} {step}".encode(), digest_size=4).digest() for row, step in places]
    return torch.tensor([int.from_bytes(digest, "little", signed=True) for digest in digests], dtype=torch.int32)


def waiting_times(keys_B: Tensor, count: int) -> Tensor:
    """Numbers above 0 of the exponential distribution with mean 1, fp32 (B, count), one for each key and id."""
    uniform = (random_bits(keys_B, count).float() + 2**31) * 2**-32
    # Neither 0 nor 1, as the logarithms are not finite or 0 there; 2^-24 is the step of fp32 below 1.
    return uniform.clamp_(2**-24, 1 - 2**-24).log_().neg_()
