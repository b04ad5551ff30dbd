"""The choice of the next token: the likeliest, or one drawn from the tokens that temperature, top-k and top-p keep.

A draw is a race: each token gets an exponentially distributed waiting time, divided by its probability, and the shortest wins;
so each token wins with its probability. This is the Gumbel-max trick (Maddison et al. 2014, arXiv 1411.0030) on another scale.
The waiting times are a hash of seed, row, step and id, not the state of a generator. So a choice hardly depends on small
differences between logits: two roundings of the same model nearly always choose the same token, whereas a point of the
cumulative distribution moves across many tokens if the ones before it change a little. `speculation` relies on this.

Shapes: B rows, V ids that may be generated.
"""

import hashlib
from collections.abc import Iterable

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from model.dropout import random_bits

# Logits of about 10 have a resolution of 1e-6 in fp32: at a lower temperature, the larger of any two always wins.
_GREEDY_BELOW = 1e-6


class Sampling(BaseModel):
    """How the next token is chosen. The filters apply in the order of the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(1.0, ge=0, description="divides the logits; 0 takes the likeliest token")
    top_k: int | None = Field(None, ge=1, description="keep only the k likeliest tokens")
    top_p: float | None = Field(None, gt=0, le=1, description="keep the fewest tokens whose total probability reaches p")
    seed: int = Field(0, description="seed of the random numbers; the same seed gives the same text")

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken and nothing is drawn."""
        return self.temperature < _GREEDY_BELOW


def choose(logits_BV: Tensor, sampling: Sampling, waits_BV: Tensor | None) -> Tensor:
    """Return the chosen ids, int64 (B,). waits_BV: from `waiting_times`; greedy choice needs none.

    Top-k: Fan et al. 2018; top-p: Holtzman et al. 2020. At least one token is kept.
    """
    if sampling.is_greedy or waits_BV is None:
        return logits_BV.argmax(-1)
    # Minus the largest, so that a low temperature cannot overflow.
    scaled_BV = (logits_BV.float() - logits_BV.amax(-1, keepdim=True)) / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < scaled_BV.shape[1]:
        likeliest_BK, ids_BK = scaled_BV.topk(sampling.top_k)
        scaled_BV = torch.full_like(scaled_BV, -torch.inf).scatter_(1, ids_BK, likeliest_BK)
    probabilities_BV = scaled_BV.softmax(-1)
    if sampling.top_p is not None:
        probabilities_BV = torch.stack([_nucleus(probabilities_V, sampling.top_p) for probabilities_V in probabilities_BV])
    return (probabilities_BV / waits_BV).argmax(-1)


def _nucleus(probabilities_V: Tensor, top_p: float) -> Tensor:
    """Keep the fewest largest probabilities that reach `top_p` and zero the rest; among equals the lower id comes first."""
    # Those below (1 - p) / V add up to less than 1 - p, so the others reach p without them. Half of it allows for rounding.
    likely_K = (probabilities_V >= 0.5 * (1 - top_p) / len(probabilities_V)).nonzero().squeeze(1)
    likeliest_K, places_K = probabilities_V[likely_K].sort(descending=True, stable=True)
    ids_N = likely_K[places_K[likeliest_K.cumsum(0) - likeliest_K < top_p]]
    return torch.zeros_like(probabilities_V).index_copy_(0, ids_N, probabilities_V[ids_N])


def draw_keys(seed: int, places: Iterable[tuple[int, int]]) -> Tensor:
    """Return the keys, int32 (B,), of positions (row, step) in the texts of a seed."""
    digests = [hashlib.blake2b(f"{seed} {row} {step}".encode(), digest_size=4).digest() for row, step in places]
    return torch.tensor([int.from_bytes(digest, "little", signed=True) for digest in digests], dtype=torch.int32)


def waiting_times(keys_B: Tensor, count: int) -> Tensor:
    """Return exponentially distributed numbers above 0 with mean 1, fp32 (B, count), one per key and id."""
    uniform = (random_bits(keys_B, count).float() + 2**31) * 2**-32
    # Neither 0 nor 1, whose logarithms are infinite and 0; 2^-24 is the spacing of fp32 below 1.
    return uniform.clamp_(2**-24, 1 - 2**-24).log_().neg_()
