"""The sequences of each step, in runs resumed with other batches and ends, compared with counting one by one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data.order import Dataset, Order
from trainer.errors import TrainerError
from trainer.record.history import STRETCHES_FILE, History, Stretch, TrainedSource, record_stretch

# Enough windows that a block of the mixture needs few epochs of them.
WINDOWS = (997, 301)
SOURCES = tuple(TrainedSource(f"/{name}", name, count, 3.0) for name, count in zip("ab", WINDOWS, strict=True))
FIRST = Stretch(step=0, sequences=0, end=40, batch_size=4, seed=5, context_length=16, sources=SOURCES)


@st.composite
def resumed_runs(draw: st.DrawFn) -> tuple[list[Stretch], list[list[int]]]:
    """The stretches of a run, and the sequences of each step, by taking one batch after the other."""
    stretches: list[Stretch] = []
    steps: list[list[int]] = []
    consumed = 0
    for last in [False] * draw(st.integers(0, 3)) + [True]:
        batch = draw(st.integers(1, 9))
        end = consumed + draw(st.integers(0, 60))
        weight = draw(st.sampled_from([1.0, 2.0]))
        sources = (replace(SOURCES[0], weight=weight), SOURCES[1])
        stretches.append(Stretch(len(steps), consumed, end, batch, 5, 16, sources))
        taken = 0
        while consumed < end and (last or taken < 3):
            steps.append(list(range(consumed, min(consumed + batch, end))))
            consumed, taken = min(consumed + batch, end), taken + 1
    later = [*(stretch.step for stretch in stretches[1:]), None]
    return [stretch for stretch, next_step in zip(stretches, later, strict=True) if next_step != stretch.step], steps


@settings(max_examples=60, deadline=None)
@given(run=resumed_runs())
def test_steps_and_sequences_are_those_of_batch_after_batch(run: tuple[list[Stretch], list[list[int]]]) -> None:
    stretches, steps = run
    history = History(stretches)
    assert (history.first_step, history.steps, history.end) == (1, len(steps), sum(map(len, steps)))
    assert [list(history.sequences(step)) for step in range(1, len(steps) + 1)] == steps
    owners = [step for step, sequences in enumerate(steps, start=1) for _ in sequences]
    assert history.steps_of(np.arange(history.end)).tolist() == owners
    for consumed in range(history.end + 1):
        assert history.steps_done(consumed) == sum(sequences[-1] < consumed for sequences in steps)
    for step in (0, len(steps) + 1):
        with pytest.raises(TrainerError, match="the run has the steps 1 to"):
            history.sequences(step)


@settings(max_examples=6, deadline=None)
@given(run=resumed_runs())
def test_windows_are_found_wherever_a_look_at_every_step_finds_them(run: tuple[list[Stretch], list[list[int]]]) -> None:
    """Also if a resume changed the weights of the sources and so the order."""
    stretches, steps = run
    history = History(stretches)
    told = []
    orders = [Order([Dataset(one.folder, one.windows, one.weight) for one in stretch.sources], 5) for stretch in stretches]
    for step, sequences in enumerate(steps, start=1):
        sources_N, windows_N, _ = history.windows(step)
        told += list(zip(sequences, sources_N.tolist(), windows_N.tolist(), strict=True))
        order = orders[sum(stretch.step < step for stretch in stretches) - 1]
        assert [order.at(sequence).window for sequence in sequences] == windows_N.tolist()
    for source, windows in enumerate(WINDOWS):
        rows_M, sequences_M = history.places_of(source, np.arange(windows))
        found = [(sequence, source, row) for row, sequence in zip(rows_M.tolist(), sequences_M.tolist(), strict=True)]
        assert found == [one for one in told if one[1] == source]


def test_a_resume_replaces_what_it_does_again_and_keeps_what_was_before(tmp_path: Path) -> None:
    later = replace(FIRST, step=6, sequences=24, batch_size=8)
    again = replace(FIRST, step=4, sequences=16, batch_size=2)
    for stretch in (FIRST, later, again):
        record_stretch(tmp_path, stretch)
    history = History.read(tmp_path)
    assert list(history.sequences(4)) == [12, 13, 14, 15]
    assert list(history.sequences(5)) == [16, 17]
    assert history.steps == 4 + 12
    record_stretch(tmp_path, FIRST)
    assert (tmp_path / STRETCHES_FILE).read_text().count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [STRETCHES_FILE]


def test_a_run_whose_beginning_was_not_recorded_says_so(tmp_path: Path) -> None:
    record_stretch(tmp_path, replace(FIRST, step=6, sequences=24))
    history = History.read(tmp_path)
    assert list(history.sequences(7)) == [24, 25, 26, 27]
    assert history.steps_done(0) == 6
    with pytest.raises(TrainerError, match="the run has the steps 7 to 10; the earlier ones were not recorded"):
        history.sequences(6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("[]\n", "line 1 is not a stretch"),
        ("{}\n", "line 1 is not a stretch"),
        ('{"step": 0}\n', "line 1 is not a stretch"),
        ("\xff", "line 1 is not a stretch"),
    ],
    ids=["empty", "list", "nothing", "part", "no JSON"],
)
def test_a_damaged_record_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / STRETCHES_FILE).write_text(content)
    with pytest.raises(TrainerError, match=f"{STRETCHES_FILE}: {message}"):
        History.read(tmp_path)
    if content:
        with pytest.raises(TrainerError, match=message):
            record_stretch(tmp_path, FIRST)


def test_a_folder_that_is_no_run_or_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"stretches.jsonl is missing: .* give the folder of a run"):
        History.read(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(TrainerError, match=r"cannot be written .*free disk space"):
        record_stretch(tmp_path / "file", FIRST)
