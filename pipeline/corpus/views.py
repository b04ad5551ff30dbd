"""The ledger's views over the Parquet files of the corpus, built from its list of the files that stages write (`tables`).

The views hold no path of a folder, so that the corpus may be moved, and any DuckDB that opens `manifest.duckdb` can use them.

records         every record with the verdict of `extract`     documents, token_counts            the files' own columns
stage_verdicts  verdicts of later stages                        features                           measured numbers and tokens
edits           changes that stages make to texts               duplicates, host_counts, removals  the files' own columns
verdicts        records and stage_verdicts together
fates           one row per record: where it ended and why      pages   one row per document, without its text
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

from pipeline.corpus import layout
from pipeline.corpus.ledger import Ledger, LedgerError


class TableRow(NamedTuple):
    """A file that a stage writes, once or per part.

    path: its name, with `{part}` for the part. stage: the stage whose verdicts or edits it holds, empty for other files.
    made_by: the stage that writes it. columns: DuckDB's `name TYPE`, separated by commas. changes_texts: whether it holds the
    verdicts of a stage that changes texts, and so has sizes.
    """

    path: str
    stage: str
    made_by: str
    columns: str
    changes_texts: bool


# Only verdicts of stages that change texts have sizes; the view has null for the other stages.
_SIZES = ('"n_chars" BIGINT', '"n_bytes" BIGINT', '"n_tokens" BIGINT')
# The folder of the corpus, with a slash at its end. DuckDB evaluates it when a view is used. The default folder of temporary
# files is beside the database, so its name tells the database's folder. Where the ledger is attached to another database, that
# is not so: SET VARIABLE corpus = 'FOLDER/' names it.
_FOLDER = "coalesce(getvariable('corpus'), regexp_replace(current_setting('temp_directory'), '[^/]*$', ''))"
# `pages` joins by URL too, although doc_id would do: DuckDB then filters both sides in a query for one URL, in a third of the
# time.
_DERIVED_VIEWS = """
CREATE OR REPLACE VIEW features AS
    SELECT measured.*, token_counts.n_tokens FROM measured LEFT JOIN token_counts USING (part, doc_id);
CREATE OR REPLACE VIEW verdicts AS
    SELECT stage, part, doc_id, kept, rule, value, threshold, failed FROM stage_verdicts
    UNION ALL SELECT '{first}', part, doc_id, kept, rule, value, threshold, failed FROM records;
CREATE OR REPLACE VIEW fates AS
    SELECT doc_id, url, '{first}' AS stage, kept, rule, value, threshold, part, warc_file, warc_offset
    FROM records WHERE NOT kept
    UNION ALL
    SELECT r.doc_id, r.url, coalesce(v.stage, 'tokenize'), v.stage IS NULL, v.rule, v.value, v.threshold, r.part,
           r.warc_file, r.warc_offset
    FROM records r LEFT JOIN (SELECT * FROM stage_verdicts WHERE NOT kept) v USING (part, doc_id) WHERE r.kept;
CREATE OR REPLACE VIEW pages AS
    SELECT d.*, f.stage, f.kept, f.rule, f.value, f.threshold, t.n_tokens,
           CASE WHEN f.kept THEN final.n_tokens END AS final_tokens
    FROM (SELECT {without_text} FROM documents) d
    JOIN (SELECT * FROM fates WHERE stage <> '{first}') f USING (part, doc_id, url)
    LEFT JOIN token_counts t USING (part, doc_id)
    LEFT JOIN ({final}) final USING (part, doc_id);
"""


class _View(NamedTuple):
    """A view over the files of some rows of `tables`; `columns` are those that it has until files exist."""

    tables: tuple[TableRow, ...]
    columns: str
    has_stage: bool = False

    @property
    def has_part(self) -> bool:
        return "{part}" in self.tables[0].path


def read_ledger(root: Path) -> Ledger:
    """Open the ledger of a corpus for reading, with views over the files that are there. Raises NoCorpusError, LedgerError."""
    ledger = Ledger(root, read_only=True)
    create_views(ledger)
    return ledger


def columns_of(ledger: Ledger, view: str) -> list[str]:
    """The columns of a view, those of files of an earlier version included; [] if the ledger has no such view."""
    try:
        return [str(name) for name, *_ in ledger.rows(f"DESCRIBE {view}")]
    except duckdb.CatalogException:
        return []


def describe_tables(ledger: Ledger, tables: Sequence[TableRow]) -> None:
    """Record which files the stages write, for `create_views`."""
    ledger.replace_rows("tables", [tuple(table) for table in tables])


def create_views(ledger: Ledger) -> None:
    """(Re)create the views over the files that exist now. Raises LedgerError."""
    try:
        tables = [TableRow(*row) for row in ledger.rows("SELECT path, stage, made_by, columns, changes_texts FROM tables")]
    except duckdb.CatalogException as error:
        raise LedgerError(f"{ledger.path} was written by an earlier version; `run` its manifest again") from error
    if not tables:
        return  # the folder has a ledger, but no run has begun
    mixed = _mixed(ledger, tables)
    for name, view in _views(tables).items():
        ledger.connection.execute(f"CREATE OR REPLACE VIEW {name} AS {_query(ledger.root, view, mixed)}")
    editors = [table.stage for table in tables if table.changes_texts]
    final = f"SELECT part, doc_id, n_tokens FROM stage_verdicts WHERE stage = '{editors[-1]}'" if editors else "FROM token_counts"
    first = next(table.stage for table in tables if table.path.startswith("verdicts/"))
    columns = [row[0] for row in ledger.rows("DESCRIBE documents")]
    without_text = "* EXCLUDE (text)" if "text" in columns else "*"
    ledger.connection.execute(_DERIVED_VIEWS.format(first=first, final=final, without_text=without_text))


def _views(tables: Sequence[TableRow]) -> dict[str, _View]:
    """The views by name. The first stage judges records, later ones documents; any other file has a view of its own name."""
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
    """The columns that all tables have, in the order of the first, and the sizes."""
    others = [set(table.columns.split(", ")) for table in tables[1:]]
    common = [column for column in tables[0].columns.split(", ") if all(column in columns for columns in others)]
    return ", ".join(dict.fromkeys([*common, *_SIZES]))


def _query(root: Path, view: _View, mixed: set[str]) -> str:
    """The SELECT of a view over its files; without files, no rows with the same columns."""
    there = [table for table in view.tables if any(root.glob(_pattern(table)))]
    selects = [_select(view, table, table.path in mixed) for table in there]
    if len(view.tables) == len(selects) == 1:
        return selects[0]
    # The first SELECT fixes the names and order of the columns; a stage that lacks one has nulls there.
    columns = view.columns + ", part VARCHAR" * view.has_part + ", stage VARCHAR" * view.has_stage
    nulls = (column.split(" ", 1) for column in columns.split(", "))
    no_rows = "SELECT " + ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in nulls) + " WHERE false"
    return " UNION ALL BY NAME ".join([no_rows, *selects])


def _select(view: _View, table: TableRow, is_mixed: bool) -> str:
    """The SELECT over the files of one table. All files are taken to have the columns of the first, unless `is_mixed`.

    Uniting by name reads the footer of every file in every query, which takes seconds if there are many parts.
    """
    part = ", parse_filename(filename, true) AS part" * view.has_part
    stage = f", '{table.stage}' AS stage" * view.has_stage
    by_name = ", union_by_name=true" * is_mixed
    files = f"read_parquet({_FOLDER} || '{_pattern(table)}', filename=true{by_name})"
    return f"SELECT * EXCLUDE (filename){part}{stage} FROM {files}"


def _mixed(ledger: Ledger, tables: Sequence[TableRow]) -> set[str]:
    """The paths of tables whose files may differ in columns: those not known to be written by one version of the code."""
    query = """
        SELECT stage FROM units GROUP BY stage
        HAVING bool_and(status = 'done') AND count(DISTINCT coalesce(ingredients->>'$.made_by', ingredients->>'$.code')) = 1
    """
    of_one_code = {stage for (stage,) in ledger.rows(query)}
    return {table.path for table in tables if "{part}" in table.path and table.made_by not in of_one_code}


def _pattern(table: TableRow) -> str:
    return table.path.replace("{part}", "*")
