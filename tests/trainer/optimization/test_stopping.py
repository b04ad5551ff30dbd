"""Real signals request a stop, consecutive skipped steps end with advice, and patience counts validations."""

import json
import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import TrainerError
from trainer.optimization.stopping import EarlyStopping, SkippedSteps, StopSignal


def send(number: signal.Signals) -> None:
    """Send a signal to this process; Python runs the handler before the next statement."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_by_name_and_the_block_goes_on(number: signal.Signals) -> None:
    with StopSignal() as stop:
        assert stop.requested is None
        send(number)
        assert stop.requested == number.name


@pytest.mark.parametrize("others", [[], [signal.SIGTERM, signal.SIGTERM]])
def test_only_a_second_sigint_interrupts_at_once(others: list[signal.Signals]) -> None:
    with StopSignal() as stop:
        for number in [*others, signal.SIGINT, *others]:
            send(number)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        assert stop.requested == ("SIGTERM" if others else "SIGINT")


def test_signals_do_again_what_they_did_before_when_the_block_ends_or_fails() -> None:
    heard: list[int] = []
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with pytest.raises(KeyboardInterrupt), StopSignal():
            raise KeyboardInterrupt
        assert heard == []
        send(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGINT) is former[signal.SIGINT]
    finally:
        signal.signal(signal.SIGTERM, former[signal.SIGTERM])


def test_the_last_of_too_many_skipped_steps_in_a_row_ends_the_run_with_advice() -> None:
    skipped = SkippedSteps(3)
    skipped.record(10, False, float("nan"), 1.0)
    skipped.record(11, False, 2.0, float("inf"))
    with pytest.raises(TrainerError, match=r"^step 12: loss nan, gradient norm inf; 3 steps in a row") as error:
        skipped.record(12, False, float("nan"), float("inf"))
    for advice in ("lower peak learning rate", "fp32", "windows of step 10"):
        assert advice in str(error.value)


@given(healthy=st.lists(st.booleans(), max_size=30), limit=st.integers(1, 4))
def test_a_healthy_step_starts_the_count_again(healthy: list[bool], limit: int) -> None:
    skipped = SkippedSteps(limit)
    text = "".join("." if good else "x" for good in healthy)
    stopped = None
    for step, good in enumerate(healthy):
        try:
            skipped.record(step, good, 1.0, 1.0)
        except TrainerError:
            stopped = step
            break
    first = text.find("x" * limit)
    assert stopped == (None if first < 0 else first + limit - 1)


def test_patience_counts_validations_without_a_new_lowest() -> None:
    stopping = EarlyStopping(patience=2)
    assert [stopping.update(value) for value in (3.0, 2.0, 2.0, 1.5, 1.6, float("nan"))] == [False] * 5 + [True]
    assert stopping.best == 1.5


@given(values=st.lists(st.sampled_from([1.0, 2.0, 3.0, float("nan"), float("inf")]), max_size=12), cut=st.integers(0, 12))
def test_its_state_survives_a_checkpoint(values: list[float], cut: int) -> None:
    straight = EarlyStopping(3)
    expected = [straight.update(value) for value in values]
    first = EarlyStopping(3)
    heard = [first.update(value) for value in values[:cut]]
    second = EarlyStopping(3, **json.loads(json.dumps(first.state, allow_nan=False)))
    assert heard + [second.update(value) for value in values[cut:]] == expected
    assert second.state == straight.state
