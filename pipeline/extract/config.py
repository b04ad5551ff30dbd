"""Settings of `extract`, the rules that drop records, and the columns of its files."""

from typing import Literal

import pyarrow as pa
from pydantic import Field, model_validator

from pipeline.config import Config
from pipeline.inputs.config import FieldsConfig
from pipeline.rules import VERDICT_SCHEMA, Rule

Extractor = Literal["auto", "blocks", "resiliparse", "trafilatura"]
Markup = Literal["plain", "markdown"]


# Extractors that build a tree of the page and walk it. The project's own reads 10 MB of any markup within 2 s.
TREE_BUILDING: frozenset[Extractor] = frozenset(("resiliparse", "trafilatura"))


class ExtractConfig(Config):
    """What becomes a document."""

    extractor: Extractor = Field(
        "auto",
        description="blocks is the project's own, resiliparse and trafilatura are public ones; auto is blocks, and a "
        "second look where they hold next to nothing",
    )
    text: Literal["as_is", "one_line_a_paragraph"] = Field(
        "as_is",
        description="as_is stores a text as it came or was extracted, to the character; one_line_a_paragraph leaves out blank "
        "lines and white space at the ends of lines",
    )
    markup: Markup = Field(
        "plain",
        description="plain: a line per paragraph, heading, list item and table row, and code with its lines; markdown: "
        "headings, lists, tables and code with their marks, by auto and blocks alone",
    )
    max_page_bytes: int = Field(
        10_000_000, gt=0, description="larger bodies are dropped, packed or not; Common Crawl cuts pages at 1 or 5 MiB"
    )
    max_text_bytes: int = Field(
        50_000_000,
        gt=0,
        description="larger records of JSON lines, CSV, Parquet and text files are dropped; a long book has 5 MB",
    )
    max_seconds: float = Field(
        20.0,
        gt=0,
        description="of computing for one page, where a public extractor is asked; by the clock, a worker that stands still at "
        "a page for six times as long is ended",
    )

    @model_validator(mode="after")
    def _writes_the_markup(self) -> "ExtractConfig":
        if self.markup != "plain" and self.extractor in TREE_BUILDING:
            raise ValueError(f"markup {self.markup} is written by the extractors auto and blocks, not by {self.extractor}")
        return self


class ReadingConfig(Config):
    """What units of `extract` obey: the manifest's sections `extract` and `fields`."""

    extract: ExtractConfig
    fields: FieldsConfig


RAPID_RULE = Rule(
    "rapid_check",
    minimum=25,
    source="visible kana; a sentence has 15 to 30, and no page with fewer passes any rule on length",
)


MIN_LANGUAGE_SCORE = 0.2


PRECISE_RULE = Rule(
    "not_japanese",
    minimum=MIN_LANGUAGE_SCORE,
    column="lang_score",
    source="one of 4,088 labelled pages in other languages comes so far; Japanese about program code has 0.3 to 0.5",
)


NESTING_RULE = Rule(
    "nesting",
    maximum=512,
    column="depth",
    source="Blink flattens deeper trees; 512 divs cost the extractor 10 ms, 2,000 cost 100 ms; real pages have 72 at most",
)


NESTING_RULES = (
    NESTING_RULE,
    Rule(
        "parser_work",
        maximum=4_000_000,
        column="work",
        source="resiliparse takes 0.05 to 0.25 µs a unit, so 1 s at most; of 12,473 real pages the largest has 121,000",
    ),
    Rule(
        "attributes",
        maximum=2_000,
        column="attributes",
        source="lexbor takes 10 ms for 2,000 and 2.5 s for 20,000; real pages have 52 at most",
    ),
)


# In the order in which they are applied. Rules without bounds state facts about the record; the verdict's `detail` says which.
RULES: tuple[Rule, ...] = (
    Rule("corrupt_record", source="WARC 1.1, sections 4 and 5: the record is not as long as it says, or cannot be read"),
    Rule("truncated", source="WARC 1.1, section 5.13: WARC-Truncated, the crawler stopped in the middle"),
    Rule("not_a_page", source="a request, metadata, warcinfo or like record"),
    Rule("revisit", source="WARC 1.1, section 6.7: the page is elsewhere"),
    Rule("http_status", minimum=200, maximum=299, source="RFC 9110, section 15.3"),
    Rule("not_html", source="neither the Content-Type nor the body's beginning says HTML"),
    Rule("oversized_page", source="max_page_bytes"),
    Rule("oversized_text", source="max_text_bytes"),
    Rule("undecodable_body", source="a content or transfer encoding that cannot be undone"),
    Rule("same_record", source="the same URL, date and record id, of texts also the same text, read before in this input"),
    RAPID_RULE,
    Rule("undecodable_text", maximum=0.1, source="share of U+FFFD; above it, one letter in ten is lost and sentences with it"),
    *NESTING_RULES,
    Rule("timeout", source="max_seconds, or a worker that stood still"),
    Rule("parser_crash", source="the page ended several workers"),
    Rule("no_text", minimum=1, source="characters of main text"),
    PRECISE_RULE,
)


RULE_BY_NAME = {rule.name: rule for rule in RULES}


DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("host", pa.string(), nullable=False),
        pa.field("date", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("charset", pa.string(), nullable=False),
        pa.field("charset_source", pa.string(), nullable=False),
        pa.field("replacement_share", pa.float64(), nullable=False),
        pa.field("extractor", pa.string(), nullable=False),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("lang_score", pa.float64(), nullable=False),
        pa.field("kana_share", pa.float64(), nullable=False),
        pa.field("japanese_share", pa.float64(), nullable=False),
        pa.field("warc_file", pa.string(), nullable=False),
        pa.field("warc_offset", pa.int64(), nullable=False),
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("metadata", pa.string(), nullable=False),
    ]
)


# A verdict says where its record is, because a dropped record has no row among the documents.
RECORD_VERDICT_SCHEMA = pa.schema(
    [
        *VERDICT_SCHEMA,
        pa.field("detail", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("date", pa.string(), nullable=False),
        pa.field("record_type", pa.string(), nullable=False),
        pa.field("record_bytes", pa.int64(), nullable=False),
        pa.field("warc_file", pa.string(), nullable=False),
        pa.field("warc_offset", pa.int64(), nullable=False),
        pa.field("source_id", pa.string(), nullable=False),
    ]
)
