"""Questions in SQL: what they may read, and the forms of an answer."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pipeline.audit.question import QueryError, ask, box, rows, table, write_answer, write_csv
from pipeline.cli import main
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.views import read_ledger


@pytest.fixture
def ledger(corpus: Path) -> Iterator[Ledger]:
    with read_ledger(corpus) as opened:
        yield opened


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO 'answer.csv'",
        "EXPORT DATABASE 'answer'",
        "ATTACH 'answer.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access=true",
        "CREATE TABLE answer AS SELECT 1",
        "DELETE FROM units",
        "SELECT 1; DROP VIEW fates",
    ],
)
def test_a_query_that_does_more_than_read_is_refused(ledger: Ledger, query: str) -> None:
    with pytest.raises(QueryError, match=r"does more than read the corpus.*--output FILE.*--unsafe"):
        ask(ledger, query)


def test_a_query_reads_no_file_outside_the_corpus(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    outside = [f"{tmp_path}/secret.csv", f"{ledger.root}/../{tmp_path.name}/secret.csv"]
    for query in [f"SELECT * FROM read_csv('{name}')" for name in outside] + [
        f"FROM '{outside[0]}'",
        f"FROM glob('{tmp_path}/*')",
    ]:
        with pytest.raises(QueryError, match="--unsafe"):
            list(rows(ask(ledger, query), None))
    inside = ask(ledger, f"SELECT count(*) AS n FROM read_parquet('{ledger.root}/documents/*.parquet')")
    assert list(rows(inside, None)) == [{"n": 187}]


def test_an_unsafe_query_may_leave_the_corpus(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    answer = ask(ledger, f"SELECT a + b AS total FROM read_csv('{tmp_path}/other.csv')", unsafe=True)
    assert list(rows(answer, None)) == [{"total": 3}]


def test_a_box_is_cut_to_the_width_and_the_rows_that_are_shown(ledger: Ledger) -> None:
    lines = box(ask(ledger, "SELECT * FROM documents"), 5, 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 15


def test_a_program_gets_every_row_on_one_line_at_full_width(ledger: Ledger) -> None:
    lines = table(ask(ledger, "SELECT doc_id, text FROM documents"), None).splitlines()
    assert len(lines) == 187 + 2
    assert max(map(len, lines)) > 1000
    assert len(table(ask(ledger, "FROM documents"), 3).splitlines()) == 3 + 2


def test_a_value_cannot_control_the_terminal(corpus: Path) -> None:
    for form in ([], ["--csv"], ["--json"]):
        result = CliRunner().invoke(main, ["sql", str(corpus), "SELECT chr(27) || '[31m' || chr(7) AS a", *form])
        assert result.exit_code == 0
        assert "\x1b" not in result.output
        assert "\x07" not in result.output


def test_csv_is_read_back_by_any_program_with_line_ends_lists_and_nulls(ledger: Ledger) -> None:
    written = io.StringIO()
    write_csv(ask(ledger, "SELECT 'a,\"b\"' || chr(10) || 'c' AS text, [1, 2] AS list, NULL AS nothing"), None, written)
    assert list(csv.reader(io.StringIO(written.getvalue()))) == [["text", "list", "nothing"], ['a,"b"\nc', "[1, 2]", ""]]


@pytest.mark.parametrize("limit", [None, 7])
def test_an_answer_is_written_in_the_format_of_the_suffix(ledger: Ledger, tmp_path: Path, limit: int | None) -> None:
    answer = ask(ledger, "SELECT doc_id, n_tokens FROM token_counts ORDER BY doc_id")
    expected = [tuple(row.values()) for row in rows(answer, limit)]
    for suffix in (".csv", ".jsonl", ".parquet"):
        answer = ask(ledger, "SELECT doc_id, n_tokens FROM token_counts ORDER BY doc_id", unsafe=True)
        write_answer(answer, limit, tmp_path / f"answer{suffix}")
    assert duckdb.read_csv(str(tmp_path / "answer.csv")).fetchall() == expected
    lines = (tmp_path / "answer.jsonl").read_text().splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == expected
    assert [tuple(row.values()) for row in pq.read_table(tmp_path / "answer.parquet").to_pylist()] == expected


def test_an_answer_in_an_unknown_format_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"suffix of \.csv, \.jsonl, \.parquet"):
        write_answer(ask(ledger, "SELECT 1"), None, tmp_path / "answer.xlsx")


def test_a_plan_is_shown_as_it_is_drawn(ledger: Ledger) -> None:
    assert "\n" in box(ask(ledger, "EXPLAIN SELECT 1"), 40, 80)
