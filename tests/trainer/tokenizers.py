"""A tokenizer for small runs."""

from functools import cache

from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.tokenizer import Tokenizer
from pipeline.tokens.training import train_tokenizer


@cache
def byte_tokenizer() -> Tokenizer:
    """256 bytes, a few pairs of them, and a delimiter: at most 270 ids."""
    return train_tokenizer(["ひらがなとカタカナ。", "plain words and more words"], TokenizerConfig(kind="bpe", vocabulary=270))
