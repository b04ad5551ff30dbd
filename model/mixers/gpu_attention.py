"""GPU kernels for attention within documents: packed flash attention, and FlexAttention compiled for the mask.

Importing them takes seconds, so `attention` and `documents` import this module only when they need it. Shapes as in
`attention`.
"""

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from torch.nn.attention.varlen import varlen_attn

# Compiled at the first call; uncompiled it would write out all scores.
_compiled_flex_attention = torch.compile(flex_attention)


def block_mask(starts_BT: Tensor) -> BlockMask:
    """Return which blocks of the scores lie in documents at all, for `attend_in_blocks`. starts_BT: see `documents`."""
    windows, time = starts_BT.shape

    def same_document(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (key >= starts_BT[row, query])

    return create_block_mask(same_document, windows, None, time, time, device=starts_BT.device)


def attend_packed(q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, bounds: Tensor, longest: int) -> Tensor:
    """Return attention within each document, (B, T, H, D), by flash attention over the packed tokens.

    bounds: int32, the first packed token of each document, then B·T. longest: an upper bound of the documents' lengths.
    """
    q_NHD, k_NGD, v_NGD = q_BTHD.flatten(0, 1), k_BTGD.flatten(0, 1), v_BTGD.flatten(0, 1)
    o_NHD = varlen_attn(q_NHD, k_NGD, v_NGD, bounds, bounds, longest, longest, window_size=(-1, 0), enable_gqa=True)
    assert isinstance(o_NHD, Tensor)
    return o_NHD.view_as(q_BTHD)


def attend_in_blocks(q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, blocks: BlockMask) -> Tensor:
    """Return attention within each document, (B, T, H, D), by FlexAttention. blocks: of `block_mask`."""
    q_BHTD, k_BGTD, v_BGTD = (x.transpose(1, 2) for x in (q_BTHD, k_BTGD, v_BTGD))
    flex = _compiled_flex_attention if q_BHTD.is_cuda else flex_attention
    o_BHTD = flex(q_BHTD, k_BGTD, v_BGTD, block_mask=blocks, enable_gqa=True)
    assert isinstance(o_BHTD, Tensor)
    return o_BHTD.transpose(1, 2)
