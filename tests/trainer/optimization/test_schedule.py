"""The learning rate at chosen steps, computed by hand, and properties of every schedule."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trainer.config import Kind, ScheduleConfig
from trainer.errors import TrainerError
from trainer.optimization.schedule import learning_rate, warmup_of

HORIZON: list[Kind] = ["cosine", "linear", "wsd", "step"]
KINDS: list[Kind] = [*HORIZON, "inverse_square_root", "constant"]


def rates(total_steps: int, **keys: object) -> list[float]:
    """The rates of a whole run with peak 1, unless `keys` say otherwise."""
    schedule = ScheduleConfig.model_validate({"peak": 1.0, **keys})
    return [learning_rate(schedule, step, total_steps) for step in range(total_steps)]


# Each: kind, its keys, and the rates of ten steps after a warm-up of two; peak 1, minimum 0.1.
ONE_OVER_ROOT_TEN = 10**-0.5
TABLE: dict[str, tuple[dict[str, object], list[float]]] = {
    "cosine": (
        {},
        [0.5, 1.0, *(0.1 + 0.45 * (1 + math.cos(math.pi * eighth / 8)) for eighth in range(1, 8)), 0.1],
    ),
    "linear": ({}, [0.5, 1.0, 0.8875, 0.775, 0.6625, 0.55, 0.4375, 0.325, 0.2125, 0.1]),
    "wsd, linear": (
        {"kind": "wsd", "decay_share": 0.4, "decay_shape": "linear"},
        [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.775, 0.55, 0.325, 0.1],
    ),
    "wsd": (
        {"decay_share": 0.4},
        [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.55, 1 - 0.9 * math.sqrt(0.5), 1 - 0.9 * math.sqrt(0.75), 0.1],
    ),
    "wsd, a fall that would begin in the warm-up": (
        {"kind": "wsd", "decay_share": 0.8, "decay_shape": "linear", "warmup_steps": 6},
        [*(number / 6 for number in range(1, 7)), 0.775, 0.55, 0.325, 0.1],
    ),
    "step": ({}, [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, ONE_OVER_ROOT_TEN, 0.1]),
    "step, three": (
        {"kind": "step", "milestones": (0.3, 0.5, 0.7), "minimum_ratio": 0.001},
        [0.5, 1.0, 1.0, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.001],
    ),
    "inverse_square_root": ({}, [0.5, 1.0, *(math.sqrt(2 / number) for number in range(3, 11))]),
    "constant": ({}, [0.5, *[1.0] * 9]),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_run_of_ten_steps_has_the_rates_worked_out_by_hand(case: str) -> None:
    keys, expected = TABLE[case]
    assert rates(10, **{"kind": case, "warmup_steps": 2, **keys}) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("total_steps", "expected"), [(1, 0), (2, 0), (20, 2), (75, 7), (1000, 100), (50_000, 100)])
def test_the_default_warm_up_is_a_tenth_of_the_run_and_at_most_100_steps(total_steps: int, expected: int) -> None:
    assert warmup_of(ScheduleConfig(), total_steps) == expected
    assert rates(total_steps)[max(expected, 1) - 1] == 1.0


def test_step_500_counted_from_one_is_step_499_here() -> None:
    # "The rate at step 500 of a warm-up of 1,000 steps to 0.001 is 0.0005" counts from 1.
    schedule = ScheduleConfig(peak=0.001, warmup_steps=1000)
    assert learning_rate(schedule, 499, 5000) == 0.0005
    assert learning_rate(schedule, 500, 5000) == 0.000501
    assert learning_rate(schedule, 0, 5000) == pytest.approx(1e-6, rel=1e-12)
    assert learning_rate(schedule, 999, 5000) == 0.001


@pytest.mark.parametrize("kind", HORIZON)
@pytest.mark.parametrize("minimum_ratio", [0.1, 1 / 3, 1.0])
def test_the_last_step_has_exactly_the_minimum_and_so_have_steps_after_it(kind: Kind, minimum_ratio: float) -> None:
    schedule = ScheduleConfig(kind=kind, peak=3e-4, warmup_steps=7, minimum_ratio=minimum_ratio)
    for total_steps in (8, 9, 50, 1001):
        assert learning_rate(schedule, total_steps - 1, total_steps) == 3e-4 * minimum_ratio
        assert learning_rate(schedule, total_steps + 100, total_steps) == 3e-4 * minimum_ratio


def test_the_inverse_square_root_stops_falling_at_the_minimum() -> None:
    falling = rates(20_000, kind="inverse_square_root", warmup_steps=4, minimum_ratio=0.1)
    assert falling[399] == falling[-1] == 0.1 < falling[398]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("warmup_steps", [0, 1])
def test_without_a_warm_up_the_first_step_has_the_peak(kind: Kind, warmup_steps: int) -> None:
    assert rates(50, kind=kind, warmup_steps=warmup_steps)[0] == 1.0
    assert rates(1, kind=kind, warmup_steps=warmup_steps) == [1.0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_ends_with_its_warm_up_ends_at_the_peak(kind: Kind) -> None:
    assert rates(4, kind=kind, warmup_steps=4) == [0.25, 0.5, 0.75, 1.0]


def test_a_run_shorter_than_its_warm_up_is_refused_with_a_remedy() -> None:
    with pytest.raises(
        TrainerError, match="warmup_steps is 5, longer than the run of 4 steps; train longer, lower --schedule-warmup-steps"
    ):
        rates(4, warmup_steps=5)


@st.composite
def runs(draw: st.DrawFn) -> tuple[ScheduleConfig, int]:
    """A schedule of any kind and a run at least as long as its warm-up."""
    total_steps = draw(st.integers(1, 400))
    schedule = ScheduleConfig(
        kind=draw(st.sampled_from(KINDS)),
        peak=draw(st.floats(1e-6, 1.0)),
        warmup_steps=draw(st.integers(0, total_steps)),
        minimum_ratio=draw(st.floats(0.001, 1.0)),
        decay_share=draw(st.floats(0.01, 1.0)),
        decay_shape=draw(st.sampled_from(["one_minus_sqrt", "linear"])),
        milestones=tuple(sorted(draw(st.sets(st.floats(0.01, 0.99), min_size=1, max_size=4)))),
    )
    return schedule, total_steps


@given(run=runs())
def test_every_schedule_rises_to_the_peak_and_then_never_rises_nor_leaves_its_bounds(run: tuple[ScheduleConfig, int]) -> None:
    schedule, total_steps = run
    assert schedule.warmup_steps is not None
    warmup = max(1, schedule.warmup_steps)
    values = [learning_rate(schedule, step, total_steps) for step in range(total_steps)]
    assert values[warmup - 1] == schedule.peak == max(values)
    assert all(before < after for before, after in pairwise(values[:warmup]))
    assert values[0] > 0
    slack = 1e-12 * schedule.peak
    assert all(after <= before + slack for before, after in pairwise(values[warmup - 1 :]))
    assert all(value >= schedule.peak * schedule.minimum_ratio - slack for value in values[warmup - 1 :])


@pytest.mark.parametrize(("kind", "steepest"), [("cosine", math.pi / 2), ("linear", 1.0), ("wsd", None)])
def test_a_schedule_without_steps_is_continuous(kind: Kind, steepest: float | None) -> None:
    # Per step, a cosine falls by at most pi/2 times as much as a straight line; the root is steepest at its start.
    values = rates(10_000, kind=kind, warmup_steps=100, minimum_ratio=0.1)
    largest = max(before - after for before, after in pairwise(values[99:]))
    assert largest <= (0.9 * steepest / 9900 if steepest else 0.9 * math.sqrt(1 / 2000)) + 1e-12


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"milestones": (0.9, 0.8)}, "milestones must increase"),
        ({"milestones": ()}, "milestones must increase"),
        ({"milestones": (0.5, 1.0)}, "between 0 and 1"),
        ({"kind": "step", "minimum_ratio": 0}, "minimum_ratio of 0; set it above 0"),
        ({"kind": "cosin"}, "cosine"),
        ({"peak": 0}, "greater than 0"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ScheduleConfig.model_validate(keys)
