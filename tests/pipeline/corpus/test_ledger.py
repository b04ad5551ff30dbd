"""The ledger's views, on the sample's corpus."""

import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.ledger import FILE_NAME, Ledger, UnitRow
from pipeline.corpus.views import create_views, describe_tables, read_ledger
from pipeline.flow import FLOW, tables_of
from pipeline.rules import VERDICT_SCHEMA


def test_pages_have_a_row_a_document_though_a_record_was_there_twice(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        documents = ledger.rows("SELECT part, doc_id, url, host FROM documents ORDER BY ALL")
        assert ledger.rows("SELECT part, doc_id, url, host FROM pages ORDER BY ALL") == documents
        assert ledger.rows("SELECT count(*) FROM documents JOIN fates USING (part, doc_id)")[0][0] > len(documents)


def test_pages_end_where_their_verdicts_say(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        columns = "stage, part, doc_id, rule, value, threshold"
        dropped = ledger.rows(f"SELECT {columns} FROM stage_verdicts WHERE NOT kept ORDER BY ALL")
        assert ledger.rows(f"SELECT {columns} FROM pages WHERE NOT kept ORDER BY ALL") == dropped


def test_the_final_tokens_of_pages_are_those_of_the_shards_and_of_kept_pages_alone(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        in_shards = ledger.rows("SELECT sum(documents)::BIGINT, sum(tokens)::BIGINT FROM token_shards")
        assert ledger.rows("SELECT count(*), sum(final_tokens)::BIGINT FROM pages WHERE final_tokens IS NOT NULL") == in_shards


def test_a_page_that_is_taken_down_has_no_final_tokens(corpus: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(corpus, tmp_path / "out", ignore=shutil.ignore_patterns("tokens", "encoded", "signatures"))
    path = copy / "verdicts" / "removals" / "part-00000.parquet"
    verdicts = pq.read_table(path, partitioning=None, schema=VERDICT_SCHEMA).to_pylist()
    taken = {**verdicts[0], "kept": False, "rule": "taken_down", "value": 1.0, "threshold": 0.0, "failed": ["taken_down"]}
    pq.write_table(pa.Table.from_pylist([taken, *verdicts[1:]], VERDICT_SCHEMA), path)
    with read_ledger(copy) as ledger:
        gone = ledger.rows("SELECT doc_id, stage, kept, final_tokens FROM pages WHERE rule = 'taken_down'")
        assert gone == [(taken["doc_id"], "removals", False, None)]


@pytest.mark.parametrize("stage", ["quality", "dedup", "hosts"])
def test_the_tokens_of_dropped_pages_are_those_that_rules_are_charged_with(corpus: Path, stage: str) -> None:
    with read_ledger(corpus) as ledger:
        charged = ledger.rows(
            "SELECT rule, sum(tokens)::BIGINT FROM rule_counts WHERE stage = ? GROUP BY rule ORDER BY rule", stage
        )
        query = "SELECT rule, sum(n_tokens)::BIGINT FROM pages WHERE stage = ? AND NOT kept GROUP BY rule ORDER BY rule"
        assert ledger.rows(query, stage) == charged != []


def test_the_ledger_of_a_moved_corpus_answers_in_plain_duckdb_from_any_folder(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = shutil.copytree(corpus, tmp_path / "a moved 'corpus'", ignore=shutil.ignore_patterns("tokens", "encoded"))
    for folder, name in ((tmp_path, f"{moved.name}/{FILE_NAME}"), (moved, FILE_NAME), (Path("/"), str(moved / FILE_NAME))):
        monkeypatch.chdir(folder)
        with duckdb.connect(name, read_only=True) as connection:
            assert connection.execute("SELECT count(*) FROM fates").fetchall()[0][0] > 200
            views = connection.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
    assert not any(str(place) in sql for (sql,) in views for place in (corpus, moved))
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{str(moved / FILE_NAME).replace(chr(39), chr(39) * 2)}' AS ledger (READ_ONLY)")
        connection.execute("SET VARIABLE corpus = ?", [f"{moved}/"])
        assert connection.execute("SELECT count(*) FROM ledger.fates").fetchall()[0][0] > 200


def test_a_reader_lists_each_table_once(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        names = [name for (name,) in ledger.rows("SHOW TABLES")]
        assert names == sorted(set(names))
        assert {"fates", "units"} < set(names)


def test_rows_of_short_units_are_written_together_and_a_kill_costs_a_second_of_work(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        written = "SELECT count(*) FROM units"
        for number, seconds in enumerate([0.3, 0.3, 0.3, 0.3, 5.0, 0.1]):
            ledger.record(UnitRow("quality", f"part-{number}", "", 1, {}, "", seconds, "done", None, {}))
            on_disk = ledger.connection.execute(written).fetchall()[0][0]
            assert on_disk == (0, 0, 0, 4, 5, 5)[number]
        assert ledger.rows(written) == [(6,)]
        ledger.record(UnitRow("quality", "part-0", "", 2, {}, "", 0.0, "done", None, {}))
        ledger.record(UnitRow("quality", "part-0", "", 3, {}, "", 0.0, "failed", "why", {}))
    with Ledger(tmp_path, read_only=True) as ledger:
        assert ledger.rows("SELECT rows, error FROM units WHERE part = 'part-0'") == [(3, "why")]


def record_unit(ledger: Ledger, part: str, code: str | None, status: str = "done") -> None:
    made_of = {} if code is None else {"code": code}
    ledger.record(UnitRow("quality", part, "", 1, {}, "", 0.0, status, None, made_of))


@pytest.mark.parametrize(
    "units",
    [{}, {"part-00000": "old", "part-00001": "new"}, {"part-00000": "old", "part-00001": None}],
    ids=["no units", "two versions", "a failed unit"],
)
def test_files_of_more_than_one_version_are_united_by_name(tmp_path: Path, units: dict[str, str | None]) -> None:
    (tmp_path / "verdicts" / "quality").mkdir(parents=True)
    for number, name in enumerate(("old_column", "new_column")):
        verdicts = pa.table({"doc_id": [str(number)], "kept": [True], "rule": pa.nulls(1, pa.string()), name: [number]})
        pq.write_table(verdicts, tmp_path / "verdicts" / "quality" / f"part-0000{number}.parquet")
    with Ledger(tmp_path) as ledger:
        for part, code in units.items():
            record_unit(ledger, part, code or "old", "done" if code else "failed")
        describe_tables(ledger, tables_of(FLOW))
        create_views(ledger)
        columns = "part, stage, doc_id, old_column, new_column, n_tokens"
        assert ledger.rows(f"SELECT {columns} FROM stage_verdicts ORDER BY part") == [
            ("part-00000", "quality", "0", 0, None, None),
            ("part-00001", "quality", "1", None, 1, None),
        ]


def test_files_of_one_version_are_opened_when_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "verdicts" / "quality").mkdir(parents=True)
    for number in range(3):
        pq.write_table(
            pa.table({"doc_id": [str(number)], "kept": [True]}), tmp_path / "verdicts" / "quality" / f"part-0000{number}.parquet"
        )
    with Ledger(tmp_path) as ledger:
        for number in range(3):
            record_unit(ledger, f"part-0000{number}", "the same")
        (tmp_path / "verdicts" / "quality" / "part-00001.parquet").write_bytes(b"not read to make views, nor for another part")
        describe_tables(ledger, tables_of(FLOW))
        create_views(ledger)
        assert ledger.rows("SELECT doc_id FROM stage_verdicts WHERE part = 'part-00002'") == [("2",)]


def test_a_view_has_the_same_columns_whatever_stages_there_are(corpus: Path, tmp_path: Path) -> None:
    with read_ledger(corpus) as ledger, Ledger(tmp_path) as empty:
        describe_tables(empty, tables_of(FLOW))
        create_views(empty)
        for view in ("records", "documents", "verdicts", "stage_verdicts", "duplicates", "edits", "removals", "fates", "pages"):
            described = [row[:2] for row in ledger.rows(f"DESCRIBE {view}")]
            assert [row[:2] for row in empty.rows(f"DESCRIBE {view}")] == described, view
