"""A shard reads back as written, without copies; whatever breaks the format is refused with a reason."""

import errno
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tokens.store import (
    ShardInfo,
    TokenMeta,
    TokenShard,
    TokenStoreError,
    fingerprint_of,
    open_shard,
    sha256_of,
    token_dtype,
    write_dataset,
    write_shard,
)
from tests.pipeline.tokens.token_shards import META, write_documents

WIDE = replace(META, vocabulary_size=65_537)


def columns(**changed: Any) -> dict[str, Any]:
    """The columns of a valid shard of two documents, with `changed` ones replaced."""
    valid = {
        "doc_ids": ["0" * 32, "f" * 32],
        "tokens": np.array([1, 7, 8, 1, 9], dtype=np.uint16),
        "offsets": np.array([0, 3, 5], dtype=np.int64),
        "n_bytes": np.array([6, 3]),
        "n_chars": np.array([2, 1]),
        "meta": META,
    }
    return {**valid, **changed}


@settings(deadline=None)
@given(
    documents=st.lists(st.lists(st.integers(2, 999), max_size=20), min_size=1, max_size=30),
    meta=st.sampled_from([META, WIDE]),
)
def test_a_shard_reads_back_as_it_was_written(documents: list[list[int]], meta: TokenMeta) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train-00000.arrow"
        info = write_documents(path, documents, meta)
        shard = TokenShard.open(path)
        assert shard.meta == meta
        pairs = zip(shard.offsets[:-1], shard.offsets[1:], strict=True)
        assert [shard.tokens[start:end].tolist() for start, end in pairs] == [[1, *document] for document in documents]
        assert shard.doc_ids.to_pylist() == [f"{index:032x}" for index in range(len(documents))]
        assert shard.n_chars.tolist() == [len(document) for document in documents]
        assert shard.n_bytes.tolist() == [3 * len(document) for document in documents]
        assert info == ShardInfo(
            path.name, len(documents), len(shard.tokens), sha256_of(path), f"{0:032x}", f"{len(documents) - 1:032x}"
        )


@pytest.mark.parametrize(("ids", "dtype"), [(259, np.uint16), (65_536, np.uint16), (65_537, np.uint32)])
def test_the_vocabulary_decides_the_width_of_a_token(tmp_path: Path, ids: int, dtype: type[np.unsignedinteger[Any]]) -> None:
    meta = replace(META, vocabulary_size=ids)
    write_documents(tmp_path / "a.arrow", [[ids - 1]], meta)
    shard = TokenShard.open(tmp_path / "a.arrow")
    assert token_dtype(ids) == meta.dtype == shard.tokens.dtype == dtype
    assert shard.tokens[1] == ids - 1


def test_the_file_is_uncompressed_arrow_with_one_batch_and_the_types_of_the_contract(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.arrow", **columns())
    with pa.memory_map(str(tmp_path / "a.arrow")) as source:
        reader = pa.ipc.open_file(source)
        assert reader.num_record_batches == 1
        assert {field.name: str(field.type) for field in reader.schema} == {
            "doc_id": "string",
            "tokens": "large_list<item: uint16 not null>",
            "n_bytes": "uint32",
            "n_chars": "uint32",
        }
        assert reader.schema.metadata == {
            b"format_version": b"1",
            b"tokenizer_sha256": b"ab" * 32,
            b"vocabulary_size": b"1000",
            b"delimiter_id": b"1",
            b"dtype": b"uint16",
            b"documents": b"2",
            b"tokens": b"5",
        }
    # Compressed, 2 MB of equal tokens would be a few bytes.
    write_documents(tmp_path / "b.arrow", [[5] * 1_000_000])
    assert (tmp_path / "b.arrow").stat().st_size > 2_000_000


def test_neither_writing_nor_reading_copies_the_tokens(tmp_path: Path) -> None:
    tokens = np.full(4_000_000, 7, dtype=np.uint16)
    tokens[0] = 1
    whole = columns(
        doc_ids=["0" * 32],
        tokens=tokens,
        offsets=np.array([0, len(tokens)], dtype=np.int64),
        n_bytes=np.array([1]),
        n_chars=np.array([1]),
    )
    pool = pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        write_shard(tmp_path / "a.arrow", **whole)
        assert pool.max_memory() < tokens.nbytes / 10
        held = pool.bytes_allocated()
        shard = TokenShard.open(tmp_path / "a.arrow")
        assert pool.bytes_allocated() == held
    finally:
        pa.set_memory_pool(before)
    for view in (shard.tokens, shard.offsets, shard.n_bytes, shard.n_chars):
        assert not view.flags.owndata
        assert not view.flags.writeable


def test_the_tokens_lie_in_the_file_where_the_shard_says(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.arrow", **columns())
    shard = TokenShard.open(tmp_path / "a.arrow")
    assert os.pread(shard.descriptor, shard.tokens.nbytes, shard.first_byte) == shard.tokens.tobytes()


def test_the_file_is_closed_with_the_last_view_of_it(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.arrow", **columns())
    shard = TokenShard.open(tmp_path / "a.arrow")
    descriptor, tokens = shard.descriptor, shard.tokens
    del shard
    assert os.fstat(descriptor).st_size == (tmp_path / "a.arrow").stat().st_size
    del tokens
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_compressed_shard_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    write_documents(path, [[5] * 10_000])
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all().combine_chunks()
    with pa.ipc.new_file(tmp_path / "b.arrow", table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_batch(table.to_batches()[0])
    with pytest.raises(TokenStoreError, match=r"b\.arrow: its tokens are compressed"):
        TokenShard.open(tmp_path / "b.arrow")


def test_equal_columns_make_equal_bytes(tmp_path: Path) -> None:
    assert write_shard(tmp_path / "a.arrow", **columns()).sha256 == write_shard(tmp_path / "b.arrow", **columns()).sha256


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"doc_ids": []}, "needs a document"),
        ({"doc_ids": ["0" * 32, "A" * 32]}, "hex digits"),
        ({"tokens": np.array([1, 7, 8, 1, 9], dtype=np.int64)}, "stored flat as uint16"),
        ({"meta": WIDE}, "stored flat as uint32"),
        ({"tokens": np.array([1, 7, 8, 1, 1000], dtype=np.uint16)}, "outside the vocabulary"),
        ({"tokens": np.array([1, 7, 8, 9, 9], dtype=np.uint16)}, "delimiter"),
        ({"tokens": np.array([1, 7, 1, 1, 9], dtype=np.uint16)}, "delimiter"),
        ({"offsets": np.array([0, 3, 5], dtype=np.int32)}, "offsets"),
        ({"offsets": np.array([0, 5], dtype=np.int64)}, "offsets"),
        ({"offsets": np.array([0, 3, 4], dtype=np.int64)}, "offsets must rise"),
        ({"offsets": np.array([0, 5, 5], dtype=np.int64)}, "offsets must rise"),
        ({"n_bytes": np.array([6, 2**32])}, "n_bytes"),
        ({"n_chars": np.array([-1, 1])}, "n_chars"),
        ({"n_chars": np.array([1])}, "n_chars"),
    ],
)
def test_columns_that_break_the_format_are_refused_and_leave_no_file(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(TokenStoreError, match=message) as caught:
        write_shard(tmp_path / "a.arrow", **columns(**changed))
    assert str(tmp_path / "a.arrow") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_shard_that_cannot_be_written_leaves_the_older_one_alone(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full to stand for a full disk")
    write_shard(tmp_path / "a.arrow", **columns())
    earlier = sha256_of(tmp_path / "a.arrow")
    (tmp_path / f".a.arrow.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(TokenStoreError, match=r"a\.arrow: cannot be written.*make room") as caught:
        write_shard(tmp_path / "a.arrow", **columns(n_chars=np.array([1, 1])))
    assert isinstance(caught.value.__cause__, OSError)
    assert os.strerror(errno.ENOSPC) in str(caught.value)
    assert sha256_of(tmp_path / "a.arrow") == earlier
    assert [path.name for path in tmp_path.iterdir()] == ["a.arrow"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TokenStoreError, match="nowhere"):
        write_shard(tmp_path / "nowhere" / "a.arrow", **columns())


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_shard_is_named(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.arrow"
    write_documents(path, [[5] * 1000])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(TokenStoreError, match=r"a\.arrow: cannot be read as a token shard"):
        TokenShard.open(path)


def rewritten(path: Path, metadata: dict[bytes, bytes] | None = None, batches: int = 1, drop: str | None = None) -> None:
    """Rewrite the shard at `path` with changed metadata, another number of batches, or one column less."""
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    table = table.replace_schema_metadata({**table.schema.metadata, **(metadata or {})})
    table = table.drop_columns([drop]) if drop else table
    with pa.ipc.new_file(path.with_suffix(".new"), table.schema) as writer:
        for _ in range(batches):
            writer.write_batch(table.combine_chunks().to_batches()[0])
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": {b"format_version": b"2"}}, "format_version is 2"),
        ({"metadata": {b"vocabulary_size": b"70000"}}, "not those that it describes"),
        ({"metadata": {b"dtype": b"uint32"}}, "not those that it describes"),
        ({"metadata": {b"tokens": b"4"}}, "not those that it describes"),
        ({"metadata": {b"documents": b"many"}}, "cannot be read as a token shard"),
        ({"batches": 2}, "not those that it describes"),
        ({"batches": 0}, "token shard"),
        ({"drop": "n_chars"}, "not those that it describes"),
    ],
)
def test_a_file_of_another_shape_is_no_shard(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "a.arrow"
    write_shard(path, **columns())
    rewritten(path, **change)
    with pytest.raises(TokenStoreError, match=message):
        TokenShard.open(path)


def test_an_arrow_file_of_something_else_is_no_shard(tmp_path: Path) -> None:
    table = pa.table({"text": ["a"]})
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(TokenStoreError, match="format_version is None"):
        TokenShard.open(tmp_path / "a.arrow")


def test_a_shard_of_another_tokenizer_or_size_is_refused(tmp_path: Path) -> None:
    info = write_shard(tmp_path / "a.arrow", **columns())
    with pytest.raises(TokenStoreError, match="made with"):
        open_shard(tmp_path / "a.arrow", info, TokenMeta("cd" * 32, 1000, 1))
    with pytest.raises(TokenStoreError, match="2 documents with 5 tokens, not 3 with 5"):
        open_shard(tmp_path / "a.arrow", replace(info, documents=3), META)


def test_dataset_json_names_the_shards_in_order_with_running_counts(tmp_path: Path) -> None:
    first = write_documents(tmp_path / "train-0.arrow", [[5, 6], [7]])
    second = write_documents(tmp_path / "train-1.arrow", [[8]], first=2)
    fingerprint = write_dataset(tmp_path, {"train": [first, second], "val": []}, META)
    content = json.loads((tmp_path / "dataset.json").read_text())
    assert content["fingerprint"] == fingerprint == fingerprint_of(content)
    assert [(shard["file"], shard["first_token"], shard["first_document"]) for shard in content["shards"]] == [
        ("train-0.arrow", 0, 0),
        ("train-1.arrow", 5, 2),
    ]
    assert content["splits"] == {
        "train": {"shards": 2, "documents": 3, "tokens": 7, "n_bytes": 12, "n_chars": 4},
        "val": {"shards": 0, "documents": 0, "tokens": 0, "n_bytes": 0, "n_chars": 0},
    }
    assert (content["tokenizer_sha256"], content["vocabulary_size"], content["delimiter_id"], content["dtype"]) == (
        META.tokenizer_sha256,
        1000,
        1,
        "uint16",
    )


def test_the_fingerprint_is_of_the_content_and_not_of_the_place(tmp_path: Path) -> None:
    def build(name: str, documents: list[list[int]], meta: TokenMeta = META) -> str:
        folder = tmp_path / name
        folder.mkdir()
        return write_dataset(folder, {"train": [write_documents(folder / "a.arrow", documents, meta)], "val": []}, meta)

    fingerprint = build("one", [[5, 6]])
    assert build("two", [[5, 6]]) == fingerprint
    assert build("token", [[5, 7]]) != fingerprint
    assert build("tokenizer", [[5, 6]], replace(META, tokenizer_sha256="cd" * 32)) != fingerprint


def test_no_dataset_is_written_over_a_missing_shard(tmp_path: Path) -> None:
    info = write_documents(tmp_path / "a.arrow", [[5]])
    (tmp_path / "a.arrow").unlink()
    with pytest.raises(TokenStoreError, match=r"a\.arrow"):
        write_dataset(tmp_path, {"train": [info]}, META)
    assert list(tmp_path.iterdir()) == []
