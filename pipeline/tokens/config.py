"""The settings of `tokenizer`: which tokenizer a corpus gets."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline.config import Config


class TokenizerConfig(Config):
    """Which tokenizer the corpus gets."""

    kind: Literal["sentencepiece", "tiktoken", "bpe", "hugging_face"] = Field(
        "sentencepiece",
        description="sentencepiece: unigram pieces with byte fallback; bpe: byte pairs; tiktoken: a model that tiktoken knows; "
        "hugging_face: the tokenizer.json of a public model",
    )
    model: str | None = Field(
        None,
        description="a SentencePiece .model file, a name such as gpt2 for tiktoken, the folder of a Hugging Face "
        "model, or the folder tokens/tokenizer of an earlier corpus; nothing: train on this corpus",
    )
    # The llm-jp tokenizer v2.2 adds about 30,000 pieces for Japanese; this is the next power of two, which suits the tiles of
    # matrix products. Minimum: 256 bytes, the delimiter, the unknown symbol and the space.
    vocabulary: int = Field(32_768, ge=259, description="ids to train, bytes and delimiter included; a small sample gives fewer")
    # Twice as many gave 0.4 % fewer tokens on held-out Japanese pages, but took more than twice the time.
    sample_characters: int = Field(5_000_000, ge=1, description="about so many characters of the corpus are trained on")

    @model_validator(mode="after")
    def _given_kinds_need_a_model(self) -> "TokenizerConfig":
        if self.kind == "tiktoken" and self.model is None:
            raise ValueError("kind tiktoken trains nothing: give model, such as gpt2, or choose kind bpe")
        if self.kind == "hugging_face" and self.model is None:
            raise ValueError("kind hugging_face trains nothing: give model, the folder of a public model or its tokenizer.json")
        return self
