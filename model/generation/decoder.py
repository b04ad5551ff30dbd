"""The model's arithmetic by plain function calls, for generating one or a few tokens at a time.

With one token at a time each product is a matrix times a vector, so a token takes as long as reading all weights once, and the
overhead of PyTorch's modules around each call is noticeable. Here the same functions get the same parameters without modules in
between, and another implementation of the products can be plugged in. `GPT.logits` reads prompts, and tests compare with it.

Shapes: B rows, T tokens, E width, H query heads, G key-value heads, D numbers of a head, F feed-forward width, V vocabulary.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.gpt import GPT, Block, rotary_angles, rotate
from model.mixers.cache import Cache

Step = Callable[[Tensor], Tensor]
# From a matrix and a bias to a function that applies them.
Linear = Callable[[Tensor, Tensor | None], Step]


def plain_linear(weight: Tensor, bias: Tensor | None) -> Step:
    """Return `functional.linear` with this matrix and bias."""
    return partial(functional.linear, weight=weight, bias=bias)


class Decoder:
    """A model as plain functions of its parameters, which are not copied (unless by `linear`), so later changes take effect."""

    def __init__(self, model: GPT, linear: Linear = plain_linear) -> None:
        self._model = model
        self._layers = [_DecoderLayer(block, linear) for block in model.blocks if isinstance(block, Block)]
        self._norm = _step(model.norm, linear)
        self._head = linear(model.head_VE, None)

    def logits(self, tokens_BT: Tensor, cache: Cache) -> Tensor:
        """Return the logits (B, T, V) after each of `tokens_BT`, int64, which continue the text in `cache`."""
        model, time = self._model, tokens_BT.shape[1]
        x_BTE = functional.embedding(tokens_BT, model.token_embedding.weight)
        angles = None
        if model.position_embedding is None:
            positions_1T = torch.arange(cache.length, cache.length + time, device=x_BTE.device)[None]
            angles = rotary_angles(positions_1T, model.config)
        else:
            x_BTE = x_BTE + model.position_embedding.weight[cache.length : cache.length + time]
        for layer in self._layers:
            x_BTE = layer.forward(x_BTE, angles, cache)
        cache.advance(time)
        return self._head(self._norm(x_BTE))


class _DecoderLayer:
    def __init__(self, block: Block, linear: Linear) -> None:
        attention, feed_forward = block.attention, block.feed_forward
        self.index = block.layer
        self.head_width = block.config.head_width
        self.attention_norm, self.feed_forward_norm = (
            _step(norm, linear) for norm in (block.attention_norm, block.feed_forward_norm)
        )
        self.query, self.key, self.value, self.output, self.up, self.down = (
            _step(module, linear)
            for module in (attention.query, attention.key, attention.value, attention.output, feed_forward.up, feed_forward.down)
        )
        self.gate = None if feed_forward.gate is None else _step(feed_forward.gate, linear)
        self.head_norms = None
        if block.config.query_key_norm:
            self.head_norms = _step(attention.query_norm, linear), _step(attention.key_norm, linear)

    def forward(self, x_BTE: Tensor, angles: tuple[Tensor, Tensor] | None, cache: Cache) -> Tensor:
        """Return the block's output, (B, T, E); its keys and values are added to `cache`."""
        h_BTE = self.attention_norm(x_BTE)
        q_BTHD, k_BTGD, v_BTGD = (
            project(h_BTE).unflatten(-1, (-1, self.head_width)) for project in (self.query, self.key, self.value)
        )
        if self.head_norms is not None:
            query_norm, key_norm = self.head_norms
            q_BTHD, k_BTGD = query_norm(q_BTHD), key_norm(k_BTGD)
        if angles is not None:
            q_BTHD, k_BTGD = rotate(q_BTHD, angles), rotate(k_BTGD, angles)
        o_BTHD = cache.attend(self.index, q_BTHD, k_BTGD, v_BTGD)
        x_BTE = x_BTE + self.output(o_BTHD.flatten(2))
        h_BTE = self.feed_forward_norm(x_BTE)
        hidden_BTF = self.up(h_BTE)
        if self.gate is None:
            hidden_BTF = functional.gelu(hidden_BTF, approximate="tanh")
        else:
            hidden_BTF = functional.silu(self.gate(h_BTE)) * hidden_BTF
        return x_BTE + self.down(hidden_BTF)


def _step(module: nn.Module, linear: Linear) -> Step:
    """Return what `module` computes as a function."""
    if isinstance(module, nn.Linear):
        return linear(module.weight, module.bias)
    assert isinstance(module, nn.LayerNorm | nn.RMSNorm)
    shape, weight, epsilon = module.normalized_shape, module.weight, module.eps
    if isinstance(module, nn.RMSNorm):
        return partial(functional.rms_norm, normalized_shape=shape, weight=weight, eps=epsilon)
    return partial(functional.layer_norm, normalized_shape=shape, weight=weight, bias=module.bias, eps=module.eps)
