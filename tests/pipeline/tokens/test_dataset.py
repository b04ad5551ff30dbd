"""A finished dataset: each split is one stream, and a damaged or foreign dataset is refused before training."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tokens.dataset import TokenDataset
from pipeline.tokens.store import TokenStoreError, fingerprint_of, write_dataset
from tests.pipeline.tokens.token_shards import META, write_documents

DOCUMENT = st.lists(st.integers(2, 999), max_size=6)
Shards = Sequence[Sequence[Sequence[int]]]
SHARDS = st.lists(st.lists(DOCUMENT, min_size=1, max_size=5), max_size=4)


def build(folder: Path, train: Shards, val: Shards = ()) -> TokenDataset:
    splits = {}
    for split, shards in (("train", train), ("val", val)):
        splits[split] = [write_documents(folder / f"{split}-{i}.arrow", shard) for i, shard in enumerate(shards)]
    write_dataset(folder, splits, META)
    return TokenDataset.open(folder)


@settings(max_examples=60, deadline=None)
@given(shards=SHARDS, data=st.data())
def test_a_split_is_the_concatenation_of_its_shards(shards: Shards, data: st.DataObject) -> None:
    documents = [[1, *document] for shard in shards for document in shard]
    stream = [token for document in documents for token in document]
    starts = np.cumsum([0, *map(len, documents)])[:-1]
    with tempfile.TemporaryDirectory() as folder:
        split = build(Path(folder), shards).split("train")
        assert (split.tokens, split.documents) == (len(stream), len(documents))
        start = data.draw(st.integers(0, len(stream)))
        stop = data.draw(st.integers(start, len(stream)))
        window = split.read(start, stop)
        assert window.dtype == np.uint16
        assert window.tolist() == stream[start:stop]
        assert split.document_starts(start, stop).tolist() == [p for p in starts if start <= p < stop]
        if start < len(stream):
            shard, row = split.locate(start)
            documents_before = sum(len(documents) for documents in shards[: split.shards.index(shard)])
            assert documents_before + row == sum(position <= start for position in starts) - 1


def test_positions_outside_a_split_are_refused(tmp_path: Path) -> None:
    split = build(tmp_path, [[[5, 6]]]).split("train")
    for start, stop in [(-1, 2), (0, 4), (2, 1)]:
        with pytest.raises(IndexError, match="3 tokens of split train"):
            split.read(start, stop)
    with pytest.raises(IndexError):
        split.locate(3)


def test_a_copy_of_a_window_can_be_changed_but_not_the_shard(tmp_path: Path) -> None:
    split = build(tmp_path, [[[5, 6]]]).split("train")
    split.read(0, 3)[0] = 9
    assert split.read(0, 3).tolist() == [1, 5, 6]
    with pytest.raises(ValueError, match="read-only"):
        split.shards[0].tokens[0] = 9


def test_an_empty_split_and_an_empty_dataset_can_be_read(tmp_path: Path) -> None:
    dataset = build(tmp_path, [])
    for name in ("train", "val"):
        split = dataset.split(name)
        assert (split.tokens, split.documents, split.shards) == (0, 0, ())
        assert split.read(0, 0).dtype == np.uint16
        assert split.document_starts(0, 0).tolist() == []
    dataset.verify()


def test_an_unknown_split_is_named_beside_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(TokenStoreError, match="no split 'test'; there are train, val"):
        build(tmp_path, [[[5]]]).split("test")


def test_the_order_of_shards_is_that_of_dataset_json_and_not_of_their_names(tmp_path: Path) -> None:
    late, early = write_documents(tmp_path / "b.arrow", [[5]]), write_documents(tmp_path / "a.arrow", [[6]])
    write_documents(tmp_path / "c.arrow", [[7]])  # belongs to no dataset
    write_dataset(tmp_path, {"train": [late, early]}, META)
    assert TokenDataset.open(tmp_path).split("train").read(0, 4).tolist() == [1, 5, 1, 6]


def test_verify_finds_a_changed_byte_that_opening_cannot_see(tmp_path: Path) -> None:
    dataset = build(tmp_path, [[[5, 6]], [[7, 8]]])
    path = tmp_path / "train-1.arrow"
    content = path.read_bytes()
    at = content.index(np.array([7, 8], dtype=np.uint16).tobytes())
    path.write_bytes(content[:at] + b"\x09" + content[at + 1 :])
    assert TokenDataset.open(tmp_path).split("train").read(4, 5).tolist() == [9]
    with pytest.raises(
        TokenStoreError, match=r"train-1\.arrow: is damaged: its SHA-256 is [0-9a-f]{64}, dataset.json has [0-9a-f]{64}"
    ):
        dataset.verify()


def test_a_folder_without_dataset_json_is_not_finished(tmp_path: Path) -> None:
    write_documents(tmp_path / "train-0.arrow", [[5]])
    with pytest.raises(TokenStoreError, match=r"dataset\.json is missing.*run the pipeline"):
        TokenDataset.open(tmp_path)


def test_a_missing_and_a_truncated_shard_are_named(tmp_path: Path) -> None:
    build(tmp_path, [[[5] * 100]])
    path = tmp_path / "train-0.arrow"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TokenStoreError, match=rf"train-0\.arrow: {size - 1} bytes, not {size}"):
        TokenDataset.open(tmp_path)
    path.unlink()
    with pytest.raises(TokenStoreError, match=r"train-0\.arrow: No such file"):
        TokenDataset.open(tmp_path)


def test_a_shard_of_another_tokenizer_is_refused_even_at_the_same_size(tmp_path: Path) -> None:
    build(tmp_path, [[[5]]])
    write_documents(tmp_path / "train-0.arrow", [[5]], replace(META, tokenizer_sha256="cd" * 32))
    with pytest.raises(TokenStoreError, match=r"train-0\.arrow: made with.*cdcd"):
        TokenDataset.open(tmp_path)


def change(folder: Path, refresh: bool, **changed: object) -> None:
    content = {**json.loads((folder / "dataset.json").read_text()), **changed}
    if refresh:
        content["fingerprint"] = fingerprint_of(content)
    (folder / "dataset.json").write_text(json.dumps(content))


def test_a_changed_dataset_json_is_refused(tmp_path: Path) -> None:
    build(tmp_path, [[[5]]])
    change(tmp_path, refresh=False, delimiter_id=2)
    with pytest.raises(TokenStoreError, match="changed after it was written"):
        TokenDataset.open(tmp_path)


def test_another_format_version_is_refused_by_number(tmp_path: Path) -> None:
    build(tmp_path, [[[5]]])
    change(tmp_path, refresh=True, format_version=2)
    with pytest.raises(TokenStoreError, match=r"dataset\.json: format_version is 2, this program reads 1"):
        TokenDataset.open(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\udcff"])
def test_a_dataset_json_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(TokenStoreError, match=r"dataset\.json"):
        TokenDataset.open(tmp_path)
