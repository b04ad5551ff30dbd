"""What differs between two corpora: figures, settings, pages, hosts and texts, from their ledgers alone.

A page is the same in both if its `doc_id` is the same. Of the pages that only one corpus has, those with the same URL count as
one page that was crawled again; see `pages.py`.
"""

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import yaml

from pipeline.audit.diff.pages import match_pages
from pipeline.corpus.ledger import MEMORY_LIMIT, Ledger, LedgerError, Size, sizes_by_stage
from pipeline.manifest import changed_settings

# Folder and number of workers change nothing in a corpus; versions are compared on their own.
_NO_SETTINGS = ("output", "workers", "versions")
# One screenful, in `--json` too; for all hosts use `sql`.
HOSTS_SHOWN = 20

Match = Literal["same page", "same URL", "only in A", "only in B"]


@dataclass(frozen=True)
class StageDifference:
    """What a stage lets through in each corpus; None if a corpus has no such stage."""

    stage: str
    a: Size | None
    b: Size | None


@dataclass(frozen=True)
class PageExample:
    """A page of a group: its URL, and its id in each corpus, None if the corpus does not have it."""

    url: str
    doc_id_a: str | None
    doc_id_b: str | None


@dataclass(frozen=True)
class Group:
    """Pages with the same kind of match and the same fates: `kept`, or `stage: rule`; None if the corpus does not have them.

    size: of their texts as extracted, in B if B has them. final_tokens: tokens in the shards of B minus those of A.
    """

    match: Match
    fate_a: str | None
    fate_b: str | None
    size: Size
    final_tokens: int
    examples: tuple[PageExample, ...]


@dataclass(frozen=True)
class TextChange:
    """Pages with the same id whose texts differ: the earliest step that differs, and the sizes in B minus those in A."""

    what: Literal["text as extracted", "tokens as extracted", "final text", "final tokens"]
    documents: int
    characters: int
    tokens: int


@dataclass(frozen=True)
class HostChange:
    """Documents and tokens of a host in the shards of each corpus."""

    host: str
    documents_a: int
    documents_b: int
    tokens_a: int
    tokens_b: int


@dataclass(frozen=True)
class Difference:
    """Everything that differs between corpus A and corpus B. settings and versions: name -> (in A, in B)."""

    stages: tuple[StageDifference, ...]
    settings: dict[str, tuple[Any, Any]]
    versions: dict[str, tuple[Any, Any]]
    groups: tuple[Group, ...]
    texts: tuple[TextChange, ...]
    hosts: tuple[HostChange, ...]


_GROUPS = """
SELECT match, fate_a, fate_b, count(*), sum(coalesce(chars_b, chars_a))::BIGINT, sum(coalesce(tokens_b, tokens_a))::BIGINT,
       (coalesce(sum(final_tokens_b), 0) - coalesce(sum(final_tokens_a), 0))::BIGINT AS gained
FROM pairs WHERE match <> 'same page' OR fate_a <> fate_b GROUP BY ALL
ORDER BY abs(gained) DESC, 4 DESC, 1, 2, 3
"""
_EXAMPLES = """
SELECT match, fate_a, fate_b,
       min({{id: coalesce(doc_id_a, doc_id_b), url: url, doc_id_a: doc_id_a, doc_id_b: doc_id_b}}, {examples})
FROM pairs WHERE match <> 'same page' OR fate_a <> fate_b GROUP BY ALL
"""
_TEXTS = """
SELECT CASE WHEN chars_a <> chars_b THEN 'text as extracted' WHEN tokens_a <> tokens_b THEN 'tokens as extracted'
            WHEN final_chars_a <> final_chars_b THEN 'final text' ELSE 'final tokens' END AS what, count(*),
       sum(CASE WHEN starts_with(what, 'final') THEN final_chars_b - final_chars_a ELSE chars_b - chars_a END)::BIGINT,
       sum(CASE WHEN starts_with(what, 'final') THEN final_tokens_b - final_tokens_a ELSE tokens_b - tokens_a END)::BIGINT
FROM pairs WHERE match = 'same page' AND NOT starts_with(fate_a, 'extract') AND NOT starts_with(fate_b, 'extract')
    AND (chars_a <> chars_b OR tokens_a <> tokens_b
         OR (fate_a = 'kept' AND fate_b = 'kept' AND (final_chars_a <> final_chars_b OR final_tokens_a <> final_tokens_b)))
GROUP BY ALL ORDER BY what DESC
"""
_HOSTS = """
SELECT host, count(*) FILTER (fate_a = 'kept'), count(*) FILTER (fate_b = 'kept'),
       coalesce(sum(final_tokens_a), 0)::BIGINT AS before, coalesce(sum(final_tokens_b), 0)::BIGINT AS after
FROM pairs WHERE fate_a = 'kept' OR fate_b = 'kept' GROUP BY host HAVING before <> after
ORDER BY abs(after - before) DESC, host LIMIT ?
"""


def difference(a: Ledger, b: Ledger, examples: int = 0) -> Difference:
    """What differs between the corpora of two open ledgers, with up to `examples` pages per group, those with the smallest ids.

    Raises LedgerError if a corpus was never built to the end, or if its manifest cannot be read.
    """
    stages = _stages(a, b)
    settings_a, settings_b = _manifest(a.root), _manifest(b.root)
    versions = changed_settings(settings_a.get("versions", {}), settings_b.get("versions", {}))
    kept_a, kept_b = ({key: value for key, value in each.items() if key not in _NO_SETTINGS} for each in (settings_a, settings_b))
    settings = changed_settings(kept_a, kept_b)
    with tempfile.TemporaryDirectory(prefix="diff-") as folder, duckdb.connect(f"{folder}/pairs.duckdb") as connection:
        connection.execute(f"SET memory_limit='{MEMORY_LIMIT}'; SET temp_directory='{folder}/spill'")
        match_pages(a.root, b.root, Path(folder), connection)
        return Difference(
            stages,
            settings,
            versions,
            _groups(connection, examples),
            tuple(TextChange(*row) for row in connection.execute(_TEXTS).fetchall()),
            tuple(HostChange(*row) for row in connection.execute(_HOSTS, [HOSTS_SHOWN]).fetchall()),
        )


def _stages(a: Ledger, b: Ledger) -> tuple[StageDifference, ...]:
    """All stages of both corpora, in the order of the flow."""
    sizes_a, sizes_b = sizes_by_stage(a), sizes_by_stage(b)
    for ledger, sizes in ((a, sizes_a), (b, sizes_b)):
        if not sizes:
            raise LedgerError(f"{ledger.root} is not built to the end, so nothing is counted yet; `run` its manifest first")
    longer, shorter = sorted((sizes_a, sizes_b), key=len, reverse=True)
    return tuple(StageDifference(stage, sizes_a.get(stage), sizes_b.get(stage)) for stage in dict.fromkeys([*longer, *shorter]))


def _manifest(root: Path) -> dict[str, Any]:
    """The manifest that a corpus was built by, not validated, because an older version may have had other keys."""
    path = root / "manifest.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LedgerError(f"{path} cannot be read ({' '.join(str(error).split())}); `run` the corpus's manifest again") from error
    return content if isinstance(content, dict) else {}


def _groups(connection: duckdb.DuckDBPyConnection, examples: int) -> tuple[Group, ...]:
    shown: dict[tuple[str, ...], list[PageExample]] = defaultdict(list)
    if examples:
        for match, fate_a, fate_b, pages in connection.execute(_EXAMPLES.format(examples=examples)).fetchall():
            shown[match, fate_a, fate_b] = [PageExample(page["url"], page["doc_id_a"], page["doc_id_b"]) for page in pages]
    return tuple(
        Group(match, fate_a, fate_b, Size(documents, characters, tokens), gained, tuple(shown[match, fate_a, fate_b]))
        for match, fate_a, fate_b, documents, characters, tokens, gained in connection.execute(_GROUPS).fetchall()
    )
