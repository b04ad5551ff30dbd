"""What differs between two corpora: figures, settings, pages, hosts and texts, from their ledgers alone.

A page is the same in both where its `doc_id` is. Of the pages that only one of them has, those with the same URL are taken as one
page that was crawled again. All joins are DuckDB's, over a thin table of each corpus in a scratch folder, so that ten million
pages need disk and not memory.
"""

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import yaml

from pipeline.flow import JUDGING
from pipeline.ledger import MEMORY_LIMIT, Ledger, LedgerError
from pipeline.manifest_changes import changed_settings
from pipeline.sizes import Size, sizes_by_stage

# Where a corpus lies and how many workers made it changes nothing in it.
_NO_SETTINGS = ("output", "workers", "versions")
# As many as a screen holds; `--json` has as many too, since a question about all hosts is one for `sql`.
HOSTS_SHOWN = 20

Match = Literal["same page", "same URL", "only in A", "only in B"]


@dataclass(frozen=True)
class StageDifference:
    """What leaves a stage in each corpus; None where one has no such stage."""

    stage: str
    a: Size | None
    b: Size | None


@dataclass(frozen=True)
class PageExample:
    """A page of a group: its URL and its id in each corpus, None where it is not in one."""

    url: str
    doc_id_a: str | None
    doc_id_b: str | None


@dataclass(frozen=True)
class Group:
    """Pages that share how they are matched and where they end in each corpus: `kept`, or `stage: rule`; None in neither.

    size: of their texts as extracted, in B where B has them. final_tokens: tokens in the shards of B less those of A.
    """

    match: Match
    fate_a: str | None
    fate_b: str | None
    size: Size
    final_tokens: int
    examples: tuple[PageExample, ...]


@dataclass(frozen=True)
class TextChange:
    """Pages of the same id whose texts differ: in what they differ first, and how much larger that is in B than in A."""

    what: Literal["text as extracted", "tokens as extracted", "final text", "final tokens"]
    documents: int
    characters: int
    tokens: int


@dataclass(frozen=True)
class HostChange:
    """Documents and tokens in the shards that a host has in each corpus."""

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


# One row a document: where it ends, and its sizes as extracted and in the shards. A record that was read twice counts where it
# came furthest. The host is that of the URL, since a record that became no page has no other.
_PAGES = """
COPY (
    SELECT f.doc_id, f.url, lower(regexp_extract(f.url, '^[^:]*://(?:[^/?#@]*@)?([^/?#:]+)', 1)) AS host,
           CASE WHEN f.kept THEN 'kept' ELSE f.stage || ': ' || f.rule END AS fate,
           coalesce(m.num_letters, 0)::BIGINT AS n_chars, coalesce(t.n_tokens, 0)::BIGINT AS n_tokens,
           CASE WHEN f.kept THEN v.n_chars ELSE 0 END::BIGINT AS final_chars,
           CASE WHEN f.kept THEN v.n_tokens ELSE 0 END::BIGINT AS final_tokens
    FROM fates f
    LEFT JOIN measured m ON f.stage <> 'extract' AND m.part = f.part AND m.doc_id = f.doc_id
    LEFT JOIN token_counts t ON f.stage <> 'extract' AND t.part = f.part AND t.doc_id = f.doc_id
    LEFT JOIN (SELECT part, doc_id, n_chars, n_tokens FROM stage_verdicts WHERE stage = 'pii') v
        ON f.kept AND v.part = f.part AND v.doc_id = f.doc_id
    QUALIFY row_number() OVER (
        PARTITION BY f.doc_id
        ORDER BY f.kept DESC, list_position({stages}, f.stage) DESC, f.part
    ) = 1
) TO '{path}' (FORMAT parquet)
"""

# All pages of both, each once: matched by id, then by URL (the n-th page of a URL with the n-th), then what is left of each.
_PAIRS = """
CREATE TABLE by_id AS
    SELECT doc_id, a.doc_id IS NOT NULL AS in_a, b.doc_id IS NOT NULL AS in_b, coalesce(b.url, a.url) AS url,
           coalesce(b.host, a.host) AS host, a.fate AS fate_a, b.fate AS fate_b, a.n_chars AS chars_a, b.n_chars AS chars_b,
           a.n_tokens AS tokens_a, b.n_tokens AS tokens_b, a.final_chars AS final_chars_a, b.final_chars AS final_chars_b,
           a.final_tokens AS final_tokens_a, b.final_tokens AS final_tokens_b
    FROM '{folder}/a.parquet' a FULL OUTER JOIN '{folder}/b.parquet' b USING (doc_id);
CREATE TABLE alone AS
    SELECT *, row_number() OVER (PARTITION BY url, in_a ORDER BY doc_id) AS nth FROM by_id WHERE NOT (in_a AND in_b);
CREATE VIEW pairs AS
    SELECT 'same page' AS match, doc_id AS doc_id_a, doc_id AS doc_id_b, * EXCLUDE (doc_id, in_a, in_b)
    FROM by_id WHERE in_a AND in_b
    UNION ALL BY NAME
    SELECT CASE WHEN a.doc_id IS NULL THEN 'only in B' WHEN b.doc_id IS NULL THEN 'only in A' ELSE 'same URL' END AS match,
           a.doc_id AS doc_id_a, b.doc_id AS doc_id_b, coalesce(b.url, a.url) AS url, coalesce(b.host, a.host) AS host,
           a.fate_a, b.fate_b, a.chars_a, b.chars_b, a.tokens_a, b.tokens_b, a.final_chars_a, b.final_chars_b,
           a.final_tokens_a, b.final_tokens_b
    FROM (SELECT * FROM alone WHERE in_a) a FULL OUTER JOIN (SELECT * FROM alone WHERE in_b) b
        ON a.url = b.url AND a.nth = b.nth AND a.url <> '';
"""
_GROUPS = """
SELECT match, fate_a, fate_b, count(*), sum(coalesce(chars_b, chars_a))::BIGINT, sum(coalesce(tokens_b, tokens_a))::BIGINT,
       (coalesce(sum(final_tokens_b), 0) - coalesce(sum(final_tokens_a), 0))::BIGINT AS gained
FROM pairs WHERE match <> 'same page' OR fate_a <> fate_b GROUP BY ALL
ORDER BY abs(gained) DESC, 4 DESC, 1, 2, 3
"""
_EXAMPLES = """
SELECT match, fate_a, fate_b, url, doc_id_a, doc_id_b FROM pairs WHERE match <> 'same page' OR fate_a <> fate_b
QUALIFY row_number() OVER (PARTITION BY match, fate_a, fate_b ORDER BY coalesce(doc_id_a, doc_id_b)) <= ?
ORDER BY coalesce(doc_id_a, doc_id_b)
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
    """What differs between the corpora of two open ledgers, with up to `examples` pages of each group, by their ids.

    Raises LedgerError where a corpus was never built to the end.
    """
    stages = _stages(a, b)
    settings_a, settings_b = _manifest(a.root), _manifest(b.root)
    versions = changed_settings(settings_a.get("versions", {}), settings_b.get("versions", {}))
    kept_a, kept_b = ({key: value for key, value in each.items() if key not in _NO_SETTINGS} for each in (settings_a, settings_b))
    settings = changed_settings(kept_a, kept_b)
    with tempfile.TemporaryDirectory(prefix="diff-") as folder:
        for name, ledger in (("a", a), ("b", b)):
            ledger.connection.execute(_PAGES.format(path=f"{folder}/{name}.parquet", stages=list(JUDGING)))
        with duckdb.connect(f"{folder}/pairs.duckdb") as connection:
            connection.execute(f"SET memory_limit='{MEMORY_LIMIT}'; SET temp_directory='{folder}/spill'")
            connection.execute(_PAIRS.format(folder=folder))
            return Difference(
                stages,
                settings,
                versions,
                _groups(connection, examples),
                tuple(TextChange(*row) for row in connection.execute(_TEXTS).fetchall()),
                tuple(HostChange(*row) for row in connection.execute(_HOSTS, [HOSTS_SHOWN]).fetchall()),
            )


def _stages(a: Ledger, b: Ledger) -> tuple[StageDifference, ...]:
    """All stages of both, in the order of the flow."""
    sizes_a, sizes_b = sizes_by_stage(a), sizes_by_stage(b)
    for ledger, sizes in ((a, sizes_a), (b, sizes_b)):
        if not sizes:
            raise LedgerError(f"{ledger.root} is not built to the end, so nothing is counted yet; `run` its manifest first")
    longer, shorter = sorted((sizes_a, sizes_b), key=len, reverse=True)
    return tuple(StageDifference(stage, sizes_a.get(stage), sizes_b.get(stage)) for stage in dict.fromkeys([*longer, *shorter]))


def _manifest(root: Path) -> dict[str, Any]:
    """The manifest that a corpus was built by, as it stands: an older version may know other keys."""
    path = root / "manifest.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LedgerError(f"{path} cannot be read ({' '.join(str(error).split())}); `run` the corpus's manifest again") from error
    return content if isinstance(content, dict) else {}


def _groups(connection: duckdb.DuckDBPyConnection, examples: int) -> tuple[Group, ...]:
    shown: dict[tuple[str, ...], list[PageExample]] = defaultdict(list)
    if examples:
        for match, fate_a, fate_b, *page in connection.execute(_EXAMPLES, [examples]).fetchall():
            shown[match, fate_a, fate_b].append(PageExample(*page))
    return tuple(
        Group(match, fate_a, fate_b, Size(documents, characters, tokens), gained, tuple(shown[match, fate_a, fate_b]))
        for match, fate_a, fate_b, documents, characters, tokens, gained in connection.execute(_GROUPS).fetchall()
    )
