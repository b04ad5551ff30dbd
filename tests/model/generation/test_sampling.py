"""Choices, compared with the definition and with their expected frequencies."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from model.generation.sampling import Sampling, choose, draw_keys, waiting_times


def chosen_plainly(logits: list[float], sampling: Sampling, waits: list[float]) -> int:
    """`choose` for one row, written out."""
    if sampling.temperature == 0:
        return max(range(len(logits)), key=lambda token: logits[token])
    weights = {token: math.exp((logit - max(logits)) / sampling.temperature) for token, logit in enumerate(logits)}
    order = sorted(weights, key=lambda token: -weights[token])[: sampling.top_k]
    if sampling.top_p is not None:
        total, reached, kept = sum(weights[token] for token in order), 0.0, []
        for token in order:
            if reached < sampling.top_p * total:
                kept.append(token)
            reached += weights[token]
        order = kept
    return min(sorted(order), key=lambda token: waits[token] / weights[token] if weights[token] else math.inf)


@settings(max_examples=200, deadline=None)
@given(
    logits=st.lists(st.integers(-400, 400), min_size=1, max_size=12, unique=True),
    temperature=st.sampled_from([0.0, 0.1, 0.8, 1.0, 3.0]),
    top_k=st.none() | st.integers(1, 13),
    top_p=st.none() | st.floats(0.01, 1.0),
    seed=st.integers(0, 10**6),
)
def test_a_choice_is_that_of_the_definition(
    logits: list[int], temperature: float, top_k: int | None, top_p: float | None, seed: int
) -> None:
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    values = [logit / 100 for logit in logits]
    waits_BV = waiting_times(draw_keys(seed, [(0, 0)]), len(values))
    token = int(choose(torch.tensor([values]), sampling, waits_BV))
    # Sums in single precision may fall on either side of so close a threshold.
    near = {
        chosen_plainly(values, sampling.model_copy(update={"top_p": moved_p}), waits_BV[0].tolist())
        for moved_p in ([None] if top_p is None else [top_p - 1e-5, top_p, top_p + 1e-5])
    }
    assert token in near


def test_what_is_filtered_never_comes_and_the_rest_comes_as_often_as_it_should() -> None:
    logits = torch.tensor([2.0, 1.5, 1.0, 0.5, 0.0, -1.0])
    count = 5000
    sampling = Sampling(temperature=0.8, top_k=5, top_p=0.9)
    waits_BV = waiting_times(draw_keys(1, [(0, step) for step in range(count)]), 6)
    tokens = choose(logits.expand(count, -1), sampling, waits_BV)
    weights = np.exp(logits[:5].numpy() / 0.8)
    shares = weights / weights.sum()
    kept = shares[: int(np.searchsorted(shares.cumsum(), 0.9)) + 1]
    expected = kept / kept.sum() * count
    found = np.bincount(tokens.numpy(), minlength=6)
    assert found[len(kept) :].sum() == 0
    # Chi-square with at most 4 degrees of freedom exceeds 23 for one seed in 8,000; the seed is fixed.
    assert ((found[: len(kept)] - expected) ** 2 / expected).sum() < 23


def test_a_nucleus_of_many_equals_takes_the_lowest_ids_first() -> None:
    uniform_BV = torch.zeros(1, 5000)
    waits_BV = waiting_times(draw_keys(0, [(0, 0)]), 5000)
    for top_p in (1e-9, 0.5, 0.9, 1.0):
        reached = max(1, round(top_p * 5000))
        expected = int(waits_BV[:, :reached].argmin())
        assert int(choose(uniform_BV, Sampling(top_p=top_p), waits_BV)) == expected


def test_waiting_times_are_exponential_and_a_places_own() -> None:
    places = [(row, step) for row in range(3) for step in range(3)]
    waits = torch.cat([waiting_times(draw_keys(seed, places), 2000) for seed in range(3)])
    assert float(waits.min()) > 0
    assert bool(waits.isfinite().all())
    # The mean of 54,000 numbers has a standard error of 0.004; 1/e of an exponential distribution is above 1.
    assert abs(float(waits.mean()) - 1) < 0.02
    assert abs(float((waits > 1).float().mean()) - math.exp(-1)) < 0.01
    assert waits[:, :20].unique().numel() == 27 * 20
    assert torch.equal(waiting_times(draw_keys(1, [(2, 5)]), 5), waiting_times(draw_keys(1, [(0, 0), (2, 5)]), 2000)[1:, :5])


def test_the_extremes_of_the_random_bits_give_finite_waiting_times(monkeypatch: pytest.MonkeyPatch) -> None:
    extremes = torch.tensor([[-(2**31), 2**31 - 1]], dtype=torch.int32)
    monkeypatch.setattr("model.generation.sampling.random_bits", lambda _keys, _count: extremes)
    longest, shortest = waiting_times(torch.zeros(1, dtype=torch.int32), 2)[0].tolist()
    assert 16 < longest < 17
    assert 0 < shortest < 1e-7


def test_a_temperature_near_zero_is_greedy() -> None:
    logits = torch.tensor([[0.0, 1.0, 0.9999]])
    for temperature in (1e-5, 1e-7, 1e-45):
        assert int(choose(logits, Sampling(temperature=temperature), waiting_times(draw_keys(0, [(0, 0)]), 3))) == 1


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"temperature": math.nan}, {"top_k": 0}, {"top_p": 0}, {"top_p": 1.5}])
def test_settings_outside_their_range_are_errors(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Sampling.model_validate(wrong)
