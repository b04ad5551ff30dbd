"""One more token of each row: the model's arithmetic by calls of torch alone, for generation.

With one token at a time a product is a matrix times a vector, so a token takes as long as it takes to read all weights once,
and what PyTorch's modules do around each call is felt beside it. Here the same functions get the same parameters
without modules in between. `GPT.logits` is the oracle of the tests, and reads prompts.

Shapes: B rows, E width, H query heads, G key-value heads, D numbers of a head, V vocabulary.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.attention import Cache
from model.gpt import GPT, Block, rotary_angles, rotate

Step = Callable[[Tensor], Tensor]


def lay_out_for_generation(model: GPT) -> None:
    """Turn the matrices of a model on a CPU over in memory, from rows to columns; shapes and values stay.

    A vector times a matrix is then a sum of rows that lie one after the other, and reads memory a third faster than as
    many scalar products (MKL, one core). Each matrix is copied once, so no more memory is needed than for the largest.
    """
    for parameter in model.parameters():
        if parameter.ndim == 2 and parameter.device.type == "cpu":
            parameter.data = parameter.data.T.contiguous().T


class Decoder:
    """Reads the parameters of `model` where they are: it holds no copies, and sees what becomes of them."""

    def __init__(self, model: GPT) -> None:
        self._model = model
        self._layers = [_DecoderLayer(block) for block in model.blocks if isinstance(block, Block)]
        self._norm = _step(model.norm)

    def logits(self, tokens_B: Tensor, cache: Cache) -> Tensor:
        """Logits (B, V) of what follows `tokens_B`, int64, that continue what `cache` holds."""
        model = self._model
        x_BE = functional.embedding(tokens_B, model.token_embedding.weight)
        angles = None
        if model.position_embedding is None:
            angles = rotary_angles(torch.full((1, 1), cache.length, device=x_BE.device), model.config)
        else:
            x_BE = x_BE + model.position_embedding.weight[cache.length]
        for layer in self._layers:
            x_BE = layer.forward(x_BE, angles, cache)
        cache.advance(1)
        return functional.linear(self._norm(x_BE), model.head_VE)


class _DecoderLayer:
    def __init__(self, block: Block) -> None:
        attention, feed_forward = block.attention, block.feed_forward
        self.index = block.layer
        self.head_width = block.config.head_width
        self.attention_norm, self.feed_forward_norm = _step(block.attention_norm), _step(block.feed_forward_norm)
        self.query, self.key, self.value = _step(attention.query), _step(attention.key), _step(attention.value)
        self.output, self.up, self.down = _step(attention.output), _step(feed_forward.up), _step(feed_forward.down)
        self.gate = None if feed_forward.gate is None else _step(feed_forward.gate)
        self.head_norms = (_step(attention.query_norm), _step(attention.key_norm)) if block.config.query_key_norm else None

    def forward(self, x_BE: Tensor, angles: tuple[Tensor, Tensor] | None, cache: Cache) -> Tensor:
        h_BE = self.attention_norm(x_BE)
        shape = (len(x_BE), 1, -1, self.head_width)
        q_B1HD, k_B1GD = self.query(h_BE).view(shape), self.key(h_BE).view(shape)
        if self.head_norms is not None:
            query_norm, key_norm = self.head_norms
            q_B1HD, k_B1GD = query_norm(q_B1HD), key_norm(k_B1GD)
        if angles is not None:
            q_B1HD, k_B1GD = rotate(q_B1HD, angles), rotate(k_B1GD, angles)
        o_B1HD = cache.attend(self.index, q_B1HD, k_B1GD, self.value(h_BE).view(shape))
        x_BE = x_BE + self.output(o_B1HD.flatten(1))
        h_BE = self.feed_forward_norm(x_BE)
        hidden_BF = self.up(h_BE)
        if self.gate is None:
            hidden_BF = functional.gelu(hidden_BF, approximate="tanh")
        else:
            hidden_BF = functional.silu(self.gate(h_BE)) * hidden_BF
        return x_BE + self.down(hidden_BF)


def _step(module: nn.Module) -> Step:
    """What `module` computes, without the module."""
    if isinstance(module, nn.Linear):
        return partial(functional.linear, weight=module.weight, bias=module.bias)
    assert isinstance(module, nn.LayerNorm | nn.RMSNorm)
    shape, weight, epsilon = module.normalized_shape, module.weight, module.eps
    if isinstance(module, nn.RMSNorm):
        return partial(functional.rms_norm, normalized_shape=shape, weight=weight, eps=epsilon)
    return partial(functional.layer_norm, normalized_shape=shape, weight=weight, bias=module.bias, eps=module.eps)
