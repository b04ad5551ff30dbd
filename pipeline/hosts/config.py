"""The settings of `hosts`, the rules it judges by, and the columns of `host_counts.parquet`."""

import pyarrow as pa
from pydantic import Field

from pipeline.config import Config
from pipeline.rules import Rule

SWALLOW = "Swallow, arXiv:2404.17733, filtering by host"

HOST_COUNTS_SCHEMA = pa.schema(
    [
        ("host", pa.string()),  # empty for documents without a host
        *((name, pa.int64()) for name in ("docs_in", "docs_out", "chars_in", "chars_out", "listed_pages")),
        ("list", pa.string()),  # list and entry if the whole host is listed
        ("entry", pa.string()),
        ("ng_characters", pa.int64()),
        ("ng_character_share", pa.float64()),
        ("dating_pages", pa.int64()),
        ("dating_page_share", pa.float64()),
    ]
)


class HostsConfig(Config):
    """The manifest's section `hosts`."""

    lists: str | None = Field(
        default=None, description="a folder or file of lists in UT1's format; null = the project's own short list"
    )
    categories: tuple[str, ...] | None = Field(default=None, description="the lists to use; null = all of them")
    block: tuple[str, ...] = Field(default=(), description="further hosts or addresses to leave out")
    ng_character_share: float = Field(default=0.005, ge=0, le=1, description="the most NG characters of a host; Swallow")
    dating_page_share: float = Field(default=0.001, ge=0, le=1, description="the most dating pages of a host; Swallow")
    # Ten pages of the usual 2,000 characters reach a share of 0.005 with a hundred NG characters, about thirty expressions. On a
    # single page two or three expressions would do, which says nothing about a host. The paper has no such bound: 1.
    minimum_pages: int = Field(default=10, ge=1, description="pages from which the statistics of a host count")
    # Below 1,000 pages a single page exceeds the share of 0.001, so one article on the subject would drop the whole host. The
    # paper has no such bound: 1.
    minimum_dating_pages: int = Field(default=2, ge=1, description="dating pages from which their share counts")


def rules_of(config: HostsConfig) -> tuple[Rule, ...]:
    """The rules of the stage; `judge_hosts` measures what they judge."""
    return (
        Rule("listed_host", maximum=0, source="the lists that the manifest names"),
        Rule("ng_character_share", maximum=config.ng_character_share, source=SWALLOW),
        Rule("dating_page_share", maximum=config.dating_page_share, source=SWALLOW),
    )
