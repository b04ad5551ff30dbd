"""Named model configurations.

The GPT-2 family follows the paper (Radford et al. 2019, table 2) in the form of the book "Build a Large Language Model (From
Scratch)" (Raschka 2024, chapter 4): no bias in queries, keys and values, a separate output matrix, dropout 0.1. The others
follow LLaMA (Touvron et al. 2023), with tied embeddings up to a billion parameters, where the embedding is a large share of
the model. Grouped queries and the norms on queries and keys come from Qwen3 (2025). The feed-forward width is about 8/3 of the
width, which gives SwiGLU's three matrices the size of GPT-2's two, rounded up to a multiple of 64 for the tiles of matrix
products.
"""

from typing import Any

from model.config import ModelConfig, ModelError

GPT2_VOCABULARY = 50_257
# The default of the pipeline's tokenizers; a run replaces it by the size of its shards' tokenizer.
DEFAULT_VOCABULARY = 32_768


def _gpt2(width: int, layers: int, heads: int) -> dict[str, Any]:
    return {
        "vocabulary_size": GPT2_VOCABULARY,
        "context_length": 1024,
        "width": width,
        "layers": layers,
        "heads": heads,
        "key_value_heads": heads,
        "feed_forward_width": 4 * width,
        "normalization": "layer_norm",
        "positions": "learned",
        "feed_forward": "gelu",
        "projection_bias": True,
        "tie_embeddings": False,
        "dropout": 0.1,
    }


def _modern(context: int, width: int, layers: int, heads: int, key_value_heads: int, **changes: Any) -> dict[str, Any]:
    return {
        "vocabulary_size": DEFAULT_VOCABULARY,
        "context_length": context,
        "width": width,
        "layers": layers,
        "heads": heads,
        "key_value_heads": key_value_heads,
        "feed_forward_width": -(-8 * width // 3 // 64) * 64,
        "query_key_norm": True,
        **changes,
    }


PRESETS: dict[str, dict[str, Any]] = {
    "gpt2-124m": _gpt2(768, 12, 12),
    "gpt2-355m": _gpt2(1024, 24, 16),
    "gpt2-774m": _gpt2(1280, 36, 20),
    "gpt2-1558m": _gpt2(1600, 48, 25),
    # Named by the parameters of blocks and norms, which do not depend on the vocabulary; the embedding is not counted.
    "modern-1m": _modern(512, 128, 5, 4, 4),
    "modern-4m": _modern(512, 256, 5, 4, 4),
    "modern-10m": _modern(1024, 384, 6, 6, 6),
    "modern-25m": _modern(1024, 512, 8, 8, 4),
    "modern-85m": _modern(2048, 768, 12, 12, 4),
    "modern-300m": _modern(2048, 1024, 24, 16, 8),
    "modern-1b": _modern(4096, 2048, 24, 16, 8),
    "modern-3b": _modern(4096, 2816, 32, 22, 11, tie_embeddings=False),
    "modern-7b": _modern(4096, 4096, 32, 32, 32, tie_embeddings=False, query_key_norm=False),
}


def preset(name: str, **changes: Any) -> ModelConfig:
    """Return the configuration called `name`, with some keys changed.

    Raises ModelError for an unknown name, and pydantic's ValidationError for invalid changes.
    """
    if name not in PRESETS:
        raise ModelError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}")
    return ModelConfig(**{**PRESETS[name], **changes})
