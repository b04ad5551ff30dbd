"""Causal attention within documents, by the kernel that `Documents` was prepared for.

Shapes: B sequences, T tokens of a window, H query heads, G key-value heads, D numbers of a head.
"""

import torch
from torch import Tensor
from torch.nn import functional

from model.dropout import keep_mask
from model.mixers.documents import Documents


def attend(
    q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, documents: Documents, dropout: float = 0.0, key_B: Tensor | None = None
) -> Tensor:
    """Return softmax(q k / sqrt(D)) v within each document, (B, T, H, D).

    With `key_B`, attention weights are dropped with the probability `dropout`, by `keep_mask`. Sources: Vaswani et al. 2017,
    3.2.1; grouped heads: Ainslie et al. 2023.
    """
    if key_B is not None and dropout > 0:
        return _attend_with_dropout(q_BTHD, k_BTGD, v_BTGD, documents, dropout, key_B)
    if documents.method == "loop":
        if torch.compiler.is_compiling():
            # The loop's shapes depend on the data: the compiler would build a program for each batch.
            o_BTHD: Tensor = torch.compiler.disable(_attend_in_loop)(q_BTHD, k_BTGD, v_BTGD, documents.lengths)
            return o_BTHD
        return _attend_in_loop(q_BTHD, k_BTGD, v_BTGD, documents.lengths)
    if documents.method in ("varlen", "flex"):
        # The compiler behind these takes seconds to import, which no CPU run should wait for.
        from model.mixers import gpu_attention

        if documents.bounds is not None:
            return gpu_attention.attend_packed(q_BTHD, k_BTGD, v_BTGD, documents.bounds, documents.longest)
        assert documents.blocks is not None
        return gpu_attention.attend_in_blocks(q_BTHD, k_BTGD, v_BTGD, documents.blocks)
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
    """Attend with all weights in memory, as no kernel takes a dropout mask. Only GPT-2's presets have dropout."""
    heads, time = q_BTHD.shape[2], q_BTHD.shape[1]
    q_BHTD, k_BHTD, v_BHTD = (_for_each_query_head(x, heads).transpose(1, 2) for x in (q_BTHD, k_BTGD, v_BTGD))
    scores_BHTT = (q_BHTD @ k_BHTD.transpose(2, 3)).float() * q_BHTD.shape[3] ** -0.5
    weights_BHTT = scores_BHTT.masked_fill(~documents.mask_B1TT, -torch.inf).softmax(-1)
    weights_BHTT = weights_BHTT * keep_mask(key_B, (heads, time, time), dropout) * (1 / (1 - dropout))
    o_BHTD: Tensor = weights_BHTT.to(v_BHTD.dtype) @ v_BHTD
    return o_BHTD.transpose(1, 2)
