"""Windows over the token stream: every target once, documents separated, shards joined."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.cross_entropy import IGNORE
from pipeline.tokens.dataset import TokenDataset, TokenSplit
from pipeline.tokens.store import TokenMeta, write_dataset
from tests.pipeline.tokens.token_shards import write_documents
from tests.trainer.conftest import WriteTokens, random_documents
from trainer.data.windows import PADDING, Window, Windows
from trainer.errors import TrainerError

DOCUMENTS = st.lists(st.lists(st.integers(1, 63), max_size=12), min_size=1, max_size=6)
SHARDS = st.lists(DOCUMENTS, min_size=1, max_size=4)


def split_of(write: WriteTokens, folder: Path, shards: list[list[list[int]]], vocabulary: int = 64) -> TokenSplit:
    """The split "train" of a new dataset in `folder`, which may hold others."""
    name = f"tokens-{sum(1 for _ in folder.iterdir())}"
    return TokenDataset.open(write({"train": shards}, name=name, vocabulary=vocabulary)).split("train")


def restated(split: TokenSplit, length: int, index: int) -> Window:
    """A window, token by token, with documents from the shards' offsets."""
    stream = split.read(0, split.tokens).tolist()
    begins = set(split.document_starts(0, split.tokens).tolist())
    position = index * length
    inputs, targets, starts = [], [], []
    start = 0
    for t in range(length):
        has_target = position + t + 1 < len(stream)
        if (position + t in begins and has_target) or position + t + 1 == len(stream):
            start = t
        inputs.append(stream[position + t] if has_target else PADDING)
        targets.append(stream[position + t + 1] if has_target else IGNORE)
        starts.append(start)
    return Window(np.array(inputs), np.array(targets), np.array(starts), position)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shards=SHARDS, length=st.integers(1, 40))
def test_windows_equal_their_restatement_and_hold_each_target_once(
    write_tokens: WriteTokens, tmp_path: Path, shards: list[list[list[int]]], length: int
) -> None:
    shards[0].append([1])  # so that there is a target
    split = split_of(write_tokens, tmp_path, shards)
    windows = Windows(split, length)
    inputs_NT, targets_NT, starts_NT = windows.read_many(range(len(windows)))
    assert [array.dtype.name for array in (inputs_NT, targets_NT, starts_NT)] == ["int64", "int64", "int32"]
    for index in range(len(windows)):
        expected = restated(split, length, index)
        assert inputs_NT[index].tolist() == expected.inputs_T.tolist()
        assert targets_NT[index].tolist() == expected.targets_T.tolist()
        assert starts_NT[index].tolist() == expected.starts_T.tolist()
    assert targets_NT[targets_NT != IGNORE].tolist() == split.read(1, split.tokens).tolist()


def test_many_windows_are_the_single_ones_in_the_order_asked_for(write_tokens: WriteTokens, tmp_path: Path) -> None:
    split = split_of(write_tokens, tmp_path, [random_documents(9, seed=1), random_documents(7, seed=2)])
    windows = Windows(split, 16)
    indices = [len(windows) - 1, 0, 5, 5, len(windows) - 1, 2]
    for row, index in enumerate(indices):
        single = windows.read(index)
        assert single.position == index * 16
        inputs_NT, targets_NT, starts_NT = windows.read_many(indices)
        assert np.array_equal(inputs_NT[row], single.inputs_T)
        assert np.array_equal(targets_NT[row], single.targets_T)
        assert np.array_equal(starts_NT[row], single.starts_T)
    assert [array.shape for array in windows.read_many([])] == [(0, 16)] * 3


def test_a_window_tells_its_documents_apart_and_pads_as_a_document_of_its_own(write_tokens: WriteTokens, tmp_path: Path) -> None:
    windows = Windows(split_of(write_tokens, tmp_path, [[[5, 6, 7]], [[8], [9, 10]]]), 6)
    assert len(windows) == 2
    first, second = windows.read(0), windows.read(1)
    assert first.inputs_T.tolist() == [0, 5, 6, 7, 0, 8]
    assert first.targets_T.tolist() == [5, 6, 7, 0, 8, 0]
    assert first.starts_T.tolist() == [0, 0, 0, 0, 4, 4]
    assert second.inputs_T.tolist() == [0, 9, PADDING, PADDING, PADDING, PADDING]
    assert second.targets_T.tolist() == [9, 10, *[IGNORE] * 4]
    assert second.starts_T.tolist() == [0, 0, 2, 2, 2, 2]


def test_targets_that_fill_their_windows_need_no_padding(write_tokens: WriteTokens, tmp_path: Path) -> None:
    windows = Windows(split_of(write_tokens, tmp_path, [[[1] * 12]]), 4)
    assert len(windows) == 3
    assert IGNORE not in windows.read_many(range(3))[1]


def test_a_document_of_many_windows_is_read_whole(write_tokens: WriteTokens, tmp_path: Path) -> None:
    long = random_documents(1, seed=3)[0] * 50
    windows = Windows(split_of(write_tokens, tmp_path, [[[1]], [long]]), 8)
    _, targets_NT, starts_NT = windows.read_many(range(len(windows)))
    assert targets_NT[targets_NT != IGNORE].tolist() == [1, 0, *long]
    assert not starts_NT[1:-1].any()


def test_ids_beyond_16_bits_arrive(write_tokens: WriteTokens, tmp_path: Path) -> None:
    split = split_of(write_tokens, tmp_path, [[[65_536, 65_535, 1]]], vocabulary=65_537)
    assert Windows(split, 3).read(0).targets_T.tolist() == [65_536, 65_535, 1]


def named_shards(folder: Path) -> TokenSplit:
    """Three shards of one document each, not in the order of their names; the delimiter is 9."""
    meta = TokenMeta("ab" * 32, 64, delimiter_id=9)
    named = [("z.arrow", 1), ("a.arrow", 2), ("m.arrow", 3)]
    shards = [write_documents(folder / name, [[value, value]], meta, first) for first, (name, value) in enumerate(named)]
    write_dataset(folder, {"train": shards}, meta)
    return TokenDataset.open(folder).split("train")


def test_the_dataset_file_decides_the_order_of_the_shards_not_the_folder(tmp_path: Path) -> None:
    assert Windows(named_shards(tmp_path), 8).read(0).targets_T.tolist() == [1, 1, 9, 2, 2, 9, 3, 3]


def test_a_window_that_ends_with_a_shard_has_its_last_target_from_the_next(tmp_path: Path) -> None:
    windows = Windows(named_shards(tmp_path), 3)
    assert windows.read(0).targets_T.tolist() == [1, 1, 9]
    assert windows.read(1).inputs_T.tolist() == [9, 2, 2]


def test_rows_are_filled_where_asked_for_and_the_others_are_left_alone(write_tokens: WriteTokens, tmp_path: Path) -> None:
    windows = Windows(split_of(write_tokens, tmp_path, [random_documents(9, seed=1), random_documents(7, seed=2)]), 16)
    arrays = np.full((6, 16), -7, np.int64), np.full((6, 16), -7, np.int64), np.full((6, 16), -7, np.int32)
    windows.fill(*arrays, np.array([4, 1]), np.array([3, 0]))
    expected = [np.full((6, 16), -7) for _ in arrays]
    for array, (first, fourth) in zip(expected, windows_of(windows, [0, 3]), strict=True):
        array[1], array[4] = first, fourth
    assert [array.tolist() for array in arrays] == [array.tolist() for array in expected]


def windows_of(windows: Windows, indices: list[int]) -> list[tuple[npt.NDArray[Any], ...]]:
    """Inputs, targets and starts of the windows `indices`, by the restatement."""
    each = [restated(windows.split, windows.length, index) for index in indices]
    return list(zip(*((window.inputs_T, window.targets_T, window.starts_T) for window in each), strict=True))


def test_arrays_of_another_length_are_refused(write_tokens: WriteTokens, tmp_path: Path) -> None:
    windows = Windows(split_of(write_tokens, tmp_path, [[[1] * 12]]), 4)
    arrays = np.empty((1, 4), np.int64), np.empty((1, 5), np.int64), np.empty((1, 4), np.int32)
    with pytest.raises(ValueError, match="windows of 4 tokens"):
        windows.fill(*arrays, np.array([0]), np.array([0]))


def test_a_shard_that_is_cut_while_it_is_in_use_is_named(write_tokens: WriteTokens, tmp_path: Path) -> None:
    split = split_of(write_tokens, tmp_path, [random_documents(300, seed=1), random_documents(300, seed=2)])
    windows = Windows(split, 16)
    last = split.shards[1]
    os.truncate(last.path, last.first_byte + 100)
    windows.read(0)
    with pytest.raises(
        TrainerError, match=rf"{last.path}: ends before byte {last.first_byte + 2 * len(last.tokens)}; .*copy it again"
    ):
        windows.read_many([0, len(windows) - 1])


def test_a_shard_that_cannot_be_read_is_named(write_tokens: WriteTokens, tmp_path: Path) -> None:
    split = split_of(write_tokens, tmp_path, [[[1] * 12]])
    with (tmp_path / "for-writing-alone").open("wb") as stream:
        broken = replace(split, shards=(replace(split.shards[0], descriptor=stream.fileno()),))
        with pytest.raises(TrainerError, match=rf"{split.shards[0].path}: cannot be read \(Bad file descriptor\)"):
            Windows(broken, 4).read(0)


@pytest.mark.parametrize("index", [-1, 3, 2**62])
def test_a_window_that_there_is_not_is_refused(write_tokens: WriteTokens, tmp_path: Path, index: int) -> None:
    windows = Windows(split_of(write_tokens, tmp_path, [[[1] * 12]]), 4)
    with pytest.raises(IndexError, match="split train has 3"):
        windows.read(index)


def test_a_split_without_a_target_is_refused_by_name(write_tokens: WriteTokens) -> None:
    folder = write_tokens({"train": [[[]]], "val": []})
    dataset = TokenDataset.open(folder)
    with pytest.raises(TrainerError, match=rf"{folder}: split 'train' has 1 tokens"):
        Windows(dataset.split("train"), 4)
    with pytest.raises(TrainerError, match=r"split 'val' has 0 tokens.*tokenize\.validation_share"):
        Windows(dataset.split("val"), 4)
