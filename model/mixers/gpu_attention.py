"""The kernels of GPUs for attention within documents: packed flash attention, and FlexAttention compiled for the mask.

Apart from `attention`, as importing them takes seconds. Shapes as there.
"""

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from torch.nn.attention.varlen import varlen_attn

from model.mixers.attention import Documents

# Compiled at the first call; uncompiled it would write out all scores.
_compiled_flex_attention = torch.compile(flex_attention)


def block_mask(starts_BT: Tensor) -> BlockMask:
    """Which blocks of the scores lie in documents at all, for FlexAttention."""
    windows, time = starts_BT.shape

    def same_document(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (key >= starts_BT[row, query])

    return create_block_mask(same_document, windows, None, time, time, device=starts_BT.device)


def attend(q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, documents: Documents) -> Tensor:
    """Attention within each document, (B, T, H, D), by the method that `documents` was made for."""
    if documents.method == "varlen":
        q_NHD, k_NGD, v_NGD = q_BTHD.flatten(0, 1), k_BTGD.flatten(0, 1), v_BTGD.flatten(0, 1)
        bounds, longest = documents.bounds, documents.longest
        assert bounds is not None
        o_NHD = varlen_attn(q_NHD, k_NGD, v_NGD, bounds, bounds, longest, longest, window_size=(-1, 0), enable_gqa=True)
        assert isinstance(o_NHD, Tensor)
        return o_NHD.view_as(q_BTHD)
    q_BHTD, k_BGTD, v_BGTD = (x.transpose(1, 2) for x in (q_BTHD, k_BTGD, v_BTGD))
    flex = _compiled_flex_attention if q_BHTD.is_cuda else flex_attention
    o_BHTD = flex(q_BHTD, k_BGTD, v_BGTD, block_mask=documents.blocks, enable_gqa=True)
    assert isinstance(o_BHTD, Tensor)
    return o_BHTD.transpose(1, 2)
