"""Unusual steps, compared with a restatement of the rule by the statistics module."""

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.where import spikes as where_spikes
from trainer.where.spikes import Spike, limits, spikes


def restated(values: list[float]) -> list[tuple[float, float] | None]:
    """Median and limit for each value, None if fewer than 64 came before."""
    told: list[tuple[float, float] | None] = []
    before: list[float] = []
    for value in values:
        recent = before[-128:]
        if len(recent) < 64 or not math.isfinite(value):
            told.append(None)
        else:
            median = statistics.median(recent)
            deviation = statistics.median([abs(one - median) for one in recent])
            told.append((median, median + 6 * 1.4826 * deviation))
        if math.isfinite(value):
            before.append(value)
    return told


@settings(max_examples=15, deadline=None)
@given(count=st.integers(0, 330), gaps=st.lists(st.integers(0, 329), max_size=5), seed=st.integers(0, 99))
def test_medians_and_limits_are_those_of_the_values_before(count: int, gaps: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).normal(3, 1, count)
    values[[gap for gap in gaps if gap < count]] = math.nan
    medians_N, limits_N = limits(values)
    for told, median, limit in zip(restated(values.tolist()), medians_N.tolist(), limits_N.tolist(), strict=True):
        assert (median, limit) == pytest.approx(told) if told else math.isnan(median) and math.isnan(limit)


def test_a_long_run_is_judged_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(3, 1, 500)
    whole = limits(values)
    monkeypatch.setattr(where_spikes, "STEPS_AT_ONCE", 100)
    for found, expected in zip(limits(values), whole, strict=True):
        assert np.array_equal(found, expected, equal_nan=True)


def row(step: int, loss: float | None, norm: float | None = 1.0) -> dict[str, Any]:
    return {"kind": "train", "step": step, "loss": loss, "gradient_norm": norm}


def test_rises_and_lost_numbers_are_told_and_falls_are_not() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 200).tolist()
    rows = [row(step, 3 + more, 1 + more) for step, more in enumerate(noise, start=1)]
    rows[99] = row(100, 9.0)
    rows[100] = row(101, 8.0)  # the first must not hide the second
    rows[149] = row(150, 3.0, 50.0)
    rows[159] = row(160, None, None)
    rows[169] = row(170, 0.1, 0.01)
    rows.insert(20, {"kind": "validation", "step": 20, "loss": 99.0})
    found = spikes(rows)
    assert [(spike.step, spike.measure, spike.value) for spike in found] == [
        (100, "loss", 9.0),
        (101, "loss", 8.0),
        (150, "gradient_norm", 50.0),
        (160, "loss", None),
        (160, "gradient_norm", None),
    ]
    assert found[0].median == pytest.approx(3, abs=0.01)
    assert found[0].limit is not None
    assert 3 < found[0].limit < 3.2
    assert found[3] == Spike(160, "loss", None, None, None)


def test_the_first_64_steps_are_compared_with_nothing() -> None:
    assert spikes([row(step, 3.0 if step < 60 else 100.0) for step in range(1, 65)]) == []
    assert [spike.step for spike in spikes([row(step, 3.0 if step < 65 else 100.0) for step in range(1, 66)])] == [65]
