"""The tables of the report, each one query on the ledger, and the rules with what each dropped.

Names of columns end in what they count: `documents`, `characters`, `tokens`. Tables that could grow with the Web have their most
frequent rows, and one that sums up the rest.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.ledger import Ledger
from pipeline.rules import Rule

# Rows of hosts, languages and charsets that are shown; beyond them a table is a list to search, which `sql` does better.
ROWS_SHOWN = 30


class Table(NamedTuple):
    """A table of the report: `query` gives its rows, the first column being what a row is about."""

    name: str
    title: str
    note: str
    query: str
    has_rest: bool = False  # whether rows behind ROWS_SHOWN are summed up as one


# Of each extracted document, whether it is in the shards. `fates` has a row a record, and one that became no page can have the id
# of one that did.
_KEPT = """
    (SELECT d.part, d.doc_id, d.host, d.lang, d.charset, d.charset_source, d.extractor, d.date, f.kept, t.n_tokens
     FROM documents d JOIN (SELECT * FROM fates WHERE stage <> 'extract') f USING (part, doc_id)
     LEFT JOIN token_counts t USING (part, doc_id))
"""
# Sizes as they are in the shards: after cleaning and masking.
_FINAL = """
    (SELECT f.part, f.doc_id, v.n_tokens FROM fates f
     JOIN (SELECT part, doc_id, n_tokens FROM stage_verdicts WHERE stage = 'pii') v USING (part, doc_id) WHERE f.kept)
"""


def _by(column: str, order: str = "2 DESC, 1") -> str:
    return f"""
        SELECT {column} AS value, count(*) AS extracted_documents, count(*) FILTER (kept) AS kept_documents,
               coalesce(sum(n_tokens) FILTER (kept), 0)::BIGINT AS kept_tokens
        FROM {_KEPT} GROUP BY 1 ORDER BY {order}
    """


TABLES = (
    Table(
        "hosts",
        "Hosts",
        "Documents after extraction and in the shards; tokens as extracted.",
        _by("coalesce(host, '')"),
        has_rest=True,
    ),
    Table("languages", "Languages", "As judged on title and main text.", _by("coalesce(lang, '')"), has_rest=True),
    Table("charsets", "Charsets", "As decoded.", _by("coalesce(charset, '')"), has_rest=True),
    Table("charset_sources", "What told the charset", "", _by("coalesce(charset_source, '')")),
    Table("extractors", "Extractors", "Which extractor found the main text.", _by("coalesce(extractor, '')")),
    Table("months", "Months of the crawl", "", _by("coalesce(substr(date, 1, 7), '')", "1")),
    Table(
        "clusters",
        "Sizes of duplicate clusters",
        "How many clusters of near-duplicates have how many members; the survivor is one of them.",
        """
        SELECT cluster_size, count(DISTINCT cluster_id) AS clusters, count(*) AS documents FROM duplicates GROUP BY 1 ORDER BY 1
        """,
    ),
    Table(
        "lengths",
        "Lengths in tokens",
        "Documents in the shards, by their length with its delimiter.",
        f"""
        SELECT (2 ** floor(log2(n_tokens)))::BIGINT AS tokens_from, count(*) AS documents, sum(n_tokens)::BIGINT AS tokens
        FROM {_FINAL} GROUP BY 1 ORDER BY 1
        """,
    ),
    Table(
        "personal_data",
        "Personal data",
        "Masked spans by kind.",
        """
        SELECT kind, count(*) AS spans, count(DISTINCT (part, doc_id)) AS documents FROM edits WHERE stage = 'pii'
        GROUP BY 1 ORDER BY 2 DESC, 1
        """,
    ),
    Table(
        "cleaning",
        "Cleaning",
        "Edits by kind.",
        """
        SELECT kind, count(*) AS edits, count(DISTINCT (part, doc_id)) AS documents,
               sum("end" - start - length(replacement))::BIGINT AS characters_removed
        FROM edits WHERE stage = 'clean' GROUP BY 1 ORDER BY 2 DESC, 1
        """,
    ),
)


def tables(ledger: Ledger) -> list[dict[str, Any]]:
    """Each of TABLES as a mapping: name, title, note, columns, rows, and how many rows the query had."""
    found = []
    for table in TABLES:
        result = ledger.connection.execute(table.query)
        columns = [column[0] for column in result.description]
        rows = [list(row) for row in result.fetchall()]
        shown = rows[:ROWS_SHOWN] if table.has_rest else rows
        if len(rows) > len(shown):
            rest = [sum(row[index] for row in rows[ROWS_SHOWN:]) for index in range(1, len(columns))]
            shown.append([f"{len(rows) - ROWS_SHOWN:,} others", *rest])
        found.append({"name": table.name, "title": table.title, "note": table.note, "columns": columns, "rows": shown})
    return found


def rules(ledger: Ledger, quality: Sequence[Rule]) -> list[dict[str, Any]]:
    """What each rule dropped: as the first that failed, as one of several, and alone, in documents; the first in tokens too.

    The rules of `quality` are there too where they dropped nothing.
    """
    query = """
        WITH failing AS (SELECT stage, unnest(failed) AS rule, len(failed) AS n FROM verdicts WHERE NOT kept),
             fails AS (SELECT stage, rule, count(*) AS failed, count(*) FILTER (n = 1) AS alone FROM failing GROUP BY ALL),
             firsts AS (SELECT stage, rule, max(threshold) AS threshold, sum(docs)::BIGINT AS first,
                               sum(chars)::BIGINT AS chars, sum(tokens)::BIGINT AS tokens
                        FROM rule_counts GROUP BY ALL)
        SELECT s.ordinal, stage, rule, threshold, coalesce(first, 0), coalesce(failed, 0), coalesce(alone, 0),
               coalesce(tokens, 0), s.docs_in
        FROM fails FULL JOIN firsts USING (stage, rule) JOIN stage_counts s USING (stage) ORDER BY 1, 5 DESC, rule
    """
    names = ("stage", "rule", "threshold", "first", "failed", "alone", "tokens", "documents_in")
    found = [dict(zip(names, row[1:], strict=True)) for row in ledger.rows(query)]
    judged = next((rule["documents_in"] for rule in found if rule["stage"] == "quality"), 0)
    for rule in quality:
        known = next((each for each in found if each["stage"] == "quality" and each["rule"] == rule.name), None)
        if known is None:
            known = {"stage": "quality", "rule": rule.name, "first": 0, "failed": 0, "alone": 0, "tokens": 0}
            known["documents_in"] = judged
            last = max((number for number, each in enumerate(found) if each["stage"] in ("extract", "quality")), default=-1)
            found.insert(last + 1, known)
        if known.get("threshold") is None:
            known["threshold"] = rule.bounds()[0][1]
    return found
