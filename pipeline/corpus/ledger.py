"""The ledger: one DuckDB file that says what was done, what happened to each page, and what each stage cost in tokens.

The driver of a run is its only writer. Tables hold what runs record (`units`, `runs`) and the newest state of the corpus
(`stage_counts`, `rule_counts`, `host_counts`, `token_shards`); views lie over the Parquet files, so that
`duckdb OUT/manifest.duckdb` answers "what happened to this URL?" with one SELECT on `fates`.
"""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import duckdb

FILE_NAME = "manifest.duckdb"
# The driver must stay below 1.5 GB whatever the size of the corpus; DuckDB spills to disk beyond this.
MEMORY_LIMIT = "600MB"

TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run_id VARCHAR PRIMARY KEY, started TIMESTAMP, finished TIMESTAMP, manifest_hash VARCHAR, code_version VARCHAR,
    executor VARCHAR, workers INTEGER, host VARCHAR, status VARCHAR);
CREATE TABLE IF NOT EXISTS inputs (uri VARCHAR, start_byte BIGINT, end_byte BIGINT, part VARCHAR);
CREATE TABLE IF NOT EXISTS units (
    stage VARCHAR, part VARCHAR, key VARCHAR, rows BIGINT, output VARCHAR, digest VARCHAR, seconds DOUBLE,
    status VARCHAR, error VARCHAR, ingredients VARCHAR, PRIMARY KEY (stage, part));
CREATE TABLE IF NOT EXISTS stage_counts (
    run_id VARCHAR, stage VARCHAR, ordinal INTEGER, docs_in BIGINT, docs_out BIGINT, chars_in BIGINT, chars_out BIGINT,
    bytes_in BIGINT, bytes_out BIGINT, tokens_in BIGINT, tokens_out BIGINT, seconds DOUBLE);
CREATE TABLE IF NOT EXISTS rule_counts (
    run_id VARCHAR, stage VARCHAR, rule VARCHAR, threshold DOUBLE, docs BIGINT, chars BIGINT, tokens BIGINT);
CREATE TABLE IF NOT EXISTS token_shards (
    file VARCHAR, split VARCHAR, documents BIGINT, tokens BIGINT, digest VARCHAR, first_doc_id VARCHAR,
    last_doc_id VARCHAR);
"""

# Each view: the files it lies over, and its columns with types for when there are none yet.
_VERDICT_COLUMNS = (
    "doc_id VARCHAR, kept BOOLEAN, rule VARCHAR, value DOUBLE, threshold DOUBLE, failed VARCHAR[], "
    "n_chars BIGINT, n_bytes BIGINT, n_tokens BIGINT"
)
_RECORD_COLUMNS = (
    "doc_id VARCHAR, kept BOOLEAN, rule VARCHAR, value DOUBLE, threshold DOUBLE, failed VARCHAR[], detail VARCHAR, "
    "url VARCHAR, date VARCHAR, record_type VARCHAR, record_bytes BIGINT, warc_file VARCHAR, warc_offset BIGINT"
)
_DOCUMENT_COLUMNS = (
    "doc_id VARCHAR, url VARCHAR, host VARCHAR, date VARCHAR, title VARCHAR, text VARCHAR, charset VARCHAR, "
    "charset_source VARCHAR, replacement_share DOUBLE, extractor VARCHAR, lang VARCHAR, lang_score DOUBLE, "
    "kana_share DOUBLE, japanese_share DOUBLE, warc_file VARCHAR, warc_offset BIGINT"
)
# The stages whose verdicts have no columns of a record, in the order of the flow.
_JUDGING = ("quality", "dedup", "hosts", "clean", "pii", "removals")


class _FileView(NamedTuple):
    """A view over the files of some patterns; `name` of the file's folder and stem become columns where asked for."""

    patterns: tuple[str, ...]
    columns: str
    has_part: bool = True
    has_stage: bool = False


_FILE_VIEWS = {
    "records": _FileView(("verdicts/extract/*.parquet",), _RECORD_COLUMNS),
    "documents": _FileView(("documents/*.parquet",), _DOCUMENT_COLUMNS),
    "measured": _FileView(("features/*.parquet",), "doc_id VARCHAR, num_letters BIGINT, n_bytes BIGINT"),
    "token_counts": _FileView(("token_counts/*.parquet",), "doc_id VARCHAR, n_tokens BIGINT"),
    "stage_verdicts": _FileView(tuple(f"verdicts/{stage}/*.parquet" for stage in _JUDGING), _VERDICT_COLUMNS, has_stage=True),
    "duplicates": _FileView(
        ("duplicates.parquet",),
        "doc_id VARCHAR, cluster_id VARCHAR, survivor_id VARCHAR, similarity FLOAT, cluster_size BIGINT",
        has_part=False,
    ),
    "host_counts": _FileView(("host_counts.parquet",), "host VARCHAR, docs_in BIGINT, docs_out BIGINT", has_part=False),
    "edits": _FileView(
        ("edits/clean/*.parquet", "edits/pii/*.parquet"),
        'doc_id VARCHAR, start INTEGER, "end" INTEGER, kind VARCHAR, replacement VARCHAR',
        has_stage=True,
    ),
    "removals": _FileView(
        ("removals.parquet",),
        "kind VARCHAR, entry VARCHAR, action VARCHAR, reason VARCHAR, who VARCHAR, requested TIMESTAMP",
        has_part=False,
    ),
}
# The stages that fill folders of another name.
_MAKERS = {"documents": "extract", "features": "measure", "token_counts": "count"}
# In `pages` the URL, which is the same on both sides, is joined by too: so a question for one URL looks for it on both, in a
# third of the time.
_DERIVED_VIEWS = """
CREATE OR REPLACE {temporary} VIEW features AS
    SELECT measured.*, token_counts.n_tokens FROM measured LEFT JOIN token_counts USING (part, doc_id);
CREATE OR REPLACE {temporary} VIEW verdicts AS
    SELECT stage, part, doc_id, kept, rule, value, threshold, failed FROM stage_verdicts
    UNION ALL SELECT 'extract', part, doc_id, kept, rule, value, threshold, failed FROM records;
CREATE OR REPLACE {temporary} VIEW fates AS
    SELECT doc_id, url, 'extract' AS stage, kept, rule, value, threshold, part, warc_file, warc_offset
    FROM records WHERE NOT kept
    UNION ALL
    SELECT r.doc_id, r.url, coalesce(v.stage, 'tokenize'), v.stage IS NULL, v.rule, v.value, v.threshold, r.part,
           r.warc_file, r.warc_offset
    FROM records r LEFT JOIN (SELECT * FROM stage_verdicts WHERE NOT kept) v USING (part, doc_id) WHERE r.kept;
CREATE OR REPLACE {temporary} VIEW pages AS
    SELECT d.*, f.stage, f.kept, f.rule, f.value, f.threshold, t.n_tokens,
           CASE WHEN f.kept THEN final.n_tokens END AS final_tokens
    FROM (SELECT COLUMNS(lambda name: name <> 'text') FROM documents) d
    JOIN (SELECT * FROM fates WHERE stage <> 'extract') f USING (part, doc_id, url)
    LEFT JOIN token_counts t USING (part, doc_id)
    LEFT JOIN (SELECT part, doc_id, n_tokens FROM stage_verdicts WHERE stage = 'pii') final USING (part, doc_id);
"""


class LedgerError(Exception):
    """The ledger cannot be opened or written; the message names the file and the remedy."""


class NoCorpusError(LedgerError):
    """There is no corpus in this folder."""


class UnitRow(NamedTuple):
    """What the ledger knows of a unit of work; `output` maps file names to digests."""

    stage: str
    part: str
    key: str
    rows: int
    output: dict[str, str]
    digest: str
    seconds: float
    status: str
    error: str | None
    ingredients: dict[str, Any]


class Ledger:
    """The open ledger of the corpus in `root`. Use it as a context manager."""

    def __init__(self, root: Path, read_only: bool = False) -> None:
        self.root = root
        self.path = root / FILE_NAME
        if read_only and not self.path.exists():
            raise NoCorpusError(f"{root} holds no corpus: {self.path} is missing; `run` a manifest with this output first")
        try:
            self.connection = duckdb.connect(str(self.path), read_only=read_only)
            self.connection.execute(f"SET memory_limit='{MEMORY_LIMIT}'; SET temp_directory='{root / '.duckdb-spill'}'")
            if not read_only:
                self.connection.execute(TABLES)
        except duckdb.IOException as error:
            raise LedgerError(_opening_failed(self.path, error)) from error
        except duckdb.Error as error:
            raise LedgerError(_damaged(self.path, error)) from error

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.connection.close()
        # An error that is being reported keeps this object to the end of the program, and DuckDB complains there of what it kept.
        del self.connection

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query with `?` for `parameters`."""
        return self.connection.execute(query, list(parameters)).fetchall()

    # What was done

    def units(self) -> dict[tuple[str, str], UnitRow]:
        """All units by (stage, part)."""
        columns = "stage, part, key, rows, output, digest, seconds, status, error, ingredients"
        found = {}
        for *thin, ingredients in self.rows(f"SELECT {columns} FROM units"):
            stage, part, key, rows, output, digest, seconds, status, error = thin
            made_of = json.loads(ingredients)
            found[(stage, part)] = UnitRow(stage, part, key, rows, json.loads(output), digest, seconds, status, error, made_of)
        return found

    def record(self, unit: UnitRow) -> None:
        """Replace the row of a unit, in one transaction."""
        as_json = {"output", "ingredients"}
        values = [json.dumps(value, sort_keys=True) if name in as_json else value for name, value in unit._asdict().items()]
        self.connection.execute("INSERT OR REPLACE INTO units VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def forget(self, stage: str, part: str) -> None:
        """Remove the row of a unit that is no longer part of the corpus."""
        self.connection.execute("DELETE FROM units WHERE stage = ? AND part = ?", [stage, part])

    def replace_rows(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Make `rows` the whole content of `table`, in one transaction."""
        self.connection.execute("BEGIN")
        self.connection.execute(f"DELETE FROM {table}")
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self.connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        self.connection.execute("COMMIT")

    def create_views(self, temporary: bool = False) -> None:
        """(Re)make the views over the files that are there now; `temporary` for a ledger opened to read."""
        keyword = "TEMPORARY" if temporary else ""
        mixed = self._mixed()
        for name, view in _FILE_VIEWS.items():
            self.connection.execute(f"CREATE OR REPLACE {keyword} VIEW {name} AS {self._query(view, mixed)}")
        self.connection.execute(_DERIVED_VIEWS.format(temporary=keyword))

    def _query(self, view: _FileView, mixed: set[str]) -> str:
        """The SELECT of a view: over its files, or, before there are any, over no rows of the same columns."""
        patterns = [pattern for pattern in view.patterns if any(self.root.glob(pattern))]
        selects = [self._select(view, pattern, pattern in mixed) for pattern in patterns]
        if len(view.patterns) == len(selects) == 1:
            return selects[0]
        # The first SELECT names the columns, in their order; a stage that lacks some of them has nulls there.
        columns = view.columns + ", part VARCHAR" * view.has_part + ", stage VARCHAR" * view.has_stage
        nulls = (column.rsplit(" ", 1) for column in columns.split(", "))
        no_rows = "SELECT " + ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in nulls) + " WHERE false"
        return " UNION ALL BY NAME ".join([no_rows, *selects])

    def _select(self, view: _FileView, pattern: str, is_mixed: bool) -> str:
        """The SELECT over the files of one pattern. Their columns are those of the first file, unless they are mixed.

        To unite them by name is to read the footer of each for every query: seconds of them, where parts are many.
        """
        part = ", parse_filename(filename, true) AS part" * view.has_part
        stage = f", '{Path(pattern).parent.name}' AS stage" * view.has_stage
        by_name = ", union_by_name=true" * is_mixed
        files = f"read_parquet({_quoted(self.root.resolve() / pattern)}, filename=true{by_name})"
        return f"SELECT * EXCLUDE (filename){part}{stage} FROM {files}"

    def _mixed(self) -> set[str]:
        """The patterns whose files may differ in their columns: those not known to be all made by the same code."""
        query = """
            SELECT stage FROM units GROUP BY stage
            HAVING bool_and(status = 'done') AND count(DISTINCT ingredients->>'$.code') = 1
        """
        of_one_code = {stage for (stage,) in self.rows(query)}
        patterns = (pattern for view in _FILE_VIEWS.values() for pattern in view.patterns if "*" in pattern)
        makers = {pattern: Path(pattern).parent.name for pattern in patterns}
        return {pattern for pattern, folder in makers.items() if _MAKERS.get(folder, folder) not in of_one_code}


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _opening_failed(path: Path, error: duckdb.Error) -> str:
    message = " ".join(str(error).split())
    if "lock" in message.lower():
        return f"{path} is held by another run or program; wait for it to end, or close it ({message})"
    if "not a valid DuckDB" in message or "corrupt" in message.lower():
        return _damaged(path, error)
    return f"{path} cannot be opened: {message}"


def _damaged(path: Path, error: duckdb.Error) -> str:
    message = " ".join(str(error).split())
    return f"{path} is damaged ({message}); move it away and `run` again: the units are done anew, the inputs are untouched"
