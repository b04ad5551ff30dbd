"""The keys and values of all tokens generated so far, for attention one token at a time.

Shapes: B rows, T new tokens, H query heads, G key-value heads, D numbers of a head, L layers, K keys and values (2),
S tokens in the cache.
"""

import torch
from torch import Tensor
from torch.nn import functional


class Cache:
    """The keys and values of all layers and positions, in memory allocated once."""

    def __init__(self, layers: int, batch: int, capacity: int, groups: int, head_width: int, like: Tensor) -> None:
        """Allocate `capacity` tokens for `batch` rows, with the dtype and on the device of the tensor `like`."""
        shape = (layers, 2, batch, capacity, groups, head_width)
        self.held_LKBSGD = torch.empty(shape, dtype=like.dtype, device=like.device)
        self.length = 0

    @property
    def capacity(self) -> int:
        """Tokens that fit."""
        return self.held_LKBSGD.shape[3]

    def attend(self, layer: int, q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor) -> Tensor:
        """Return the attention of T new tokens to themselves and all earlier ones, (B, T, H, D).

        Stores their keys and values in `layer`. Call `advance` once after all layers.
        """
        stop = self.length + q_BTHD.shape[1]
        held_KBSGD = self.held_LKBSGD[layer]
        held_KBSGD[0, :, self.length : stop] = k_BTGD
        held_KBSGD[1, :, self.length : stop] = v_BTGD
        q_BHTD, k_BGSD, v_BGSD = (x.transpose(1, 2) for x in (q_BTHD, held_KBSGD[0, :, :stop], held_KBSGD[1, :, :stop]))
        mask = None
        if q_BTHD.shape[1] > 1:  # a single new token attends to everything
            mask = torch.ones(q_BTHD.shape[1], stop, dtype=torch.bool, device=q_BTHD.device).tril_(self.length)
        o_BHTD = functional.scaled_dot_product_attention(q_BHTD, k_BGSD, v_BGSD, attn_mask=mask, enable_gqa=True)
        return o_BHTD.transpose(1, 2)

    def advance(self, tokens: int) -> None:
        """Count `tokens` more as stored."""
        self.length += tokens

    def select(self, rows_B: Tensor) -> None:
        """Replace row i by what row `rows_B[i]`, int64, was: the survivors of a step of beam search."""
        self.held_LKBSGD[:, :, :, : self.length] = self.held_LKBSGD[:, :, rows_B, : self.length]
