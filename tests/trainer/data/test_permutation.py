"""The keyed shuffle: a bijection with its inverse, as good as numpy's, and the same in every version."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data.permutation import Permutation, round_keys

KEYS = st.tuples(st.text(max_size=8), st.integers(-(2**70), 2**70))

MASK = 2**64 - 1


def restated(n: int, keys: list[int], index: int) -> int:
    """The same network in Python's integers."""
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    while True:
        left, right = index >> half, index & ((1 << half) - 1)
        for key in keys:
            mixed = right ^ key
            mixed = ((mixed ^ (mixed >> 33)) * 0xFF51AFD7ED558CCD) & MASK
            mixed = ((mixed ^ (mixed >> 33)) * 0xC4CEB9FE1A85EC53) & MASK
            mixed ^= mixed >> 33
            left, right = right, left ^ (mixed & ((1 << half) - 1))
        index = (left << half) | right
        if index < n:
            return index


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 3000), key=KEYS)
def test_every_number_occurs_once_and_is_inverted(n: int, key: tuple[str, int]) -> None:
    permutation = Permutation(n, key)
    shuffled = permutation(np.arange(n))
    assert shuffled.dtype == np.int64
    assert np.array_equal(np.sort(shuffled), np.arange(n))
    assert np.array_equal(permutation.inverse(shuffled), np.arange(n))


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2**30, 2**62), key=KEYS, share=st.floats(0, 1, exclude_max=True))
def test_large_permutations_stay_in_range_and_invert(n: int, key: tuple[str, int], share: float) -> None:
    index = min(int(n * share), n - 1)
    permutation = Permutation(n, key)
    position = permutation(index)
    assert isinstance(position, int)
    assert 0 <= position < n
    assert permutation.inverse(position) == index


@pytest.mark.parametrize("n", [1, 2, 5, 4096, 100_003, 10**12])
def test_arrays_and_single_numbers_equal_the_plain_restatement(n: int) -> None:
    permutation = Permutation(n, ("restated", n))
    keys = [int(key) for key in round_keys(("restated", n))]
    indices = np.unique(np.linspace(0, n - 1, 12).astype(np.int64)).reshape(-1, 1)
    expected = [restated(n, keys, index) for index in indices[:, 0].tolist()]
    assert permutation(indices)[:, 0].tolist() == expected
    assert [permutation(index) for index in indices[:, 0].tolist()] == expected


def test_the_function_never_changes() -> None:
    """A run started with another version of the program must resume in the same order."""
    assert Permutation(10, ("window", 0, 0, 0))(np.arange(10)).tolist() == [4, 1, 5, 2, 7, 3, 8, 6, 0, 9]
    assert Permutation(1000, ("block", 42, 7))(np.arange(6)).tolist() == [210, 494, 593, 584, 684, 206]
    assert Permutation(10**12, ("window", 1, 2, 3))(np.arange(4) * 10**11).tolist() == [
        114760848293,
        464867280572,
        393755288484,
        662794153836,
    ]


def neighbour_statistics(order: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Correlation of neighbours and of their parities, and the share of unique differences between them."""
    parity = order & 1
    return (
        float(np.corrcoef(order[:-1], order[1:])[0, 1]),
        float(np.corrcoef(parity[:-1], parity[1:])[0, 1]),
        np.unique(np.diff(order)).size / order.size,
    )


@pytest.mark.parametrize("n", [65_536, 100_003])
def test_neighbours_are_as_unrelated_as_in_numpys_shuffle(n: int) -> None:
    correlation, parity, unique = neighbour_statistics(Permutation(n, ("quality", n))(np.arange(n)))
    _, _, numpys_unique = neighbour_statistics(np.random.default_rng(0).permutation(n))
    # Five standard errors of a correlation of n independent pairs.
    assert abs(correlation) < 5 / np.sqrt(n)
    assert abs(parity) < 5 / np.sqrt(n)
    assert unique == pytest.approx(numpys_unique, abs=0.01)


def test_positions_are_spread_evenly() -> None:
    """The chi-square of the positions of the first sixteenth is within five standard deviations of its mean."""
    n, bins = 2**16, 64
    landed = Permutation(n, ("spread",))(np.arange(n // 16))
    counts = np.bincount(landed * bins // n, minlength=bins)
    expected = n / 16 / bins
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert abs(chi_square - (bins - 1)) < 5 * np.sqrt(2 * (bins - 1))


def test_keys_that_look_alike_give_unrelated_orders() -> None:
    keys = [("a", 1, 2), ("a", 2, 1), ("a", 3, 0), ("a", 12), ("a", "1", 2), ("a1", 2), ("a", 1, "2"), ("b", 1, 2)]
    orders = {tuple(Permutation(1000, key)(np.arange(1000)).tolist()) for key in keys}
    assert len(orders) == len(keys)


@pytest.mark.parametrize("outside", [-1, 7])
def test_a_number_outside_is_refused(outside: int) -> None:
    permutation = Permutation(7, ("range",))
    with pytest.raises(IndexError, match=r"range\(7\)"):
        permutation(outside)
    with pytest.raises(IndexError):
        permutation.inverse(np.array([0, outside]))


@pytest.mark.parametrize("n", [0, 2**62 + 1])
def test_a_size_that_cannot_be_permuted_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match=r"2\^62"):
        Permutation(n, ("size",))


def test_no_numbers_give_no_numbers() -> None:
    assert Permutation(7, ("empty",))(np.empty(0, np.int64)).shape == (0,)
