"""From windows to documents and back, compared with a walk over the tokens."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tokens.dataset import TokenDataset
from pipeline.tokens.index import DatasetIndex, index_of
from pipeline.tokens.store import TokenMeta, write_dataset, write_shard
from tests.pipeline.tokens.token_shards import write_documents
from trainer.errors import TrainerError
from trainer.where.documents import document_spans, passages, windows_of_spans

META = TokenMeta("ab" * 32, 64, delimiter_id=0)


def written(folder: Path, shards: list[list[int]], first: int = 0) -> DatasetIndex:
    """The index of a dataset whose shards have documents of these lengths, without delimiters, and ids from `first` on."""
    infos = []
    for number, lengths in enumerate(shards):
        documents = [[1] * length for length in lengths]
        infos.append(write_documents(folder / f"train-{number}.arrow", documents, META, first))
        first += len(documents)
    write_dataset(folder, {"train": infos}, META)
    return index_of(TokenDataset.open(folder))


@settings(max_examples=40, deadline=None)
@given(
    shards=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1, max_size=3),
    length=st.integers(1, 12),
)
def test_windows_and_documents_name_each_other(
    tmp_path_factory: pytest.TempPathFactory, shards: list[list[int]], length: int
) -> None:
    dataset = written(tmp_path_factory.mktemp("tokens"), shards)
    split = dataset.splits["train"]
    lengths = [1 + own for shard in shards for own in shard]
    ids = [f"{number:032x}" for number in range(len(lengths))]
    stream = [(number, nth) for number, own in enumerate(lengths) for nth in range(own)]
    readers = defaultdict(list)
    for window in range(-(-(len(stream) - 1) // length)):
        seen = stream[window * length : (window + 1) * length + 1]
        inputs = seen[:-1]
        expected = [
            (ids[number], [nth for other, nth in seen if other == number], lengths[number])
            for number in dict.fromkeys(number for number, _ in inputs)
        ]
        found = [(one.doc_id, list(range(one.start, one.stop)), one.tokens) for one in passages(split, window, length)]
        assert found == expected
        for doc_id, *_ in expected:
            readers[doc_id].append(window)
    begins_N, ends_N = document_spans(dataset, "train", ids)
    assert (ends_N - begins_N).tolist() == lengths
    documents_P, windows_P = windows_of_spans(begins_N, ends_N, split.tokens, length)
    pairs = [(doc_id, window) for doc_id in ids for window in readers[doc_id]]
    assert [(ids[number], window) for number, window in zip(documents_P.tolist(), windows_P.tolist(), strict=True)] == pairs


def test_ids_that_are_not_there_have_no_place_in_any_order_of_asking(tmp_path: Path) -> None:
    dataset = written(tmp_path, [[2, 2], [2, 2]], first=10)
    asked = [f"{number:032x}" for number in (99, 13, 0, 10, 11, 14)] + ["f" * 32]
    begins_N, ends_N = document_spans(dataset, "train", asked)
    assert begins_N.tolist() == [-1, 9, -1, 0, 3, -1, -1]
    assert ends_N.tolist() == [-1, 12, -1, 3, 6, -1, -1]
    assert windows_of_spans(begins_N, ends_N, 12, 100)[0].tolist() == [1, 3, 4]


def test_shards_whose_ids_do_not_rise_are_refused(tmp_path: Path) -> None:
    """Binary search must find every document that exists."""
    backwards = tmp_path / "backwards"
    backwards.mkdir()
    infos = [write_documents(backwards / f"{first}.arrow", [[1], [1]], META, first) for first in (10, 0)]
    write_dataset(backwards, {"train": infos}, META)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    ids = [f"{number:032x}" for number in (1, 7, 5, 9)]
    tokens, offsets, ones = np.array([0, 1] * 4, META.dtype), np.arange(0, 9, 2), np.ones(4, np.int64)
    write_dataset(mixed, {"train": [write_shard(mixed / "x.arrow", ids, tokens, offsets, ones, ones, META)]}, META)
    for folder in (backwards, mixed):
        with pytest.raises(TrainerError, match="not in the order of their ids"):
            document_spans(index_of(TokenDataset.open(folder)), "train", [f"{5:032x}"])
