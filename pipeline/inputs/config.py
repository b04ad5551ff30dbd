"""The manifest's section `fields`: which fields of JSON lines and Parquet hold text, URL, id, date and title."""

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from pipeline.config import Config


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


# Paths in order of preference. A path is the name of a field, with dots into nested objects.
Paths = Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], BeforeValidator(_one_or_many), Field(min_length=1)]


class FieldsConfig(Config):
    """Names of fields in JSON lines and Parquet: a path such as `metadata.url`, or a list of them, the preferred one first.

    The defaults are the names that public corpora use: C4, mC4 and CulturaX (`timestamp`), Dolma and datatrove (`metadata.url`,
    `created`), OSCAR (`content`, `warc_headers`), RedPajama (`raw_content`, `meta`, `date_download`), DCLM (`metadata.WARC-…`).
    """

    text: Paths = Field(("text", "content", "raw_content"), description="the text; the first of these that a record has")
    url: Paths = Field(
        ("url", "uri", "metadata.url", "meta.url", "warc_headers.warc-target-uri", "metadata.WARC-Target-URI"),
        description="the address of the page; empty where a record has none",
    )
    id: Paths = Field(
        ("id", "doc_id", "record_id", "metadata.id", "meta.id", "warc_headers.warc-record-id", "metadata.WARC-Record-ID"),
        description="the record's own id, kept as source_id; empty where a record has none",
    )
    date: Paths = Field(
        (
            *("date", "timestamp", "crawl_date", "date_download", "metadata.date", "metadata.timestamp"),
            *("meta.date", "meta.timestamp", "warc_headers.warc-date", "metadata.WARC-Date", "created"),
        ),
        description="when the text was crawled or written; dedup may prefer the newest",
    )
    title: Paths = Field(("title", "metadata.title", "meta.title"), description="the title")


DEFAULT_FIELDS = FieldsConfig()
