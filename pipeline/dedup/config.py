"""The settings of `dedup`, the rules it judges by, and the columns of `duplicates.parquet`.

The defaults are those of the Swallow corpus (arXiv:2404.17733).
"""

from typing import Literal, NamedTuple

import pyarrow as pa
from pydantic import Field

from pipeline.clean.config import CleanConfig
from pipeline.config import Config
from pipeline.rules import Rule

SWALLOW = "Swallow, arXiv:2404.17733, deduplication"

DUPLICATES_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("cluster_id", pa.string(), nullable=False),  # the survivor's doc_id names the cluster
        pa.field("survivor_id", pa.string(), nullable=False),
        pa.field("similarity", pa.float32(), nullable=False),  # estimated Jaccard similarity to the survivor
        pa.field("cluster_size", pa.int64(), nullable=False),  # survivor and earlier documents included
    ]
)


class DedupConfig(Config):
    """The manifest's section `dedup`."""

    # These three defaults are those of the Swallow corpus.
    rows: int = Field(default=20, ge=1, description="signature values in a band; more rows find fewer, closer pairs")
    bands: int = Field(default=20, ge=1, description="bands in a signature; more bands find more pairs")
    shingle: int = Field(default=5, ge=1, description="characters in a shingle")
    survivor: Literal["newest", "oldest", "longest"] = Field(
        default="newest", description="which document of a cluster stays; Swallow keeps the newest"
    )
    # With 400 values, the estimate of a Jaccard similarity of 0.7 has a standard error of sqrt(0.7 * 0.3 / 400) = 0.023, and 0.77
    # is three of these above: of pairs below 0.7 that share a band at all, one in 700 passes.
    minimum_similarity: float = Field(
        default=0.77, ge=0, le=1, description="estimated Jaccard similarity from which documents count as duplicates"
    )
    against: tuple[str, ...] = Field(default=(), description="folders of earlier corpora that this one must not repeat")

    @property
    def values(self) -> int:
        """Values in a signature."""
        return self.rows * self.bands


def rules_of(config: DedupConfig) -> tuple[Rule, ...]:
    """The rules of the stage; `judge_duplicates` measures what they judge."""
    return (
        Rule("same_record", maximum=0, source="a record counts once"),
        Rule("near_duplicate", below=config.minimum_similarity, source=SWALLOW),
        Rule("near_duplicate_of_earlier", below=config.minimum_similarity, source=SWALLOW),
    )


class SignatureSettings(NamedTuple):
    """The settings that two signatures must share to be compared."""

    shingle: int
    rows: int
    bands: int


def signature_settings(config: DedupConfig) -> SignatureSettings:
    """The settings that two signatures must share to be compared."""
    return SignatureSettings(config.shingle, config.rows, config.bands)


class SigningConfig(Config):
    """What a signature depends on besides the text: it is of the text that cleaning will leave."""

    dedup: SignatureSettings
    clean: CleanConfig


def signing(dedup: DedupConfig, clean: CleanConfig) -> SigningConfig:
    """What a signature depends on, of the sections `dedup` and `clean`."""
    return SigningConfig(dedup=signature_settings(dedup), clean=clean)
