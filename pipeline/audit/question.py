"""A question to the ledger in SQL, and its answer as a box, as CSV or as a file.

A query may come from a page or a colleague, so it can only read, and only this corpus: it is one SELECT (or EXPLAIN, SHOW,
DESCRIBE, SUMMARIZE), and DuckDB opens no file outside the folder, no address and no extension. Values are made harmless to the
terminal before they are shown.
"""

import contextlib
import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import duckdb

from pipeline.corpus.ledger import Ledger
from pipeline.errors import UserError
from pipeline.files import replacing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

# Rows shown in a terminal, as DuckDB's own shell does; files and pipes get all rows.
ROWS_SHOWN = 40
# Characters of a row where the width is unknown: wide enough for every column of the ledger.
_UNBOUNDED = 100_000
_ROWS_AT_ONCE = 10_000
# What only reads. SHOW, DESCRIBE and SUMMARIZE are parsed as SELECT.
_READING = frozenset((duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN))
OUTPUT_SUFFIXES = (".csv", ".jsonl", ".parquet")


class QueryError(UserError):
    """A query that cannot be answered, or that would do more than read the corpus."""


def ask(ledger: Ledger, query: str, unsafe: bool = False) -> "DuckDBPyRelation":
    """The answer to `query`, not computed yet. The ledger's connection can read only the corpus from now on.

    unsafe: allow any statement and any file. Raises QueryError.
    """
    if not unsafe:
        _require_reading(ledger.connection, query)
        confine(ledger.connection, ledger.root)
    with _plain_errors():
        relation = ledger.connection.sql(query)
        if relation is None:
            raise QueryError("the query has no answer; ask with SELECT, such as `SELECT stage, docs_out FROM stage_counts`")
        return relation


def _require_reading(connection: "DuckDBPyConnection", query: str) -> None:
    with _plain_errors():
        statements = connection.extract_statements(query)
    for statement in statements:
        if statement.type not in _READING:
            name = str(statement.type).rpartition(".")[2]
            raise QueryError(
                f"a statement of kind {name} does more than read the corpus, so it is refused; write the answer of a SELECT to a "
                "file with --output FILE, or pass --unsafe to allow everything"
            )


def confine(connection: "DuckDBPyConnection", root: Path) -> None:
    """Let the connection open nothing but the files of the corpus in `root`, for as long as it lives."""
    folder = str(root.resolve()).replace("'", "''")
    connection.execute(
        f"SET python_enable_replacements=false; SET allowed_directories=['{folder}/']; SET enable_external_access=false; "
        "SET lock_configuration=true"
    )


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.PermissionException as error:
        raise QueryError(f"{' '.join(str(error).split())}; pass --unsafe to let a query leave the corpus") from error
    except duckdb.Error as error:
        raise QueryError(str(error)) from error


def box(answer: "DuckDBPyRelation", limit: int | None, width: int | None) -> str:
    """The answer as DuckDB draws it. limit: rows to show (None: all). width: columns of the terminal (None: unknown). Raises
    QueryError."""
    if answer.columns == ["explain_key", "explain_value"]:  # a drawing already
        return "\n".join(str(row["explain_value"]) for row in rows(answer, None))
    drawn = io.StringIO()
    with _plain_errors(), contextlib.redirect_stdout(drawn):
        answer.show(max_rows=_UNBOUNDED if limit is None else limit, max_width=width or _UNBOUNDED, max_col_width=_UNBOUNDED)
    return drawn.getvalue().rstrip("\n")


def rows(answer: "DuckDBPyRelation", limit: int | None) -> Iterator[dict[str, Any]]:
    """The rows of the answer as mappings, at most `limit`. Raises QueryError."""
    columns = answer.columns
    with _plain_errors():
        bounded: Any = answer if limit is None else answer.limit(limit)
        while True:
            batch: list[tuple[Any, ...]] = bounded.fetchmany(_ROWS_AT_ONCE)
            if not batch:
                return
            for row in batch:
                yield dict(zip(columns, row, strict=True))


def write_csv(answer: "DuckDBPyRelation", limit: int | None, stream: TextIO) -> None:
    """Write the answer as CSV with a header; lists and structures are JSON, a null is empty. Raises QueryError."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(answer.columns)
    for row in rows(answer, limit):
        writer.writerow(
            json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value
            for value in row.values()
        )


def write_answer(answer: "DuckDBPyRelation", limit: int | None, path: Path) -> None:
    """Write the answer to a file, in the format of its suffix. Raises QueryError for another suffix, OSError."""
    if path.suffix not in OUTPUT_SUFFIXES:
        raise QueryError(f"--output {path}: write to a file with a suffix of {', '.join(OUTPUT_SUFFIXES)}")
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            with _plain_errors():
                pq.write_table((answer if limit is None else answer.limit(limit)).to_arrow_table(), temporary)
            return
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            if path.suffix == ".csv":
                write_csv(answer, limit, stream)
            else:
                for row in rows(answer, limit):
                    stream.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


def is_terminal() -> bool:
    """Whether the answer is shown to a person."""
    return sys.stdout.isatty()
