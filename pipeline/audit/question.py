"""A question to the ledger in SQL, and its answer as a box, as CSV or as a file.

A query may come from a page or a colleague, so it can only read, and only this corpus: it is one SELECT (or EXPLAIN, SHOW,
DESCRIBE, SUMMARIZE), and DuckDB opens no file outside the folder, no address and no extension. Values are made harmless to the
terminal before they are shown.
"""

import contextlib
import csv
import io
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.ledger import Ledger
from pipeline.errors import UserError
from pipeline.files import replacing
from pipeline.terminal import aligned_text

# Rows shown in a terminal, as DuckDB's own shell does; files and pipes get all rows.
ROWS_SHOWN = 40
_ROWS_AT_ONCE = 10_000
# What only reads. SHOW, DESCRIBE and SUMMARIZE are parsed as SELECT.
_READING = frozenset((duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN))
OUTPUT_SUFFIXES = (".csv", ".jsonl", ".parquet")


class QueryError(UserError):
    """A query that cannot be answered, or that would do more than read the corpus."""


class Answer(NamedTuple):
    """A query that may be asked; the functions below compute its answer, each time anew."""

    connection: duckdb.DuckDBPyConnection
    query: str


def ask(ledger: Ledger, query: str, unsafe: bool = False) -> Answer:
    """The answer to `query`, not computed yet. The ledger's connection can read only the corpus from now on.

    unsafe: allow any statement and any file. Raises QueryError.
    """
    if not unsafe:
        _require_reading(ledger.connection, query)
        confine(ledger.connection, ledger.root)
    return Answer(ledger.connection, query)


def _require_reading(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    with _plain_errors():
        statements = connection.extract_statements(query)
    if not statements:
        raise QueryError("the query is empty; ask with SELECT, such as `SELECT stage, docs_out FROM stage_counts`")
    for statement in statements:
        if statement.type not in _READING:
            name = str(statement.type).rpartition(".")[2]
            raise QueryError(
                f"a statement of kind {name} does more than read the corpus, so it is refused; write the answer of a SELECT to a "
                "file with --output FILE, or pass --unsafe to allow everything"
            )


def confine(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Let the connection open nothing but the files of the corpus in `root`, for as long as it lives."""
    if connection.execute("SELECT current_setting('lock_configuration')").fetchall() == [(True,)]:
        return
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


def box(answer: Answer, limit: int, width: int) -> str:
    """The answer as DuckDB draws it, cut to `limit` rows and a terminal of `width` columns. Raises QueryError."""
    drawn = io.StringIO()
    with _plain_errors(), contextlib.redirect_stdout(drawn):
        relation = answer.connection.sql(answer.query)
        if relation is None:
            return ""
        if relation.columns == ["explain_key", "explain_value"]:  # a drawing already
            return "\n".join(value for _, value in relation.fetchall())
        relation.show(max_rows=limit, max_width=width, max_col_width=width)
    return drawn.getvalue().rstrip("\n")


def table(answer: Answer, limit: int | None) -> str:
    """The answer as aligned text for a file or a program: all columns at full width; a line end in a value is shown as an
    escape. Raises QueryError."""
    columns, found = _computed(answer, limit)
    return aligned_text(columns, [[_on_one_line(value) for value in row] for row in found])


def _on_one_line(value: Any) -> Any:
    return value.replace("\n", "\\n") if isinstance(value, str) else value


def rows(answer: Answer, limit: int | None) -> Iterator[dict[str, Any]]:
    """The rows of the answer as mappings, at most `limit`. Raises QueryError."""
    columns, found = _computed(answer, limit)
    for row in found:
        yield dict(zip(columns, row, strict=True))


def _computed(answer: Answer, limit: int | None) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    with _plain_errors():
        result = answer.connection.execute(answer.query)
        columns = [column[0] for column in result.description or ()]
    return columns, itertools.islice(_fetched(result), limit)


def _fetched(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while True:
        with _plain_errors():
            batch = result.fetchmany(_ROWS_AT_ONCE)
        if not batch:
            return
        yield from batch


def write_csv(answer: Answer, limit: int | None, stream: TextIO) -> None:
    """Write the answer as CSV with a header; lists and structures are JSON, a null is empty. Raises QueryError."""
    columns, found = _computed(answer, limit)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in found:
        writer.writerow(
            json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value for value in row
        )


def write_answer(answer: Answer, limit: int | None, path: Path) -> None:
    """Write the answer to a file, in the format of its suffix. Raises QueryError for another suffix, OSError."""
    if path.suffix not in OUTPUT_SUFFIXES:
        raise QueryError(f"--output {path}: write to a file with a suffix of {', '.join(OUTPUT_SUFFIXES)}")
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            with _plain_errors():
                found: pa.Table = answer.connection.sql(answer.query).to_arrow_table()
            pq.write_table(found if limit is None else found.slice(0, limit), temporary)
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
