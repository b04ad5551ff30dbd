"""The order of the data: source, window and epoch of each sequence, whatever the number of ranks."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data.order import Dataset, Order, Place, rank_slice
from trainer.data.permutation import Permutation
from trainer.errors import TrainerError


def places(order: Order, start: int, stop: int) -> list[Place]:
    """`Order.many` as a list."""
    columns = (column.tolist() for column in order.many(start, stop))
    return [Place(*row) for row in zip(*columns, strict=True)]


def hamilton(weights: Sequence[float], block: int) -> list[int]:
    """Largest remainders, step by step."""
    shares = [Fraction(weight) * block / sum(map(Fraction, weights)) for weight in weights]
    counts = [int(share) for share in shares]
    while sum(counts) < block:
        most = max(range(len(shares)), key=lambda index: (shares[index] - counts[index], -index))
        counts[most] += 1
    return counts


def restated(sources: Sequence[Dataset], seed: int, block: int, stop: int) -> list[Place]:
    """The mixture from its beginning: each source hands out its shuffled epochs, one window after the other."""
    counts = hamilton([source.weight for source in sources], block)
    owners = [index for index, count in enumerate(counts) for _ in range(count)]
    handed_out = [0] * len(sources)
    told = []
    for g in range(stop):
        source = owners[Permutation(block, ("block", seed, g // block))(g % block)]
        epoch, nth = divmod(handed_out[source], sources[source].windows)
        window = Permutation(sources[source].windows, ("window", seed, source, epoch))(nth)
        told.append(Place(source, window, epoch))
        handed_out[source] += 1
    return told


@st.composite
def mixtures(draw: st.DrawFn) -> list[Dataset]:
    """Two to four sources whose weights leave a position for each in a block of 32."""
    count = draw(st.integers(2, 4))
    windows = draw(st.lists(st.integers(1, 40), min_size=count, max_size=count))
    weights = draw(st.lists(st.floats(1, 8), min_size=count, max_size=count))
    return [Dataset(f"s{i}", n, weight) for i, (n, weight) in enumerate(zip(windows, weights, strict=True))]


@settings(max_examples=10, deadline=None)
@given(sources=mixtures(), seed=st.integers(0, 2**32), start=st.integers(0, 70))
def test_any_stretch_of_a_mixture_equals_the_story_told_from_its_beginning(sources: list[Dataset], seed: int, start: int) -> None:
    order = Order(sources, seed, block=32)
    if order.mixed:
        told = restated(sources, seed, 32, 90)
        assert places(order, start, 90) == told[start:]
        assert order.at(start) == told[start]


@settings(max_examples=15, deadline=None)
@given(sources=mixtures(), seed=st.integers(0, 9))
def test_counts_are_exact_in_each_block(sources: list[Dataset], seed: int) -> None:
    order = Order(sources, seed, block=64)
    if order.mixed:
        expected = dict(enumerate(hamilton([source.weight for source in sources], 64)))
        for block in (0, 1, 10**9):
            assert Counter(order.many(64 * block, 64 * (block + 1))[0].tolist()) == expected


def test_three_quarters_to_one_quarter_is_48_to_16_in_a_block_of_64() -> None:
    order = Order([Dataset("a", 100, 0.75), Dataset("b", 10, 0.25)], seed=3, block=64)
    assert Counter(order.many(0, 21 * 64)[0].tolist()) == {0: 1008, 1: 336}
    assert len({tuple(order.many(64 * block, 64 * (block + 1))[0].tolist()) for block in range(10)}) == 10


@settings(max_examples=15, deadline=None)
@given(sources=mixtures(), seed=st.integers(0, 9))
def test_no_source_repeats_a_window_before_it_has_given_all_others(sources: list[Dataset], seed: int) -> None:
    given_by = defaultdict(list)
    for place in places(Order(sources, seed, block=32), 0, 200):
        given_by[place.source].append((place.epoch, place.window))
    for source, handed_out in given_by.items():
        windows = sources[source].windows
        for epoch, start in enumerate(range(0, len(handed_out), windows)):
            expected = {(epoch, window) for window in range(windows)}
            passed = handed_out[start : start + windows]
            assert len(set(passed)) == len(passed)
            assert set(passed) <= expected


@pytest.mark.parametrize("windows", [1, 7, 1000, 5000])
def test_one_source_is_read_exactly_once_per_epoch(windows: int) -> None:
    order = Order([Dataset("only", windows, 1.0)], seed=11)
    epochs = [order.many(epoch * windows, (epoch + 1) * windows) for epoch in range(3)]
    for epoch, (sources_N, windows_N, epochs_N) in enumerate(epochs):
        assert not sources_N.any()
        assert (epochs_N == epoch).all()
        assert np.array_equal(np.sort(windows_N), np.arange(windows))
    if windows > 1:
        assert len({tuple(windows_N.tolist()) for _, windows_N, _ in epochs}) > 1


def test_sources_weighted_by_their_windows_are_read_exactly_once_per_epoch_of_their_union() -> None:
    sizes = [1, 5000, 70]
    order = Order([Dataset(f"s{size}", size, float(size)) for size in sizes], seed=5)
    everything = {(source, window) for source, size in enumerate(sizes) for window in range(size)}
    for epoch in range(2):
        found = places(order, epoch * 5071, (epoch + 1) * 5071)
        assert len(found) == len(everything)
        assert {(place.source, place.window) for place in found} == everything
        assert {place.epoch for place in found} == {epoch}


def test_a_stretch_does_not_depend_on_where_it_is_begun() -> None:
    for order in (
        Order([Dataset("a", 30, 1)], 1),
        Order([Dataset("a", 10**10, 1)], 1),
        Order([Dataset("a", 9, 1), Dataset("b", 8, 3)], 1),
    ):
        whole = places(order, 4000, 4300)
        assert places(order, 4000, 4090) + places(order, 4090, 4100) + places(order, 4100, 4300) == whole
        assert [order.at(g) for g in (4095, 4096, 4299)] == [whole[95], whole[96], whole[299]]
        assert places(order, 4100, 4100) == []


def test_seeds_sources_and_epochs_do_not_collide() -> None:
    """12 shuffles of the same size are all different, also for seed 1, epoch 2 and seed 2, epoch 1, or two sources."""
    seen: set[tuple[int, ...]] = set()
    for seed in range(3):
        order = Order([Dataset("a", 50, 1), Dataset("b", 50, 1)], seed, block=50)
        given_by = defaultdict(list)
        for place in places(order, 0, 200):
            given_by[place.source, place.epoch].append(place.window)
        seen |= {tuple(windows) for windows in given_by.values()}
    assert len(seen) == 12


def test_the_order_does_not_depend_on_the_names_of_the_sources() -> None:
    orders = [Order([Dataset(a, 20, 1), Dataset(b, 30, 2)], 4) for a, b in (("x", "y"), ("/moved/x", "/moved/y"))]
    assert places(orders[0], 0, 100) == places(orders[1], 0, 100)


def test_the_order_never_changes() -> None:
    """A run started with another version of the program must resume in the same order."""
    one = Order([Dataset("a", 1000, 1)], seed=42)
    assert one.many(2998, 3004)[1].tolist() == [528, 758, 399, 639, 693, 287]
    mixed = Order([Dataset("a", 1000, 3), Dataset("b", 10, 1)], seed=42)
    assert [(p.source, p.window, p.epoch) for p in places(mixed, 4093, 4099)] == [
        (0, 149, 3),
        (1, 4, 102),
        (0, 397, 3),
        (0, 415, 3),
        (1, 7, 102),
        (0, 557, 3),
    ]


def enumerated(order: Order, source: int, windows: Sequence[int], start: int, stop: int) -> list[tuple[int, int]]:
    """(row, sequence) of every sequence in the range that is one of `windows`, by enumeration."""
    told = zip(range(start, stop), places(order, start, stop), strict=True)
    return [(windows.index(p.window), g) for g, p in told if p.source == source and p.window in windows]


@settings(max_examples=12, deadline=None)
@given(sources=mixtures(), shuffled=st.booleans(), seed=st.integers(0, 99), start=st.integers(0, 150), length=st.integers(0, 150))
def test_the_places_of_windows_are_those_that_a_look_at_every_sequence_finds(
    sources: list[Dataset], shuffled: bool, seed: int, start: int, length: int
) -> None:
    """Over several epochs, of one set or of a mixture, for any range, also within a block."""
    if shuffled:
        sources = [Dataset(source.name, source.windows, float(source.windows)) for source in sources]
    order = Order(sources, seed, block=32)
    for index, source in enumerate(sources):
        windows = list(range(source.windows))[:: 1 + seed % 3][::-1]
        rows_M, sequences_M = order.places_of(index, np.array(windows), start, start + length)
        found = list(zip(rows_M.tolist(), sequences_M.tolist(), strict=True))
        assert found == enumerated(order, index, windows, start, start + length)


@pytest.mark.parametrize("weights", [(6e9, 4e9), (3.0, 1.0)], ids=["one set", "mixture"])
def test_places_in_an_order_too_long_to_walk_through_are_found_at_once(weights: tuple[float, float]) -> None:
    order = Order([Dataset("a", 6 * 10**9, weights[0]), Dataset("b", 4 * 10**9, weights[1])], seed=8)
    start = 2 * 10**10 + 123
    sources_N, windows_N, _ = order.many(start, start + 50)
    for source in (0, 1):
        own = np.flatnonzero(sources_N == source)
        rows_M, sequences_M = order.places_of(source, windows_N[own], 0, 3 * 10**10)
        here = (sequences_M >= start) & (sequences_M < start + 50)
        assert sequences_M[here].tolist() == (start + own).tolist()
        assert windows_N[own][rows_M[here]].tolist() == windows_N[own].tolist()
        assert len(sequences_M) > len(own)


def test_places_of_what_there_is_not_are_refused_and_of_nothing_are_none() -> None:
    order = Order([Dataset("a", 5, 1), Dataset("b", 6, 2)], 0)
    assert [column.tolist() for column in order.places_of(1, np.array([], np.int64), 0, 100)] == [[], []]
    assert [column.tolist() for column in order.places_of(1, np.array([3]), 7, 7)] == [[], []]
    for source, window, start in ((2, 0, 0), (0, 5, 0), (0, -1, 0), (0, 0, -1)):
        with pytest.raises(IndexError, match=r"there are 2|source 0 has 5|count from 0"):
            order.places_of(source, np.array([window]), start, 100)


@settings(max_examples=40, deadline=None)
@given(
    stages=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=4),
)
def test_each_sequence_is_trained_once_when_world_size_and_batch_change(stages: list[tuple[int, int, int]]) -> None:
    consumed = 0
    seen: list[int] = []
    for world_size, each, steps in stages:
        for _ in range(steps):
            for rank in range(world_size):
                seen.extend(rank_slice(consumed, world_size * each, rank, world_size))
            consumed += world_size * each
    assert seen == list(range(consumed))


def test_a_batch_that_does_not_divide_has_no_slices() -> None:
    with pytest.raises(ValueError, match="10 sequences does not divide by 4 ranks"):
        rank_slice(0, 10, 0, 4)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_positive_number_is_refused(weight: float) -> None:
    with pytest.raises(TrainerError, match=r"source b: weight .* is not a positive number"):
        Order([Dataset("a", 5, 1.0), Dataset("b", 5, weight)], 0)


def test_a_source_without_windows_and_no_source_at_all_are_refused() -> None:
    with pytest.raises(TrainerError, match="source b: it has no windows"):
        Order([Dataset("a", 5, 1.0), Dataset("b", 0, 1.0)], 0)
    with pytest.raises(TrainerError, match="no source"):
        Order([], 0)


def test_a_weight_that_rounds_to_no_place_is_refused_and_the_one_that_is_named_works() -> None:
    with pytest.raises(TrainerError, match=r"source b: weight 0.0001 is 0.41 of 4096 sequences .* at least 0.000244"):
        Order([Dataset("a", 5, 1.0), Dataset("b", 5, 0.0001)], 0)
    assert Order([Dataset("a", 5, 1.0), Dataset("b", 5, 0.0002442)], 0).counts.tolist() == [4095, 1]


def test_equal_weights_that_do_not_divide_a_block_favour_the_earlier_source() -> None:
    assert Order([Dataset(name, 9, 0.1) for name in "abc"], 0, block=64).counts.tolist() == [22, 21, 21]


def test_a_run_that_repeats_a_source_too_often_is_refused_before_it_begins() -> None:
    order = Order([Dataset("a", 1000, 0.5), Dataset("b", 16, 0.5, max_epochs=4)], 0, block=64)
    assert order.epochs(128) == [0.064, 4.0]
    order.check_length(128)
    with pytest.raises(TrainerError, match=r"source b: 192 sequences .* 6.00 times, .* max_epochs of 4; train about 128"):
        order.check_length(192)


def test_the_limit_of_a_single_source_counts_part_epochs() -> None:
    order = Order([Dataset("a", 100, 1, max_epochs=1.5)], 0)
    order.check_length(150)
    with pytest.raises(TrainerError, match=r"train about 150 sequences, raise max_epochs$"):
        order.check_length(151)


def test_negative_sequence_numbers_are_refused() -> None:
    with pytest.raises(IndexError, match="count from 0"):
        Order([Dataset("a", 5, 1)], 0).at(-1)
