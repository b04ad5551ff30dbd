"""Dropout without a random generator: whether a number is kept is a hash of a key and the number's index.

A key belongs to one sequence of the training order and one place in the network. So a sequence gets the same masks alone or in
a batch, on any rank, before and after a restart, and a checkpoint need not store anything about dropout. The hash is the 32-bit
finalizer `lowbias32` (Chris Wellons, "Prospecting for Hash Functions", nullprogram.com, 2018), computed in int32, which wraps.

Shapes: B sequences, ... numbers of a sequence.
"""

import math

import torch
from torch import Tensor

# 2^32 divided by the golden ratio: multiples of it spread evenly over 32 bits (Knuth, TAOCP vol. 3, 6.4).
_GOLDEN = 0x9E3779B9 - 2**32
_FIRST_FACTOR = 0x7FEB352D
_SECOND_FACTOR = 0x846CA68B - 2**32


def _mixed(x: Tensor) -> Tensor:
    """Return lowbias32 of int32 `x`; the masks turn the arithmetic shifts of int32 into logical ones."""
    x = (x ^ ((x >> 16) & 0xFFFF)) * _FIRST_FACTOR
    x = (x ^ ((x >> 15) & 0x1FFFF)) * _SECOND_FACTOR
    return x ^ ((x >> 16) & 0xFFFF)


def place_key(key_B: Tensor, place: int) -> Tensor:
    """Return the keys, int32 (B,), for one place in the network, of the sequences with `key_B`, int32 (B,)."""
    return _mixed(key_B + torch.tensor(place, dtype=torch.int32, device=key_B.device) * _GOLDEN)


def random_bits(key_B: Tensor, count: int) -> Tensor:
    """Return 32 random bits for each key and each index, int32 (B, count). They do not depend on `count`."""
    index = torch.arange(count, dtype=torch.int32, device=key_B.device)
    return _mixed(index ^ key_B[:, None])


def keep_mask(key_B: Tensor, shape: tuple[int, ...], probability: float) -> Tensor:
    """Return a mask, bool (B, *shape), False with `probability`, determined by each sequence's key and the index in `shape`."""
    threshold = round(probability * 2**32) - 2**31
    return (random_bits(key_B, math.prod(shape)) >= threshold).view(-1, *shape)


def dropout(x: Tensor, key_B: Tensor | None, probability: float) -> Tensor:
    """Return `x`, (B, ...), with a share of `probability` set to 0 and the rest scaled by 1 / (1 - probability).

    Without keys, as in evaluation, return `x` itself. (Srivastava et al. 2014, in "inverted" form.)
    """
    if key_B is None or probability == 0:
        return x
    return x * keep_mask(key_B, tuple(x.shape[1:]), probability) * (1 / (1 - probability))
