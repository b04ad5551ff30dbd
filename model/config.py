"""The configuration of a model: one flat, frozen object, stored beside the weights."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ModelError(Exception):
    """A model that cannot be built, read or converted. The message names the file or key and the remedy."""


class ModelConfig(BaseModel):
    """All that determines a GPT's parameters and arithmetic. The defaults are those of a modern small model.

    GPT-2 is layer_norm, learned positions, gelu and a projection bias; LLaMA is rms_norm, rotary, swiglu and no bias;
    Qwen3 is LLaMA with query_key_norm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocabulary_size: int = Field(ge=1, description="ids, which are rows of the token embedding")
    context_length: int = Field(ge=1, description="tokens that the model can attend to")
    width: int = Field(ge=1, description="numbers per token between blocks")
    layers: int = Field(ge=1, description="blocks")
    heads: int = Field(ge=1, description="query heads per block")
    key_value_heads: int = Field(ge=1, description="key and value heads, each shared by heads/key_value_heads query heads")
    feed_forward_width: int = Field(ge=1, description="hidden numbers per token in each feed-forward network")
    normalization: Literal["layer_norm", "rms_norm"] = "rms_norm"
    normalization_epsilon: float = Field(1e-5, gt=0, description="added to the variance before its root")
    positions: Literal["learned", "rotary"] = "rotary"
    rotary_base: float = Field(10_000.0, gt=1, description="the longest rotary wave is 2 pi times this (RoFormer, 3.2.2)")
    rotary_scaling: Literal["none", "linear", "llama3"] = Field(
        "none", description="how a model was stretched to a longer context: linear slows all waves, llama3 only the long ones"
    )
    rotary_factor: float = Field(1.0, ge=1, description="by how much scaled waves are slowed")
    # The defaults are those of Llama 3.1 (its config.json, rope_scaling).
    rotary_low_frequency_factor: float = Field(
        1.0, gt=0, description="llama3: waves above the original context / this are slowed"
    )
    rotary_high_frequency_factor: float = Field(4.0, gt=0, description="llama3: waves below the original context / this are not")
    rotary_original_context: int = Field(8192, ge=1, description="llama3: the context length before the model was stretched")
    feed_forward: Literal["gelu", "swiglu"] = "swiglu"
    query_key_norm: bool = Field(False, description="normalize each head's queries and keys, so that logits do not grow")
    query_key_value_bias: bool = False
    projection_bias: bool = Field(False, description="a bias in attention's output and in the feed-forward network")
    tie_embeddings: bool = Field(True, description="the output matrix is the token embedding")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout of embeddings, attention weights and residual branches")

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by heads {self.heads}")
        if self.heads % self.key_value_heads:
            raise ValueError(f"heads {self.heads} is not divisible by key_value_heads {self.key_value_heads}")
        if self.positions == "rotary" and self.head_width % 2:
            raise ValueError(f"rotary positions rotate pairs, so width / heads must be even; it is {self.head_width}")
        if self.rotary_scaling != "none" and self.positions != "rotary":
            raise ValueError(f"rotary_scaling {self.rotary_scaling} needs positions rotary, not {self.positions}")
        if self.rotary_low_frequency_factor >= self.rotary_high_frequency_factor:
            raise ValueError("rotary_low_frequency_factor must be below rotary_high_frequency_factor")
        return self

    @property
    def head_width(self) -> int:
        """Numbers per head of a query, key or value."""
        return self.width // self.heads
