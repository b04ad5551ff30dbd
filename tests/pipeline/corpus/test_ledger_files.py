"""The files of a ledger: what is published while a run works, and what a killed or earlier program left."""

import shutil
from pathlib import Path

import duckdb
import pytest

from pipeline.corpus.ledger import FILE_NAME, Ledger, NoCorpusError, RunRow, UnitRow
from pipeline.corpus.ledger_files import WORKING

RUN = RunRow("a run", "", "", "local", 1, "")


def unit(part: str) -> UnitRow:
    return UnitRow("extract", part, "", 1, {}, "", 0.0, "done", None, {})


def parts(root: Path) -> list[str]:
    with Ledger(root, read_only=True) as ledger:
        return [part for _, part in sorted(ledger.units())]


def test_what_is_published_can_be_read_while_the_writer_goes_on(tmp_path: Path) -> None:
    with Ledger(tmp_path) as writer:
        with pytest.raises(NoCorpusError):
            Ledger(tmp_path, read_only=True)
        writer.record(unit("part-00000"))
        writer.publish()
        with Ledger(tmp_path, read_only=True) as reader:
            writer.record(unit("part-00001"))
            assert parts(tmp_path) == ["part-00000"]
            writer.publish()
            assert parts(tmp_path) == ["part-00000", "part-00001"]
            assert len(reader.units()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_unit_is_published_when_the_last_copy_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger(tmp_path) as writer:
        writer.publish()
        writer.record(unit("part-00000"))
        assert parts(tmp_path) == []
        monkeypatch.setattr("pipeline.corpus.ledger.PUBLISH_SECONDS", 0.0)
        writer._seconds_to_publish = 0.0
        writer.record(unit("part-00001"))
        assert parts(tmp_path) == ["part-00000", "part-00001"]


def test_the_file_of_a_killed_run_is_taken_instead_of_what_it_published(tmp_path: Path) -> None:
    with Ledger(tmp_path) as writer:
        writer.publish()
        writer.record(unit("part-00000"))
        assert writer.rows("SELECT count(*) FROM units") == [(1,)]  # which writes the row
        for name in (WORKING, f"{WORKING}.wal"):
            shutil.copy(tmp_path / name, tmp_path / f"{name}.killed")
    with Ledger(tmp_path) as writer:
        writer.forget("extract", "part-00000")
    for name in (WORKING, f"{WORKING}.wal"):
        (tmp_path / f"{name}.killed").rename(tmp_path / name)
    assert parts(tmp_path) == []
    with Ledger(tmp_path) as after:
        assert list(after.units()) == [("extract", "part-00000")]
    assert parts(tmp_path) == ["part-00000"]


def storage_version(path: Path) -> str:
    with duckdb.connect(str(path), read_only=True) as connection:
        query = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE path IS NOT NULL"
        return str(connection.execute(query).fetchall()[0][0])


def test_a_ledger_has_the_storage_that_every_duckdb_reads(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.begin_run(RUN)
    assert storage_version(tmp_path / FILE_NAME).startswith("v1.0.0")


def test_a_ledger_in_newer_storage_is_written_anew_with_all_its_rows(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.record(unit("part-00000"))
    old = tmp_path / "old.duckdb"
    (tmp_path / FILE_NAME).rename(old)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{old}' AS old (READ_ONLY)")
        connection.execute(f"ATTACH '{tmp_path / FILE_NAME}' AS new (STORAGE_VERSION 'v1.2.0')")
        connection.execute("CREATE TABLE new.units AS FROM old.units")  # an earlier ledger may lack tables
    assert storage_version(tmp_path / FILE_NAME).startswith("v1.2.0")
    with Ledger(tmp_path) as ledger:
        assert list(ledger.units()) == [("extract", "part-00000")]
        ledger.begin_run(RUN)
    assert storage_version(tmp_path / FILE_NAME).startswith("v1.0.0")
    assert parts(tmp_path) == ["part-00000"]
