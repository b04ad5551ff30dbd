"""The views of the ledger over the Parquet files of the corpus, made from what the ledger says the stages write (`tables`).

records         every record and what `extract` says of it      documents, token_counts   as the files are
stage_verdicts  what later stages say of documents              features                  measured numbers and tokens
edits           what stages change in texts                     duplicates, host_counts, removals   as the files are
verdicts        records and stage_verdicts together
fates           a row per record: where it ended and why        pages   a row per document, without its text
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

from pipeline.corpus import layout
from pipeline.corpus.ledger import Ledger, LedgerError


class TableRow(NamedTuple):
    """A file that a stage makes, or one per part.

    path: its name, with `{part}` for a part. stage: the stage whose verdicts or edits it holds, empty for other files.
    made_by: the stage that makes it. columns: `name TYPE` of DuckDB, separated by commas. changes_texts: whether it is the
    verdicts of a stage that changes texts, so that they have sizes.
    """

    path: str
    stage: str
    made_by: str
    columns: str
    changes_texts: bool


# Sizes that only the verdicts of stages which change texts have; in the view those of others are null.
_SIZES = ('"n_chars" BIGINT', '"n_bytes" BIGINT', '"n_tokens" BIGINT')
# In `pages` the URL, which is the same on both sides, is joined by too: so a question for one URL looks for it on both, in a
# third of the time.
_DERIVED_VIEWS = """
CREATE OR REPLACE {temporary} VIEW features AS
    SELECT measured.*, token_counts.n_tokens FROM measured LEFT JOIN token_counts USING (part, doc_id);
CREATE OR REPLACE {temporary} VIEW verdicts AS
    SELECT stage, part, doc_id, kept, rule, value, threshold, failed FROM stage_verdicts
    UNION ALL SELECT '{first}', part, doc_id, kept, rule, value, threshold, failed FROM records;
CREATE OR REPLACE {temporary} VIEW fates AS
    SELECT doc_id, url, '{first}' AS stage, kept, rule, value, threshold, part, warc_file, warc_offset
    FROM records WHERE NOT kept
    UNION ALL
    SELECT r.doc_id, r.url, coalesce(v.stage, 'tokenize'), v.stage IS NULL, v.rule, v.value, v.threshold, r.part,
           r.warc_file, r.warc_offset
    FROM records r LEFT JOIN (SELECT * FROM stage_verdicts WHERE NOT kept) v USING (part, doc_id) WHERE r.kept;
CREATE OR REPLACE {temporary} VIEW pages AS
    SELECT d.*, f.stage, f.kept, f.rule, f.value, f.threshold, t.n_tokens,
           CASE WHEN f.kept THEN final.n_tokens END AS final_tokens
    FROM (SELECT COLUMNS(lambda name: name <> 'text') FROM documents) d
    JOIN (SELECT * FROM fates WHERE stage <> '{first}') f USING (part, doc_id, url)
    LEFT JOIN token_counts t USING (part, doc_id)
    LEFT JOIN ({final}) final USING (part, doc_id);
"""


class _View(NamedTuple):
    """A view over the files of some rows of `tables`; columns are those that it has before there is any file."""

    tables: tuple[TableRow, ...]
    columns: str
    has_stage: bool = False

    @property
    def has_part(self) -> bool:
        return "{part}" in self.tables[0].path


def read_ledger(root: Path) -> Ledger:
    """The ledger of a corpus, opened to read, with views over where the corpus is now. Raises NoCorpusError, LedgerError."""
    ledger = Ledger(root, read_only=True)
    create_views(ledger, temporary=True)
    return ledger


def describe_tables(ledger: Ledger, tables: Sequence[TableRow]) -> None:
    """Record which files the stages make; `create_views` reads it."""
    ledger.replace_rows("tables", [tuple(table) for table in tables])


def create_views(ledger: Ledger, temporary: bool = False) -> None:
    """(Re)make the views over the files that are there now; `temporary` for a ledger opened to read."""
    try:
        tables = [TableRow(*row) for row in ledger.rows("SELECT path, stage, made_by, columns, changes_texts FROM tables")]
    except duckdb.CatalogException as error:
        raise LedgerError(f"{ledger.path} was written by an earlier version; `run` its manifest again") from error
    if not tables:
        return  # the folder has a ledger, and no run began yet
    keyword = "TEMPORARY" if temporary else ""
    mixed = _mixed(ledger, tables)
    for name, view in _views(tables).items():
        ledger.connection.execute(f"CREATE OR REPLACE {keyword} VIEW {name} AS {_query(ledger.root, view, mixed)}")
    editors = [table.stage for table in tables if table.changes_texts]
    final = f"SELECT part, doc_id, n_tokens FROM stage_verdicts WHERE stage = '{editors[-1]}'" if editors else "FROM token_counts"
    first = next(table.stage for table in tables if table.path.startswith("verdicts/"))
    ledger.connection.execute(_DERIVED_VIEWS.format(temporary=keyword, first=first, final=final))


def _views(tables: Sequence[TableRow]) -> dict[str, _View]:
    """The views by name. The first stage judges records, the others documents; other files are views of their own names."""
    verdicts = [table for table in tables if table.path.startswith("verdicts/")]
    edits = tuple(table for table in tables if table.path.startswith("edits/"))
    views = {"records": _View((verdicts[0],), verdicts[0].columns)}
    if later := tuple(verdicts[1:]):
        views["stage_verdicts"] = _View(later, _common(later), has_stage=True)
    if edits:
        views["edits"] = _View(edits, edits[0].columns, has_stage=True)
    for table in tables:
        if not table.stage:
            name = Path(table.path).parts[0].removesuffix(".parquet")
            views["measured" if table.path == layout.features() else name] = _View((table,), table.columns)
    return views


def _common(tables: Sequence[TableRow]) -> str:
    """The columns that all of them have, in the order of the first, and the sizes."""
    others = [set(table.columns.split(", ")) for table in tables[1:]]
    common = [column for column in tables[0].columns.split(", ") if all(column in columns for columns in others)]
    return ", ".join(dict.fromkeys([*common, *_SIZES]))


def _query(root: Path, view: _View, mixed: set[str]) -> str:
    """The SELECT of a view: over its files, or, before there are any, over no rows of the same columns."""
    there = [table for table in view.tables if any(root.glob(_pattern(table)))]
    selects = [_select(root, view, table, table.path in mixed) for table in there]
    if len(view.tables) == len(selects) == 1:
        return selects[0]
    # The first SELECT names the columns, in their order; a stage that lacks some of them has nulls there.
    columns = view.columns + ", part VARCHAR" * view.has_part + ", stage VARCHAR" * view.has_stage
    nulls = (column.split(" ", 1) for column in columns.split(", "))
    no_rows = "SELECT " + ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in nulls) + " WHERE false"
    return " UNION ALL BY NAME ".join([no_rows, *selects])


def _select(root: Path, view: _View, table: TableRow, is_mixed: bool) -> str:
    """The SELECT over the files of one table. Their columns are those of the first file, unless they are mixed.

    To unite them by name is to read the footer of each for every query: seconds of them, where parts are many.
    """
    part = ", parse_filename(filename, true) AS part" * view.has_part
    stage = f", '{table.stage}' AS stage" * view.has_stage
    by_name = ", union_by_name=true" * is_mixed
    files = f"read_parquet({_quoted(root.resolve() / _pattern(table))}, filename=true{by_name})"
    return f"SELECT * EXCLUDE (filename){part}{stage} FROM {files}"


def _mixed(ledger: Ledger, tables: Sequence[TableRow]) -> set[str]:
    """The tables whose files may differ in their columns: those not known to be all made by the same code."""
    query = """
        SELECT stage FROM units GROUP BY stage
        HAVING bool_and(status = 'done') AND count(DISTINCT ingredients->>'$.code') = 1
    """
    of_one_code = {stage for (stage,) in ledger.rows(query)}
    return {table.path for table in tables if "{part}" in table.path and table.made_by not in of_one_code}


def _pattern(table: TableRow) -> str:
    return table.path.replace("{part}", "*")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
