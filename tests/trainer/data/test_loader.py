"""Batches: the same sequences for any number of ranks, prepared ahead by one thread, in memory that does not grow."""

import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.cross_entropy import IGNORE
from pipeline.tokens.dataset import TokenDataset, TokenSplit
from pipeline.tokens.store import TokenMeta, write_dataset, write_shard
from tests.trainer.conftest import WriteTokens, random_documents
from trainer.data import loader as loader_module
from trainer.data.loader import AHEAD, Batch, Loader, validation_batches
from trainer.data.order import Dataset, Order
from trainer.data.windows import Windows
from trainer.errors import TrainerError

Rows = dict[int, tuple[list[int], list[int], list[int]]]


@pytest.fixture
def split(write_tokens: WriteTokens) -> TokenSplit:
    """About two thousand tokens in three shards."""
    shards = [random_documents(40, seed=1), random_documents(3, seed=2), random_documents(70, seed=3)]
    return TokenDataset.open(write_tokens({"train": shards})).split("train")


def order_of(windows: Sequence[Windows], *weights: float, seed: int = 7, block: int = 64) -> Order:
    """An order over `windows`, weighted by their sizes unless `weights` are given."""
    weighted = zip(windows, weights or [float(len(source)) for source in windows], strict=True)
    return Order([Dataset(f"s{i}", len(source), weight) for i, (source, weight) in enumerate(weighted)], seed, block)


def loader_of(
    windows: Sequence[Windows], *weights: float, batch: int, micro_batch: int = 1, rank: int = 0, world_size: int = 1
) -> Loader:
    """A loader over `order_of` the same arguments."""
    order = order_of(windows, *weights)
    return Loader(order, windows, global_batch=batch, micro_batch=micro_batch, rank=rank, world_size=world_size)


def rows_of(batches: Sequence[Batch]) -> Rows:
    """From sequence numbers to inputs, targets and starts; no number may occur twice."""
    rows: Rows = {}
    for batch in batches:
        for row, sequence in enumerate(batch.sequences_B.tolist()):
            assert sequence not in rows
            rows[sequence] = (batch.inputs_BT[row].tolist(), batch.targets_BT[row].tolist(), batch.starts_BT[row].tolist())
    return rows


def rows_of_all_ranks(windows: Sequence[Windows], consumed: int, steps: int, batch: int, micro: int, world: int) -> Rows:
    """What all ranks together train on in `steps` steps."""
    batches = []
    for rank in range(world):
        loader = loader_of(windows, batch=batch, micro_batch=micro, rank=rank, world_size=world)
        batches += [made for step in loader.steps(consumed, steps) for made in step]
    return rows_of(batches)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(3, 90), world_size=st.integers(1, 3), micro=st.integers(1, 3), accumulated=st.integers(1, 2))
def test_an_epoch_trains_every_target_exactly_once(
    split: TokenSplit, length: int, world_size: int, micro: int, accumulated: int
) -> None:
    windows = Windows(split, length)
    batch = world_size * micro * accumulated
    steps = -(-len(windows) // batch)
    rows = rows_of_all_ranks([windows], 0, steps, batch, micro, world_size)
    targets = [target for g in range(len(windows)) for target in rows[g][1] if target != IGNORE]
    assert Counter(targets) == Counter(split.read(1, split.tokens).tolist())


def test_the_same_windows_whatever_the_world_size_the_batch_and_the_accumulation(split: TokenSplit) -> None:
    windows = [Windows(split, 16)]
    expected = rows_of_all_ranks(windows, 0, 24, batch=1, micro=1, world=1)
    for batch, micro, world in [(24, 24, 1), (24, 4, 2), (12, 1, 4), (8, 2, 2), (6, 1, 3)]:
        assert rows_of_all_ranks(windows, 0, 24 // batch, batch, micro, world) == expected


def test_a_run_goes_on_with_other_ranks_and_another_batch(split: TokenSplit) -> None:
    windows = [Windows(split, 4)]
    before = rows_of_all_ranks(windows, 0, 10, batch=4 * 32, micro=16, world=4)
    after = rows_of_all_ranks(windows, 1280, 10, batch=3 * 24, micro=8, world=3)
    assert sorted([*before, *after]) == list(range(2000))
    assert {**before, **after} == rows_of_all_ranks(windows, 0, 1, batch=2000, micro=2000, world=1)


def test_a_step_is_its_micro_batches_of_the_rank_s_own_sequences(split: TokenSplit) -> None:
    loader = loader_of([Windows(split, 16)], batch=12, micro_batch=2, rank=1, world_size=2)
    (step,) = loader.steps(consumed=24, steps=1)
    assert [batch.sequences_B.tolist() for batch in step] == [[30, 31], [32, 33], [34, 35]]
    for batch in step:
        assert (batch.inputs_BT.dtype, batch.targets_BT.dtype, batch.starts_BT.dtype) == (
            torch.int64,
            torch.int64,
            torch.int32,
        )
        assert batch.inputs_BT.shape == batch.targets_BT.shape == batch.starts_BT.shape == (2, 16)
        assert batch.inputs_BT.is_contiguous()


@pytest.mark.parametrize("weights", [(0.75, 0.25), ()])
def test_each_sequence_is_the_window_that_the_order_names(
    split: TokenSplit, write_tokens: WriteTokens, weights: tuple[float, ...]
) -> None:
    other = TokenDataset.open(write_tokens({"train": [random_documents(30, seed=4)]}, name="other")).split("train")
    windows = [Windows(split, 16), Windows(other, 16)]
    order, loader = order_of(windows, *weights), loader_of(windows, *weights, batch=8, micro_batch=4)
    for batch in (batch for step in loader.steps(160, 12) for batch in step):
        for row, g in enumerate(batch.sequences_B.tolist()):
            place = order.at(g)
            window = windows[place.source].read(place.window)
            assert batch.sources_B[row] == place.source
            assert batch.inputs_BT[row].tolist() == window.inputs_T.tolist()
            assert batch.targets_BT[row].tolist() == window.targets_T.tolist()
            assert batch.starts_BT[row].tolist() == window.starts_T.tolist()


def test_steps_made_at_once_are_those_made_one_by_one(split: TokenSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    windows = [Windows(split, 16), Windows(split, 16)]

    def made(at_once: int) -> list[Rows]:
        monkeypatch.setattr(loader_module, "TOKENS_AT_ONCE", at_once * 4 * 16)
        loader = loader_of(windows, 0.75, 0.25, batch=8, micro_batch=2, rank=1, world_size=2)
        return [rows_of(step) for step in loader.steps(40, 11, end=40 + 10 * 8 + 5)]

    expected = made(1)
    assert [list(step) for step in expected] == [[40 + 8 * step + row for row in range(4, 8)] for step in range(11)]
    assert {g for step in expected for g, (_, targets, _) in step.items() if set(targets) == {IGNORE}} == {125, 126, 127}
    assert [made(at_once) == expected for at_once in (2, 3, 11, 100)] == [True] * 4


# The arrays


def test_a_batch_that_is_kept_never_changes(split: TokenSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept as a tensor, as a row, or as a numpy array."""
    monkeypatch.setattr(loader_module, "TOKENS_AT_ONCE", 2 * 4 * 16)
    loader = loader_of([Windows(split, 16)], batch=4, micro_batch=2)
    kept: list[tuple[torch.Tensor | npt.NDArray[Any], list[Any]]] = []
    for number, step in enumerate(loader.steps(0, 40)):
        batch = step[number % 2]
        held = (batch.inputs_BT, batch.targets_BT[1], batch.starts_BT.numpy()[0], batch.sequences_B)[number % 4]
        kept.append((held, held.tolist()))
    del step, batch, held
    expected = [rows_of(step) for step in loader.steps(160, 40)]
    assert all(held.tolist() == values for held, values in kept)
    assert expected == [rows_of(step) for step in loader_of([Windows(split, 16)], batch=4, micro_batch=2).steps(160, 40)]


def test_arrays_are_used_again_when_nothing_refers_to_them(split: TokenSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader_module, "TOKENS_AT_ONCE", 1)
    loader = loader_of([Windows(split, 16)], batch=4, micro_batch=4)
    # Those that wait, the one being prepared, and the one in use while the next is requested.
    assert len({step[0].inputs_BT.data_ptr() for step in loader.steps(0, 100)}) <= AHEAD + 2
    kept = [step[0].targets_BT for step in loader.steps(0, 20)]
    assert len({targets_BT.data_ptr() for targets_BT in kept}) == 20


# The thread


@pytest.fixture
def one_step_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepare each step alone, as for steps of many tokens."""
    monkeypatch.setattr(loader_module, "TOKENS_AT_ONCE", 1)


def loader_threads() -> list[threading.Thread]:
    """The running threads of loaders."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


class Watched(Windows):
    """Windows that count their reads, signal when `awaited` reads are done, and fail at read `breaks_at`."""

    reads = 0
    awaited = 0
    breaks_at: int | None = None

    def __init__(self, split: TokenSplit, length: int) -> None:
        super().__init__(split, length)
        self.enough = threading.Event()

    def fill(self, *arguments: npt.NDArray[Any]) -> None:
        self.reads += 1
        if self.reads == self.breaks_at:
            raise OSError("the disk is gone")
        if self.reads == self.awaited:
            self.enough.set()
        super().fill(*arguments)


@pytest.mark.usefixtures("one_step_at_once")
def test_what_was_read_ahead_when_a_consumer_stopped_is_read_again_by_the_next(split: TokenSplit) -> None:
    windows = Watched(split, 16)
    everything = [rows_of(step) for step in loader_of([windows], batch=4, micro_batch=4).steps(0, 12)]
    windows.reads = 0
    stream = loader_of([windows], batch=4, micro_batch=4).steps(0, 12)
    found = [rows_of(next(stream)) for _ in range(5)]
    stream.close()
    assert loader_threads() == []
    assert windows.reads <= 5 + AHEAD
    found += [rows_of(step) for step in loader_of([windows], batch=4, micro_batch=4).steps(5 * 4, 7)]
    assert found == everything


@pytest.mark.usefixtures("one_step_at_once")
def test_steps_are_made_before_they_are_asked_for_but_not_without_bound(split: TokenSplit) -> None:
    windows = Watched(split, 16)
    windows.awaited = 1 + AHEAD
    stream = loader_of([windows], batch=4, micro_batch=4).steps(0, 50)
    next(stream)
    assert windows.enough.wait(timeout=30)
    stream.close()
    assert windows.reads == 1 + AHEAD


@pytest.mark.usefixtures("one_step_at_once")
def test_an_error_of_the_thread_reaches_the_consumer_at_its_step_and_ends_the_thread(split: TokenSplit) -> None:
    windows = Watched(split, 16)
    windows.breaks_at = 3
    stream = loader_of([windows], batch=4, micro_batch=4).steps(0, 10)
    assert len(rows_of(next(stream))) == len(rows_of(next(stream))) == 4
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)
    assert loader_threads() == []


def test_an_error_in_a_group_of_small_steps_is_raised_after_the_steps_before_it(split: TokenSplit) -> None:
    windows = Watched(split, 16)
    windows.breaks_at = 2  # read 1 is the first step, which is prepared alone
    stream = loader_of([windows], batch=4, micro_batch=4).steps(0, 10)
    assert len(rows_of(next(stream))) == 4
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)
    assert loader_threads() == []


def test_the_thread_ends_with_the_last_step_and_with_a_forgotten_iterator(split: TokenSplit) -> None:
    loader = loader_of([Windows(split, 16)], batch=4, micro_batch=4)
    assert len(list(loader.steps(0, 1))) == 1
    assert list(loader.steps(0, 0)) == []
    next(loader.steps(0, 10))
    assert loader_threads() == []


# Refused arguments


@pytest.mark.parametrize(("batch", "remedy"), [(20, "16 or 24"), (7, "8")])
def test_a_batch_that_does_not_divide_is_refused_with_sizes_that_do(split: TokenSplit, batch: int, remedy: str) -> None:
    message = rf"batch_size {batch} .* world_size 4 x micro_batch_size 2 = 8; set batch_size to {remedy}$"
    with pytest.raises(TrainerError, match=message):
        loader_of([Windows(split, 16)], batch=batch, micro_batch=2, world_size=4)


def test_windows_that_are_not_the_order_s_or_differ_in_length_are_refused(split: TokenSplit) -> None:
    windows = [Windows(split, 16), Windows(split, 8)]
    with pytest.raises(ValueError, match="differ in length"):
        loader_of(windows, batch=1)
    with pytest.raises(ValueError, match="do not match the order's sources"):
        Loader(order_of(windows[:1]), windows[1:], global_batch=1, micro_batch=1, rank=0, world_size=1)


# Validation


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    length=st.integers(20, 600),
    size=st.integers(1, 9),
    world_size=st.integers(1, 5),
    limit=st.none() | st.integers(1, 40),
)
def test_validation_reads_its_windows_exactly_once_over_all_ranks(
    split: TokenSplit, length: int, size: int, world_size: int, limit: int | None
) -> None:
    windows = Windows(split, length)
    ranks = [list(validation_batches(windows, size, rank, world_size, limit)) for rank in range(world_size)]
    assert len({len(batches) for batches in ranks}) == 1
    batches = [batch for in_turn in zip(*ranks, strict=True) for batch in in_turn]
    assert all(1 <= len(batch.sequences_B) <= size for batch in batches)
    padding = [batch for batch in batches if batch.sequences_B[0] == -1]
    assert all((batch.targets_BT == IGNORE).all() and len(batch.targets_BT) == 1 for batch in padding)
    real = [batch for batch in batches if batch.sequences_B[0] != -1]
    assert [len(batch.sequences_B) for batch in real[:-1]] == [size] * (len(real) - 1)
    rows = rows_of(real)
    count = min(limit or len(windows), len(windows))
    assert list(rows) == [i * len(windows) // count for i in range(count)]
    for index, (inputs, targets, starts) in rows.items():
        window = windows.read(index)
        assert inputs == window.inputs_T.tolist()
        assert targets == window.targets_T.tolist()
        assert starts == window.starts_T.tolist()


def test_a_limit_takes_windows_from_the_whole_split(split: TokenSplit) -> None:
    windows = Windows(split, 16)
    (batch,) = validation_batches(windows, 4, 0, 1, limit=4)
    assert batch.sequences_B.tolist() == [i * len(windows) // 4 for i in range(4)]


# Memory


def resident_file_bytes() -> int:
    """Bytes of mapped files that the kernel counts as this process's memory."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssFile:"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's own figures")
def test_no_page_of_a_shard_counts_as_the_process_s_own(tmp_path: Path) -> None:
    meta = TokenMeta("ab" * 32, 64, delimiter_id=0)
    tokens = np.ones(2**22, np.uint16)
    tokens[0] = 0
    one = np.array([1])
    info = write_shard(tmp_path / "large.arrow", ["0" * 32], tokens, np.array([0, len(tokens)]), one, one, meta)
    write_dataset(tmp_path, {"train": [info]}, meta)
    windows = Windows(TokenDataset.open(tmp_path).split("train"), 1024)
    windows.read(0)  # loads the compiled code
    before = resident_file_bytes()
    for batches in (loader_of([windows], batch=64, micro_batch=32).steps(0, 64), validation_batches(windows, 32, 0, 1)):
        for _ in batches:
            pass
        assert resident_file_bytes() - before < 0.25 * tokens.nbytes
    windows.split.read(0, len(tokens))
    assert resident_file_bytes() - before > 0.75 * tokens.nbytes  # the figure does show such pages
