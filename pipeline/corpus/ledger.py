"""The ledger: one DuckDB file with what was done, what happened to each page, and the yield of each stage.

Only the driver of a run writes it. Its tables hold the record of runs (`units`, `runs`), the newest state of the corpus
(`stage_counts`, `rule_counts`, `token_shards`) and the files that stages write (`tables`). `corpus.views` adds views over the
files, so that `duckdb OUT/manifest.duckdb` answers "what happened to this URL?" with one SELECT on `fates`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from pipeline.errors import RunStopped, UserError

FILE_NAME = "manifest.duckdb"
# The driver must stay below 1.5 GB whatever the size of the corpus; DuckDB spills to disk beyond this.
MEMORY_LIMIT = "600MB"
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
    """The open ledger of the corpus in `root`; a context manager.

    Opening raises NoCorpusError if `read_only` and the file is missing, LedgerError if it is damaged, locked, or already open in
    this process for reading.
    """

    def __init__(self, root: Path, read_only: bool = False) -> None:
        self.root = root
        self.path = root / FILE_NAME
        self._pending: dict[tuple[str, str], UnitRow] = {}
        if read_only and not self.path.exists():
            raise NoCorpusError(f"{root} holds no corpus: {self.path} is missing; `run` a manifest with this output first")
        try:
            self.connection = duckdb.connect(str(self.path), read_only=read_only)
            self.connection.execute(f"SET memory_limit='{MEMORY_LIMIT}'; SET temp_directory='{root / '.duckdb-spill'}'")
            if not read_only:
                self.connection.execute(TABLES)
        except duckdb.ConnectionException as error:  # this process has the file open for reading and now opens it for writing
            raise LedgerError(f"{self.path} is open in this program already; close that corpus first") from error
        except duckdb.IOException as error:
            raise LedgerError(_opening_failed(self.path, error)) from error
        except duckdb.Error as error:
            raise LedgerError(_damaged(self.path, error)) from error

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._write_pending()
        finally:
            self.connection.close()
        # A traceback can keep this object alive until the program exits, and DuckDB then complains about a live connection.
        del self.connection

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query that has `?` for each of `parameters`. Raises duckdb.Error."""
        self._write_pending()
        return self.connection.execute(query, list(parameters)).fetchall()

    # What was done

    def begin_run(self, run: RunRow) -> None:
        """Record that a run begins now."""
        self.connection.execute("INSERT INTO runs VALUES (?, now()::TIMESTAMP, NULL, ?, ?, ?, ?, ?, 'running')", list(run))

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
