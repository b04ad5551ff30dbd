"""The settings of `tokenize`: how the token stream is cut into shards."""

from pydantic import Field

from pipeline.config import Config


class TokenizeConfig(Config):
    """How the token stream is cut into shards."""

    shard_tokens: int = Field(2**26, ge=1024, description="about so many tokens a shard: 128 MiB at two bytes a token")
    validation_share: float = Field(
        0.01, ge=0, lt=1, description="share of documents set aside for validation, chosen by a hash of their id"
    )
