"""Causal attention that stays inside documents, by the fastest kernel of each device, and the cache of generation.

A window of training text holds several documents; a token may look back to the start of its own and no further. What is known
of a batch is `starts_BT`, the index in the window of the first token of each token's document. From it follow positions, spans
and masks, once a batch for all layers. There are four ways to the same numbers:

- `loop`: one causal kernel call a document. On a CPU it is the fastest way, as its cost falls with document length.
- `varlen`: one call for all documents, packed (flash attention; NVIDIA, 16-bit numbers).
- `flex`: a compiled kernel that skips blocks outside documents (GPUs in any precision).
- `mask`: a boolean mask over whole windows. The plainest, and the oracle of the others' tests.

Shapes: B sequences, T tokens of a window, H query heads, G key-value heads, D numbers of a head, N = B·T tokens,
S tokens in the cache.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional

from model.dropout import keep_mask

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

Method = Literal["loop", "varlen", "flex", "mask"]


def attention_method(device: torch.device, dtype: torch.dtype) -> Method:
    """The fastest of the ways for a device and the precision of its matrix products."""
    if device.type == "cpu":
        return "loop"
    if device.type == "cuda":
        return "varlen" if dtype in (torch.bfloat16, torch.float16) else "flex"
    return "mask"


@dataclass(frozen=True)
class Documents:
    """Where the documents of a batch lie, in the form that `method` asks for.

    starts_BT: int64. lengths: of each document of the batch, in order, for `loop`. bounds: int32, the first packed token of
    each document and the end, for `varlen`, with longest, the greatest length that can occur. blocks: for `flex`.
    """

    starts_BT: Tensor
    method: Method
    lengths: tuple[int, ...] = ()
    bounds: Tensor | None = None
    longest: int = 0
    blocks: "BlockMask | None" = None

    @classmethod
    def of(cls, starts_BT: Tensor, method: Method) -> "Documents":
        """starts_BT: integers (B, T), see the module's docstring."""
        starts_BT = starts_BT.long()
        if method == "loop":
            return cls(starts_BT, method, lengths=tuple(_bounds(starts_BT).diff().tolist()))
        if method == "varlen":
            # The kernel is told the window's length, not the longest document's, so that nothing waits for the device.
            return cls(starts_BT, method, bounds=_bounds(starts_BT).int(), longest=starts_BT.shape[1])
        if method == "flex":
            from model.mixers.gpu_attention import block_mask

            return cls(starts_BT, method, blocks=block_mask(starts_BT))
        return cls(starts_BT, method)

    @property
    def positions_BT(self) -> Tensor:
        """The place of each token in its document, counted from the window's start for one begun before."""
        return torch.arange(self.starts_BT.shape[1], device=self.starts_BT.device) - self.starts_BT

    @property
    def mask_B1TT(self) -> Tensor:
        """bool: may the query (row) look at the key (column)?"""
        index = torch.arange(self.starts_BT.shape[1], device=self.starts_BT.device)
        return ((index[:, None] >= index) & (index >= self.starts_BT[:, :, None])).unsqueeze(1)


def _bounds(starts_BT: Tensor) -> Tensor:
    """Where documents begin in the packed tokens, and N."""
    is_start_BT = starts_BT == torch.arange(starts_BT.shape[1], device=starts_BT.device)
    is_start_BT[:, 0] = True
    begins = is_start_BT.flatten().nonzero().squeeze(1)
    return functional.pad(begins, (0, 1), value=starts_BT.numel())


def attend(
    q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, documents: Documents, dropout: float = 0.0, key_B: Tensor | None = None
) -> Tensor:
    """softmax(q k / sqrt(D)) v within each document, (B, T, H, D) (Vaswani et al. 2017, 3.2.1; groups: Ainslie et al. 2023).

    With `key_B`, attention weights are dropped with the probability `dropout`, by `keep_mask`.
    """
    if key_B is not None and dropout > 0:
        return _attend_with_dropout(q_BTHD, k_BTGD, v_BTGD, documents, dropout, key_B)
    if documents.method == "loop":
        if torch.compiler.is_compiling():
            # The loop's shapes depend on the data: a compiler would make a program for each batch.
            return torch.compiler.disable(_attend_in_loop)(q_BTHD, k_BTGD, v_BTGD, documents.lengths)
        return _attend_in_loop(q_BTHD, k_BTGD, v_BTGD, documents.lengths)
    if documents.method in ("varlen", "flex"):
        # The compiler that these need takes seconds to import, which no CPU should wait for.
        from model.mixers import gpu_attention

        return gpu_attention.attend(q_BTHD, k_BTGD, v_BTGD, documents)
    q_BHTD, k_BGTD, v_BGTD = (x.transpose(1, 2) for x in (q_BTHD, k_BTGD, v_BTGD))
    mask = documents.mask_B1TT
    return functional.scaled_dot_product_attention(q_BHTD, k_BGTD, v_BGTD, attn_mask=mask, enable_gqa=True).transpose(1, 2)


def _attend_in_loop(q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, lengths: tuple[int, ...]) -> Tensor:
    heads = q_BTHD.shape[2]
    k_BTHD, v_BTHD = (_for_each_query_head(x, heads) for x in (k_BTGD, v_BTGD))
    pieces = [x.flatten(0, 1).transpose(0, 1).split(lengths, dim=1) for x in (q_BTHD, k_BTHD, v_BTHD)]
    outputs = [
        functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True).squeeze(0)
        for q, k, v in zip(*pieces, strict=True)
    ]
    return torch.cat(outputs, dim=1).transpose(0, 1).reshape(q_BTHD.shape)


def _for_each_query_head(x_BTGD: Tensor, heads: int) -> Tensor:
    groups = x_BTGD.shape[2]
    return x_BTGD if groups == heads else x_BTGD.repeat_interleave(heads // groups, dim=2)


def _attend_with_dropout(
    q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, documents: Documents, dropout: float, key_B: Tensor
) -> Tensor:
    """Weights are written out here, as no kernel takes a mask of dropped weights. Presets with dropout are GPT-2's alone."""
    heads, time = q_BTHD.shape[2], q_BTHD.shape[1]
    q_BHTD, k_BHTD, v_BHTD = (_for_each_query_head(x, heads).transpose(1, 2) for x in (q_BTHD, k_BTGD, v_BTGD))
    scores_BHTT = (q_BHTD @ k_BHTD.transpose(2, 3)).float() * q_BTHD.shape[3] ** -0.5
    weights_BHTT = scores_BHTT.masked_fill(~documents.mask_B1TT, -torch.inf).softmax(-1)
    weights_BHTT = weights_BHTT * keep_mask(key_B, (heads, time, time), dropout) * (1 / (1 - dropout))
    return (weights_BHTT.to(v_BHTD.dtype) @ v_BHTD).transpose(1, 2)


class Cache:
    """The keys and values of all positions that generation has passed, of all layers, in memory taken once."""

    def __init__(self, layers: int, batch: int, capacity: int, groups: int, head_width: int, like: Tensor) -> None:
        """capacity: tokens that fit. like: a tensor of the dtype and device wanted."""
        shape = (layers, 2, batch, capacity, groups, head_width)
        self.held_LKBSGD = torch.empty(shape, dtype=like.dtype, device=like.device)
        self.length = 0

    @property
    def capacity(self) -> int:
        """Tokens that fit."""
        return self.held_LKBSGD.shape[3]

    def attend(self, layer: int, q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor) -> Tensor:
        """Attention of T new tokens to themselves and all before, (B, T, H, D). Keeps their keys and values in `layer`;
        `advance` must follow once when all layers are done."""
        stop = self.length + q_BTHD.shape[1]
        held_KBSGD = self.held_LKBSGD[layer]
        held_KBSGD[0, :, self.length : stop] = k_BTGD
        held_KBSGD[1, :, self.length : stop] = v_BTGD
        q_BHTD, k_BGSD, v_BGSD = (x.transpose(1, 2) for x in (q_BTHD, held_KBSGD[0, :, :stop], held_KBSGD[1, :, :stop]))
        mask = None
        if q_BTHD.shape[1] > 1:  # a single new token sees everything
            mask = torch.ones(q_BTHD.shape[1], stop, dtype=torch.bool, device=q_BTHD.device).tril_(self.length)
        o_BHTD = functional.scaled_dot_product_attention(q_BHTD, k_BGSD, v_BGSD, attn_mask=mask, enable_gqa=True)
        return o_BHTD.transpose(1, 2)

    def advance(self, tokens: int) -> None:
        """Count `tokens` more as held."""
        self.length += tokens

    def select(self, rows: Tensor) -> None:
        """Make row i a copy of what row `rows[i]` was, int64 (B,): the survivors of a step of beam search."""
        self.held_LKBSGD[:, :, :, : self.length] = self.held_LKBSGD[:, :, rows, : self.length]
