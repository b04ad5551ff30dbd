"""The GPT: a decoder-only transformer, from GPT-2's form to a modern one.

    x = token embedding (+ position embedding)
    each block:  x = x + attention(norm(x));  x = x + feed_forward(norm(x))        (norms first: Radford et al. 2019, 2.3)
    logits = head(norm(x))

Modules are created in the order of the book "Build a Large Language Model (From Scratch)" (Raschka 2024, chapter 4), with
torch's own initial values, so that this model gives the figures printed there under the same seed; `initialization` sets the
values that training starts from. The model has no state besides its parameters: no training mode, no generator, no buffer.
Dropout is applied if keys are given (see `dropout`), and equal arguments give equal results.

Shapes: B sequences, T tokens, E width, H query heads, G key-value heads, D numbers of a head, F feed-forward width,
V vocabulary.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import ModelConfig
from model.cross_entropy import cross_entropy
from model.dropout import dropout, place_key
from model.mixers.attention import attend
from model.mixers.cache import Cache
from model.mixers.documents import Documents

# The places in the network with dropout masks of their own: the embedding, then three per block.
EMBEDDING, ATTENTION, ATTENTION_RESIDUAL, FEED_FORWARD_RESIDUAL = range(4)


def _place(layer: int, site: int) -> int:
    return 4 * (layer + 1) + site


def _norm(width: int, config: ModelConfig) -> nn.Module:
    norm = nn.LayerNorm if config.normalization == "layer_norm" else nn.RMSNorm
    return norm(width, eps=config.normalization_epsilon)


def _scaled(frequencies_D: Tensor, config: ModelConfig) -> Tensor:
    """Return the frequencies after `config.rotary_scaling` (transformers, modeling_rope_utils.py, linear and llama3)."""
    if config.rotary_scaling == "none":
        return frequencies_D
    slowed_D = frequencies_D / config.rotary_factor
    if config.rotary_scaling == "linear":
        return slowed_D
    low, high = config.rotary_low_frequency_factor, config.rotary_high_frequency_factor
    waves_D = config.rotary_original_context * frequencies_D / (2 * torch.pi)  # periods within the original context
    share_D = ((waves_D - low) / (high - low)).clamp(0, 1)
    return share_D * frequencies_D + (1 - share_D) * slowed_D


def rotary_angles(positions_BT: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Return the cosines and sines, fp32 (B, T, 1, D/2), that rotate queries and keys at `positions_BT`."""
    exponents = torch.arange(0, config.head_width, 2, device=positions_BT.device) / config.head_width
    angles_BT1D = positions_BT[:, :, None, None] * _scaled(config.rotary_base**-exponents, config)
    return angles_BT1D.cos(), angles_BT1D.sin()


def rotate(x_BTHD: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate the pair (i, i + D/2) of each head by its angle (Su et al. 2021, 3.2.2, paired as in GPT-NeoX and LLaMA)."""
    cosine, sine = angles
    first, second = x_BTHD.float().chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1).to(x_BTHD.dtype)


class Attention(nn.Module):
    """Causal attention with grouped key-value heads, within documents or over a cache."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        shared_width = config.key_value_heads * config.head_width
        self.query = nn.Linear(config.width, config.width, bias=config.query_key_value_bias)
        self.key = nn.Linear(config.width, shared_width, bias=config.query_key_value_bias)
        self.value = nn.Linear(config.width, shared_width, bias=config.query_key_value_bias)
        self.output = nn.Linear(config.width, config.width, bias=config.projection_bias)
        if config.query_key_norm:
            self.query_norm = _norm(config.head_width, config)
            self.key_norm = _norm(config.head_width, config)

    def forward(
        self,
        x_BTE: Tensor,
        documents: Documents | None,
        angles: tuple[Tensor, Tensor] | None,
        cache: Cache | None,
        key_B: Tensor | None,
    ) -> Tensor:
        """Return the attention branch, (B, T, E). Arguments as of `Block.forward`."""
        q_BTHD = self.query(x_BTE).unflatten(-1, (-1, self.config.head_width))
        k_BTGD = self.key(x_BTE).unflatten(-1, (-1, self.config.head_width))
        v_BTGD = self.value(x_BTE).unflatten(-1, (-1, self.config.head_width))
        if self.config.query_key_norm:
            q_BTHD, k_BTGD = self.query_norm(q_BTHD), self.key_norm(k_BTGD)
        if angles is not None:
            q_BTHD, k_BTGD = rotate(q_BTHD, angles), rotate(k_BTGD, angles)
        if cache is not None:
            o_BTHD = cache.attend(self.layer, q_BTHD, k_BTGD, v_BTGD)
        else:
            assert documents is not None
            weights_key_B = None if key_B is None else place_key(key_B, _place(self.layer, ATTENTION))
            o_BTHD = attend(q_BTHD, k_BTGD, v_BTGD, documents, self.config.dropout, weights_key_B)
        out_BTE: Tensor = self.output(o_BTHD.flatten(2))
        return out_BTE


class FeedForward(nn.Module):
    """Two matrices with GPT-2's GELU in its tanh form, or three with SwiGLU (Shazeer 2020)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = (
            nn.Linear(config.width, config.feed_forward_width, bias=config.projection_bias)
            if config.feed_forward == "swiglu"
            else None
        )
        self.up = nn.Linear(config.width, config.feed_forward_width, bias=config.projection_bias)
        self.down = nn.Linear(config.feed_forward_width, config.width, bias=config.projection_bias)

    def forward(self, x_BTE: Tensor) -> Tensor:
        """Return the feed-forward branch, (B, T, E)."""
        out_BTE: Tensor
        if self.gate is None:
            out_BTE = self.down(functional.gelu(self.up(x_BTE), approximate="tanh"))
        else:
            out_BTE = self.down(functional.silu(self.gate(x_BTE)) * self.up(x_BTE))
        return out_BTE


class Block(nn.Module):
    """Attention and a feed-forward network, each behind a norm and added to its input."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        self.attention = Attention(config, layer)
        self.feed_forward = FeedForward(config)
        self.attention_norm = _norm(config.width, config)
        self.feed_forward_norm = _norm(config.width, config)

    def forward(
        self,
        x_BTE: Tensor,
        documents: Documents | None,
        angles: tuple[Tensor, Tensor] | None,
        cache: Cache | None,
        key_B: Tensor | None,
    ) -> Tensor:
        """Return the block's output, (B, T, E).

        documents: of the batch, unless a cache is given. angles: of rotary positions. key_B: dropout keys; None drops nothing.
        """
        branch_BTE = self.attention(self.attention_norm(x_BTE), documents, angles, cache, key_B)
        x_BTE = x_BTE + self._dropped(branch_BTE, key_B, ATTENTION_RESIDUAL)
        branch_BTE = self.feed_forward(self.feed_forward_norm(x_BTE))
        return x_BTE + self._dropped(branch_BTE, key_B, FEED_FORWARD_RESIDUAL)

    def _dropped(self, x_BTE: Tensor, key_B: Tensor | None, site: int) -> Tensor:
        if key_B is None:
            return x_BTE
        return dropout(x_BTE, place_key(key_B, _place(self.layer, site)), self.config.dropout)


class GPT(nn.Module):
    """The whole model. Its parameters have torch's initial values until `initialize` or a checkpoint sets them."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocabulary_size, config.width)
        self.position_embedding = nn.Embedding(config.context_length, config.width) if config.positions == "learned" else None
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.norm = _norm(config.width, config)
        self.head = None if config.tie_embeddings else nn.Linear(config.width, config.vocabulary_size, bias=False)

    @property
    def head_VE(self) -> Tensor:
        """The output matrix, the token embedding if they are tied."""
        return self.token_embedding.weight if self.head is None else self.head.weight

    def forward(
        self, tokens_BT: Tensor, targets_BT: Tensor, documents: Documents | None = None, dropout_key_B: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the summed loss in nats of predicting `targets_BT`, and each token's loss, (B, T), detached.

        tokens_BT, targets_BT: int64; a target `cross_entropy.IGNORE` counts as 0. documents: by default each row is one.
        dropout_key_B: int32, one per sequence; by default nothing is dropped.
        """
        hidden_BTE = self._hidden(tokens_BT, documents, None, dropout_key_B)
        total, losses_N = cross_entropy(hidden_BTE.flatten(0, 1), self.head_VE, targets_BT.flatten())
        return total, losses_N.view_as(targets_BT)

    def logits(
        self, tokens_BT: Tensor, documents: Documents | None = None, cache: Cache | None = None, last_only: bool = False
    ) -> Tensor:
        """Return the logits (B, T, V), or (B, 1, V) of the last token only. With a cache, the tokens continue its text."""
        hidden_BTE = self._hidden(tokens_BT, documents, cache, None)
        return functional.linear(hidden_BTE[:, -1:] if last_only else hidden_BTE, self.head_VE)

    def new_cache(self, batch: int, capacity: int) -> Cache:
        """Return an empty cache for `batch` rows of up to `capacity` tokens, with the dtype and on the device of the weights."""
        config = self.config
        return Cache(config.layers, batch, capacity, config.key_value_heads, config.head_width, self.head_VE)

    def _hidden(
        self, tokens_BT: Tensor, documents: Documents | None, cache: Cache | None, dropout_key_B: Tensor | None
    ) -> Tensor:
        if cache is not None:
            positions_BT = torch.arange(cache.length, cache.length + tokens_BT.shape[1], device=tokens_BT.device)[None]
        else:
            documents = documents or Documents.of(torch.zeros_like(tokens_BT), "loop")
            positions_BT = documents.positions_BT
        x_BTE = self.token_embedding(tokens_BT)
        angles = None
        if self.position_embedding is None:
            angles = rotary_angles(positions_BT, self.config)
        else:
            x_BTE = x_BTE + self.position_embedding(positions_BT)
        if dropout_key_B is not None:
            x_BTE = dropout(x_BTE, place_key(dropout_key_B, EMBEDDING), self.config.dropout)
        for block in self.blocks:
            x_BTE = block(x_BTE, documents, angles, cache, dropout_key_B)
        if cache is not None:
            cache.advance(tokens_BT.shape[1])
        out_BTE: Tensor = self.norm(x_BTE)
        return out_BTE


def parameter_count(model: nn.Module, *, embeddings: bool = True) -> int:
    """Return the number of parameters, a tied matrix once; without `embeddings` only blocks and norms, as scaling laws count."""
    return sum(
        p.numel() for name, p in model.named_parameters() if embeddings or not name.startswith(("token_", "position_", "head"))
    )
