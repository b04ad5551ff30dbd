"""The losses of windows by their sequence numbers, through kills, resumes and lost tails."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.errors import TrainerError
from trainer.record import window_losses
from trainer.record.window_losses import LOSSES_FILE, WindowLosses, read_losses, recorded_sequences


def loss_of(sequence: int) -> float:
    return 3 + sequence / 8  # exact in float32


def train(run: Path, start: int, stop: int, batch: int) -> None:
    """Continue after `start` sequences, in steps of `batch`."""
    with WindowLosses(run, start) as losses:
        while losses.sequences < stop:
            last = min(losses.sequences + batch, stop)
            losses.append(np.array([loss_of(g) for g in range(losses.sequences, last)], np.float32))


@settings(max_examples=30, deadline=None)
@given(
    reached=st.integers(0, 40), torn=st.integers(0, 3), resumed=st.integers(0, 40), batches=st.tuples(*[st.integers(1, 7)] * 2)
)
def test_a_run_that_was_killed_and_resumed_leaves_the_file_of_one_that_was_not(
    tmp_path_factory: pytest.TempPathFactory, reached: int, torn: int, resumed: int, batches: tuple[int, int]
) -> None:
    run, whole = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("whole")
    train(run, 0, reached, batches[0])
    with (run / LOSSES_FILE).open("ab") as stream:
        stream.write(b"\x01" * torn)
    assert recorded_sequences(run) == reached
    resumed = min(resumed, reached)
    train(run, resumed, 50, batches[1])
    train(whole, 0, 50, 50)
    assert (run / LOSSES_FILE).read_bytes() == (whole / LOSSES_FILE).read_bytes()


def test_losses_are_found_by_their_sequence_numbers(tmp_path: Path) -> None:
    train(tmp_path, 0, 20, 6)
    found = read_losses(tmp_path, np.array([19, 3, 20, 3]))
    assert found.dtype == np.float32
    assert found.tolist()[:2] == [loss_of(19), loss_of(3)]
    assert math.isnan(found[2])
    assert found[3] == loss_of(3)
    assert read_losses(tmp_path, np.array([], np.int64)).size == 0


def test_what_a_power_cut_took_is_not_known_and_moves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_losses, "FILL_PIECE", 3)
    train(tmp_path, 0, 5, 5)
    with (tmp_path / LOSSES_FILE).open("rb+") as stream:
        stream.truncate(4 * 2 + 1)
    train(tmp_path, 10, 12, 2)
    found = read_losses(tmp_path, np.arange(12))
    assert found[[0, 1, 10, 11]].tolist() == [loss_of(0), loss_of(1), loss_of(10), loss_of(11)]
    assert np.isnan(found[2:10]).all()


def test_a_run_without_the_file_has_no_losses(tmp_path: Path) -> None:
    assert recorded_sequences(tmp_path) == 0
    assert np.isnan(read_losses(tmp_path, np.arange(3))).all()


def test_a_loss_that_is_no_number_stays_one(tmp_path: Path) -> None:
    with WindowLosses(tmp_path, 0) as losses:
        losses.append(np.array([math.inf, math.nan, 1.5], np.float32))
    assert read_losses(tmp_path, np.arange(3)).tolist()[::2] == [math.inf, 1.5]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=f"{LOSSES_FILE}: cannot be written .*; free disk space, then use --resume"):
        WindowLosses(tmp_path / "nowhere", 0)
    full = Path("/dev/full")
    if full.exists():
        (tmp_path / LOSSES_FILE).symlink_to(full)
        with pytest.raises(TrainerError, match="cannot be written"), WindowLosses(tmp_path, 0) as losses:
            losses.append(np.ones(3, np.float32))
