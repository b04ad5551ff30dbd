"""Tables of a part: columns that may be missing, and rows of single documents."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.columns import column_of, read, read_known, rows_of

IDS = [f"{number:032x}" for number in range(7)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a table of seven rows, in row groups of up to three."""
    pq.write_table(pa.table({"doc_id": IDS, "text": list("abcdefg")}), tmp_path / "t.parquet", row_group_size=3)
    return tmp_path


@pytest.mark.parametrize("wanted", [[], [2], [6, 3], [0, 2, 3, 5, 6]], ids=["none", "one", "two groups", "all groups"])
def test_rows_of_documents_are_those_of_the_whole_table(folder: Path, wanted: list[int]) -> None:
    found = rows_of(folder, "t.parquet", [IDS[row] for row in wanted] + ["f" * 32], ["doc_id", "text"])
    assert found == [{"doc_id": IDS[row], "text": "abcdefg"[row]} for row in sorted(wanted)]
    assert rows_of(folder, "none.parquet", IDS, ["doc_id"]) == []


def test_a_column_that_is_missing_is_refused_or_null_as_was_asked(folder: Path) -> None:
    with pytest.raises(KeyError, match="n_tokens"):
        read(folder, "t.parquet", ["doc_id", "n_tokens"])
    assert read(folder, "t.parquet", ["text", "doc_id"]).column_names == ["text", "doc_id"]
    schema = pa.schema([("doc_id", pa.string()), ("n_tokens", pa.int64())])
    assert read_known(folder, "t.parquet", schema).to_pydict() == {"doc_id": IDS, "n_tokens": [None] * 7}
    assert read_known(folder, "none.parquet", schema).equals(schema.empty_table())


def test_a_column_is_put_in_the_order_of_the_documents(folder: Path) -> None:
    table = read(folder, "t.parquet", ["doc_id", "text"])
    asked = pa.chunked_array([[IDS[5], "f" * 32], [IDS[0]]])
    assert column_of(table, "text", asked).to_pylist() == ["f", None, "a"]
    assert column_of(table, "text", table["doc_id"]).to_pylist() == list("abcdefg")
