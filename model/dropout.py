"""Dropout without a random generator: whether a number is kept is a function of a key and of the number's place.

A key belongs to one sequence of the training order and one place in the network. So a sequence has the same masks
whether it is computed alone or in a batch, on one rank or another, before or after a restart, and nothing about dropout has to be
saved. The hash is the 32-bit finaliser `lowbias32` of Chris Wellons' prospecting ("Prospecting for Hash Functions",
nullprogram.com, 2018), computed in int32, which wraps.

Shapes: B sequences, ... places of a sequence.
"""

import math

import torch
from torch import Tensor

# 2^32 divided by the golden ratio: multiples of it spread evenly over 32 bits (Knuth, TAOCP vol. 3, 6.4).
_GOLDEN = 0x9E3779B9 - 2**32
_FIRST_FACTOR = 0x7FEB352D
_SECOND_FACTOR = 0x846CA68B - 2**32


def _mixed(x: Tensor) -> Tensor:
    """lowbias32 of int32 `x`; the masks make the arithmetic shifts of int32 logical ones."""
    x = (x ^ ((x >> 16) & 0xFFFF)) * _FIRST_FACTOR
    x = (x ^ ((x >> 15) & 0x1FFFF)) * _SECOND_FACTOR
    return x ^ ((x >> 16) & 0xFFFF)


def place_key(key_B: Tensor, place: int) -> Tensor:
    """The keys, int32 (B,), of the sequences with `key_B`, int32 (B,), for one place in the network."""
    return _mixed(key_B + torch.tensor(place, dtype=torch.int32, device=key_B.device) * _GOLDEN)


def random_bits(key_B: Tensor, count: int) -> Tensor:
    """int32 (B, count): 32 random bits for each key and each index below `count`, whatever `count` is."""
    index = torch.arange(count, dtype=torch.int32, device=key_B.device)
    return _mixed(index ^ key_B[:, None])


def keep_mask(key_B: Tensor, shape: tuple[int, ...], probability: float) -> Tensor:
    """bool (B, *shape): False with `probability`, decided by each sequence's key and the index in `shape`."""
    threshold = round(probability * 2**32) - 2**31
    return (random_bits(key_B, math.prod(shape)) >= threshold).view(-1, *shape)


def dropout(x: Tensor, key_B: Tensor | None, probability: float) -> Tensor:
    """`x`, (B, ...), with a share of `probability` set to 0 and the rest scaled by 1 / (1 - probability).

    Without keys, that is outside training, `x` itself (Srivastava et al. 2014, "inverted" form).
    """
    if key_B is None or probability == 0:
        return x
    return x * keep_mask(key_B, tuple(x.shape[1:]), probability) * (1 / (1 - probability))
