"""The ledger: one DuckDB file with what was done, what happened to each page, and the yield of each stage.

Only the driver of a run writes it. Its tables hold the record of runs (`units`, `runs`), the newest state of the corpus
(`stage_counts`, `rule_counts`, `token_shards`) and the files that stages write (`tables`). `corpus.views` adds views over the
files, so that `duckdb OUT/manifest.duckdb` answers "what happened to this URL?" with one SELECT on `fates`. While a run works,
it publishes what is done so far (`corpus.ledger_files`), so that the corpus can be asked at any time.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from pipeline.corpus.ledger_files import (
    PUBLISHED,
    STORAGE_VERSION,
    WORKING,
    hand_over,
    prepare_working_file,
    publish,
    quoted,
    rewrite_in_old_storage,
)
from pipeline.errors import RunStopped, UserError

FILE_NAME = PUBLISHED
# The driver must stay below 1.5 GB whatever the size of the corpus; DuckDB spills to disk beyond this.
MEMORY_LIMIT = "600MB"
# While a run works, its ledger is published after so many seconds, and at most for this share of the time: what a second
# terminal shows is a few seconds old, and the copies of a ledger of a million units do not slow the run.
PUBLISH_SECONDS = 5.0
PUBLISH_SHARE = 0.02
# Rows of units are written together until they stand for this much work, which a kill then costs at most: a transaction takes ten
# milliseconds, as long as a small unit.
WORK_AT_RISK_SECONDS = 1.0

TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run_id VARCHAR PRIMARY KEY, started TIMESTAMP, finished TIMESTAMP, manifest_hash VARCHAR, code_version VARCHAR,
    executor VARCHAR, workers INTEGER, host VARCHAR, status VARCHAR);
CREATE TABLE IF NOT EXISTS inputs (uri VARCHAR, start_byte BIGINT, end_byte BIGINT, part VARCHAR);
CREATE TABLE IF NOT EXISTS remote_files (
    uri VARCHAR, size BIGINT, version VARCHAR, row_groups BIGINT, asked TIMESTAMP);
CREATE TABLE IF NOT EXISTS remote_names (pattern VARCHAR, names_limit BIGINT, names VARCHAR, asked TIMESTAMP);
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
CREATE TABLE IF NOT EXISTS notes (run_id VARCHAR, noted TIMESTAMP, who VARCHAR, kind VARCHAR, stage VARCHAR, detail VARCHAR);
CREATE TABLE IF NOT EXISTS tables (path VARCHAR, stage VARCHAR, made_by VARCHAR, columns VARCHAR, changes_texts BOOLEAN);
"""


class LedgerError(RunStopped):
    """The ledger cannot be opened or written; the message names the file and the remedy."""


class NoCorpusError(UserError):
    """There is no corpus in this folder."""


class RunRow(NamedTuple):
    """What the ledger records of a run when it begins."""

    run_id: str
    manifest_hash: str
    code_version: str
    executor: str
    workers: int
    host: str


class UnitRow(NamedTuple):
    """The ledger's row of a unit; `output` maps names of outputs to digests, `seconds` is wall-clock time."""

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
    """The open ledger of the corpus in `root`; a context manager. The folder must be locked for writing (`operations.run`).

    Opening raises NoCorpusError if `read_only` and the file is missing, LedgerError if it is damaged or cannot be opened.
    """

    def __init__(self, root: Path, read_only: bool = False) -> None:
        self.root = root
        self.path = root / FILE_NAME
        self.is_read_only = read_only
        self.before_publishing: Callable[[], None] = lambda: None
        self._published = time.monotonic()
        self._seconds_to_publish = 0.0
        self.run_id = ""
        self._pending: dict[tuple[str, str], UnitRow] = {}
        if read_only and not self.path.exists():
            raise NoCorpusError(f"{root} holds no corpus: {self.path} is missing; `run` a manifest with this output first")
        try:
            self.connection = self._for_reading() if read_only else self._for_writing()
            self.connection.execute(f"SET memory_limit='{MEMORY_LIMIT}'; SET temp_directory={quoted(root / '.duckdb-spill')}")
            self.connection.execute("SET VARIABLE corpus = ?", [f"{root.resolve()}/"])
        except duckdb.IOException as error:
            raise LedgerError(_opening_failed(self.path, error)) from error
        except duckdb.Error as error:
            raise LedgerError(_damaged(self.path, error)) from error

    def _for_reading(self) -> duckdb.DuckDBPyConnection:
        # Attached to a database of its own: DuckDB would hand out the copy that this process already has open, however old. That
        # database shows the ledger's tables, and takes the views over the files that are there now.
        connection = duckdb.connect()
        connection.execute(f"ATTACH {quoted(self.path)} AS ledger (READ_ONLY)")
        query = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'ledger' ORDER BY table_name"
        for (table,) in connection.execute(query).fetchall():
            connection.execute(f"CREATE VIEW {table} AS FROM ledger.main.{table}")
        return connection

    def _for_writing(self) -> duckdb.DuckDBPyConnection:
        working = self.root / WORKING
        was_copied = prepare_working_file(self.root)
        try:
            if working.exists():
                rewrite_in_old_storage(working, TABLES)
            connection = duckdb.connect(str(working), config={"storage_compatibility_version": STORAGE_VERSION})
            connection.execute(TABLES)
        except duckdb.Error:
            if was_copied:
                working.unlink()  # the published file is what has to be mended or moved away
            else:
                self.path = working
            raise
        return connection

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._write_pending()
        finally:
            self.connection.close()
        # A traceback can keep this object alive until the program exits, and DuckDB then complains about a live connection.
        del self.connection
        if not self.is_read_only:
            hand_over(self.root)

    def publish(self) -> None:
        """Let others read what is done so far. Raises OSError."""
        began = time.monotonic()
        self._write_pending()
        self.before_publishing()
        publish(self.connection, self.root)
        self._published = time.monotonic()
        self._seconds_to_publish = self._published - began

    def publish_if_due(self) -> None:
        """Publish if the published ledger is old enough for it. Raises OSError."""
        due = max(PUBLISH_SECONDS, self._seconds_to_publish / PUBLISH_SHARE)
        if time.monotonic() - self._published >= due:
            self.publish()

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query that has `?` for each of `parameters`. Raises duckdb.Error."""
        self._write_pending()
        return self.connection.execute(query, list(parameters)).fetchall()

    # What was done

    def begin_run(self, run: RunRow) -> None:
        """Record that a run begins now; `note` refers to it from then on."""
        self.run_id = run.run_id
        self.connection.execute("INSERT INTO runs VALUES (?, now()::TIMESTAMP, NULL, ?, ?, ?, ?, ?, 'running')", list(run))

    def note(self, who: str, kind: str, stage: str, **detail: Any) -> None:
        """Record for the present run what `who` decided about a stage: a row of `notes`, with `detail` as JSON."""
        as_json = json.dumps(detail, ensure_ascii=False, sort_keys=True)
        values = [self.run_id, who, kind, stage, as_json]
        self.connection.execute("INSERT INTO notes VALUES (?, now()::TIMESTAMP, ?, ?, ?, ?)", values)

    def notes(self, kind: str) -> list[tuple[str, str, str, str, dict[str, Any]]]:
        """The rows of `notes` of a kind, as (run_id, time, who, stage, detail), oldest first; [] in a ledger of earlier code."""
        if not self.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'notes'"):
            return []
        query = "SELECT run_id, strftime(noted, '%Y-%m-%d'), who, stage, detail FROM notes WHERE kind = ? ORDER BY noted"
        return [(run, noted, who, stage, json.loads(detail)) for run, noted, who, stage, detail in self.rows(query, kind)]

    def end_run(self, run_id: str, status: str) -> None:
        """Record that the run ended now, with its status."""
        self._write_pending()
        self.connection.execute("UPDATE runs SET finished = now()::TIMESTAMP, status = ? WHERE run_id = ?", [status, run_id])

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
        """Replace the row of a unit. Rows of short units may be written a little later, but before anything else is."""
        self._pending[(unit.stage, unit.part)] = unit
        if sum(each.seconds for each in self._pending.values()) >= WORK_AT_RISK_SECONDS:
            self._write_pending()
        self.publish_if_due()

    def _write_pending(self) -> None:
        """Write the rows of units that wait, in one transaction."""
        if self._pending:
            as_json = {"output", "ingredients"}
            rows = [
                [json.dumps(value, sort_keys=True) if name in as_json else value for name, value in unit._asdict().items()]
                for unit in self._pending.values()
            ]
            self._pending.clear()
            self._insert("OR REPLACE INTO units", rows)

    def _insert(self, into: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows by columns: one by one, each takes DuckDB a millisecond."""
        columns = pa.table([pa.array(column) for column in zip(*rows, strict=True)], [f"c{n}" for n in range(len(rows[0]))])
        self.connection.register("new_rows", columns)
        self.connection.execute(f"INSERT {into} SELECT * FROM new_rows")
        self.connection.unregister("new_rows")

    def forget(self, stage: str, part: str) -> None:
        """Remove the row of a unit that is no longer part of the corpus."""
        self._write_pending()
        self.connection.execute("DELETE FROM units WHERE stage = ? AND part = ?", [stage, part])

    def replace_rows(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Make `rows` the whole content of `table`, in one transaction."""
        self._write_pending()
        self.connection.execute("BEGIN")
        self.connection.execute(f"DELETE FROM {table}")
        if rows:
            self._insert(f"INTO {table}", rows)
        self.connection.execute("COMMIT")


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


class Size(NamedTuple):
    """A number of documents, their characters, and their tokens, one delimiter per document included."""

    documents: int
    characters: int
    tokens: int


def sizes_by_stage(ledger: Ledger) -> dict[str, Size]:
    """What each counted stage let through, in flow order; empty until a run has finished."""
    rows = ledger.rows("SELECT stage, docs_out, chars_out, tokens_out FROM stage_counts ORDER BY ordinal")
    return {stage: Size(*(number or 0 for number in numbers)) for stage, *numbers in rows}
