"""The tables of the report, one query on the ledger each, and what each rule dropped.

Column names end in their unit: `documents`, `characters`, `tokens`. Tables without a natural limit show their most frequent
rows, and one row with the sum of the rest.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus import layout
from pipeline.corpus.columns import column_of, read_known
from pipeline.corpus.ledger import Ledger
from pipeline.flow import EDITING, JUDGING
from pipeline.rules import Rule

# Rows shown of hosts, languages and charsets; a longer list is for searching, and `sql` does that better.
ROWS_SHOWN = 30


class Table(NamedTuple):
    """A table of the report. `query` returns its rows: the first column is the subject of a row, the others are numbers.

    by_part: the query reads one part, through the table `part_pages` or the part's name `{part}`, and the numbers are summed over
    the parts per value of the first column. This needs the memory of one part; a join of all parts would need that of the corpus.
    most_first: whether such rows are ordered by the second column, descending; otherwise by the first column, ascending.
    """

    name: str
    title: str
    note: str
    query: str
    has_rest: bool = False  # whether rows after the first ROWS_SHOWN are summed up in one
    by_part: bool = True
    most_first: bool = True


# The columns that are read of the documents of a part, and of the tables about them.
_DOCUMENTS = pa.schema(
    [(name, pa.string()) for name in ("doc_id", "host", "lang", "charset", "charset_source", "extractor", "date")]
)
_VERDICT = pa.schema([("doc_id", pa.string()), ("kept", pa.bool_())])
_TOKENS = pa.schema([("doc_id", pa.string()), ("n_tokens", pa.int64())])
# Rows of parts that are held before they are summed: some tens of megabytes.
_ROWS_HELD = 1_000_000


def _by(column: str) -> str:
    return f"""
        SELECT {column} AS value, count(*) AS extracted_documents, count(*) FILTER (kept) AS kept_documents,
               coalesce(sum(n_tokens) FILTER (kept), 0)::BIGINT AS kept_tokens
        FROM part_pages GROUP BY 1
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
    Table("months", "Months of the crawl", "", _by("coalesce(substr(date, 1, 7), '')"), most_first=False),
    Table(
        "clusters",
        "Sizes of duplicate clusters",
        "How many clusters of near-duplicates have how many members; the survivor is one of them.",
        """
        SELECT cluster_size, count(DISTINCT cluster_id) AS clusters, count(*) AS documents FROM duplicates GROUP BY 1 ORDER BY 1
        """,
        by_part=False,
    ),
    Table(
        "lengths",
        "Lengths in tokens",
        "Documents in the shards, by their length with its delimiter.",
        """
        SELECT (2 ** floor(log2(final_tokens)))::BIGINT AS tokens_from, count(*) AS documents, sum(final_tokens)::BIGINT AS tokens
        FROM part_pages WHERE kept AND final_tokens IS NOT NULL GROUP BY 1
        """,
        most_first=False,
    ),
    Table(
        "personal_data",
        "Personal data",
        "Masked spans by kind.",
        """
        SELECT kind, count(*) AS spans, count(DISTINCT doc_id) AS documents FROM edits WHERE stage = 'pii' AND part = {part}
        GROUP BY 1
        """,
    ),
    Table(
        "cleaning",
        "Cleaning",
        "Edits by kind.",
        """
        SELECT kind, count(*) AS edits, count(DISTINCT doc_id) AS documents,
               sum("end" - start - length(replacement))::BIGINT AS characters_removed
        FROM edits WHERE stage = 'clean' AND part = {part} GROUP BY 1
        """,
    ),
)


def tables(ledger: Ledger) -> list[dict[str, Any]]:
    """Each of TABLES as a mapping: name, title, note, columns, rows; the last row sums up those that are not shown."""
    found = []
    sums = _sums_of_parts(ledger)
    for table in TABLES:
        result = sums[table.name] if table.by_part else ledger.connection.sql(table.query).to_arrow_table()
        names, rows = result.column_names, [list(row.values()) for row in result.to_pylist()]
        if table.by_part:
            rows.sort(key=(lambda row: (-row[1], row[0])) if table.most_first else (lambda row: row[0]))
        shown = rows[:ROWS_SHOWN] if table.has_rest else rows
        if len(rows) > len(shown):
            rest = [sum(row[index] for row in rows[ROWS_SHOWN:]) for index in range(1, len(names))]
            shown.append([f"{len(rows) - ROWS_SHOWN:,} others", *rest])
        found.append({"name": table.name, "title": table.title, "note": table.note, "columns": names, "rows": shown})
    return found


def _sums_of_parts(ledger: Ledger) -> dict[str, pa.Table]:
    """The rows of each table with `by_part`, summed over the parts per value of the first column."""
    by_part = [table for table in TABLES if table.by_part]
    held: dict[str, list[pa.Table]] = {table.name: [] for table in by_part}
    # A corpus without parts still has the tables, with no rows: no part has an empty name.
    for part in layout.parts(ledger.root) or [""]:
        name = "'" + part.replace("'", "''") + "'"
        ledger.connection.register("part_pages", _part_pages(ledger.root, part))
        for table in by_part:
            of_table = held[table.name]
            of_table.append(ledger.connection.sql(table.query.format(part=name)).to_arrow_table())
            if sum(each.num_rows for each in of_table[1:]) > _ROWS_HELD:
                of_table[:] = [_added(of_table)]
        ledger.connection.unregister("part_pages")
    return {name: _added(of_table) for name, of_table in held.items()}


def _added(tables: Sequence[pa.Table]) -> pa.Table:
    value, *numbers = tables[0].column_names
    sums = pa.concat_tables(tables).group_by(value).aggregate([(number, "sum") for number in numbers])
    return sums.select([value, *(f"{number}_sum" for number in numbers)]).rename_columns([value, *numbers])


def _part_pages(root: Path, part: str) -> pa.Table:
    """The extracted documents of a part: whether each is in the shards (kept), and its tokens as extracted and in the shards."""
    pages = read_known(root, layout.documents(part), _DOCUMENTS)
    verdicts = [read_known(root, layout.verdicts(stage, part), _VERDICT) for stage in JUDGING[1:]]
    dropped = pa.concat_tables(each.filter(pc.invert(each["kept"])) for each in verdicts)["doc_id"]
    tokens = read_known(root, layout.token_counts(part), _TOKENS)
    final = read_known(root, layout.verdicts(EDITING[-1], part), _TOKENS)
    columns = {
        "kept": pc.invert(pc.is_in(pages["doc_id"], value_set=dropped)),
        "n_tokens": column_of(tokens, "n_tokens", pages["doc_id"]),
        "final_tokens": column_of(final, "n_tokens", pages["doc_id"]),
    }
    for name, column in columns.items():
        pages = pages.append_column(name, column)
    return pages


def rules(ledger: Ledger, quality: Sequence[Rule]) -> list[dict[str, Any]]:
    """What each rule dropped, one mapping per stage and rule: documents that failed it first (`first`, and their `tokens`), that
    failed it at all (`failed`), and that failed it alone (`alone`).

    Rules of `quality` are listed even if they dropped nothing.
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
