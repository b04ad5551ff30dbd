"""A keyed shuffle of range(n) that takes no memory: where any position goes, and what came to any position.

The order of training data must be known at any step without the steps before it, at 10^10 windows as at 10, and must be
the same on every machine and with every version of every library. A list of shuffled numbers is too big for the first, and
the random streams of numpy and torch, which may change between versions, are too unstable for the second. A Feistel
network is neither: any round function makes it a bijection (Luby and Rackoff, "How to construct pseudorandom permutations
from pseudorandom functions", SIAM Journal on Computing 17, 1988), and running its rounds backwards inverts it. It permutes
a power of four; what lands outside range(n) is sent through again until it lands inside, which keeps it a bijection (the
cycle-walking cipher of Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002).

The function is part of the checkpoint format: a change of it changes the order of every run that is resumed.
"""

import hashlib
import json
from typing import overload

import numba
import numpy as np

Key = tuple[str | int, ...]

# Four rounds are what Luby and Rackoff's theorem asks of ideal round functions; the mixer is not ideal, and two rounds
# more cost little. With six, parity of neighbours, chi-square and unique differences are those of numpy's shuffle.
ROUNDS = 6

# The finaliser of MurmurHash3 for 64 bits (`fmix64` in Appleby's public-domain MurmurHash3.cpp): each bit of the input
# changes each bit of the output with a probability close to one half.
MIX_SHIFT = np.uint64(33)
MIX_FACTORS = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))


class Permutation:
    """A bijection of range(n), 1 <= n <= 2^62, that `key` decides: other keys, unrelated orders. Memory is O(1).

    The network permutes 4^h >= n numbers, h being the bits of one half, so that a number takes fewer than four passes on
    average, whatever n is.
    """

    def __init__(self, n: int, key: Key) -> None:
        if not 1 <= n <= 2**62:
            raise ValueError(f"a permutation of {n} numbers; there must be from 1 to 2^62")
        self.n = n
        bits = max(1, ((n - 1).bit_length() + 1) // 2)
        self._half = np.uint64(bits)
        self._mask = np.uint64((1 << bits) - 1)
        self._round_keys = _round_keys(key)

    @overload
    def __call__(self, index: int) -> int: ...
    @overload
    def __call__(self, index: np.ndarray) -> np.ndarray: ...
    def __call__(self, index: int | np.ndarray) -> int | np.ndarray:
        """What stands at position `index` of the shuffled order: an int for an int, int64 of the same shape for an array.

        Raises IndexError for a position outside range(n).
        """
        return self._walk(index, backwards=False)

    @overload
    def inverse(self, position: int) -> int: ...
    @overload
    def inverse(self, position: np.ndarray) -> np.ndarray: ...
    def inverse(self, position: int | np.ndarray) -> int | np.ndarray:
        """The index with `self(index) == position`; types and errors as of a call."""
        return self._walk(position, backwards=True)

    def _walk(self, given: int | np.ndarray, backwards: bool) -> int | np.ndarray:
        numbers = np.asarray(given, dtype=np.int64)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= self.n):
            raise IndexError(f"{numbers.min()} to {numbers.max()} are not all in range({self.n}), which is permuted")
        walked = numbers.astype(np.uint64).reshape(-1)
        _walk(walked, self._round_keys, self._half, self._mask, np.uint64(self.n), backwards)
        if isinstance(given, np.ndarray):
            return walked.astype(np.int64).reshape(given.shape)
        return int(walked[0])


@numba.njit(cache=True, nogil=True)
def _walk(
    numbers_N: np.ndarray, round_keys: np.ndarray, half: np.uint64, mask: np.uint64, limit: np.uint64, backwards: bool
) -> None:
    """Send each of `numbers_N` through the network, or through its inverse, until it is below `limit`. All are uint64."""
    for n in range(len(numbers_N)):
        number = numbers_N[n]
        while True:
            left, right = number >> half, number & mask
            if backwards:
                for key in round_keys[::-1]:
                    left, right = right ^ (_mixed(left ^ key) & mask), left
            else:
                for key in round_keys:
                    left, right = right, left ^ (_mixed(right ^ key) & mask)
            number = (left << half) | right
            if number < limit:
                break
        numbers_N[n] = number


@numba.njit(cache=True, nogil=True)
def _mixed(number: np.uint64) -> np.uint64:
    for factor in MIX_FACTORS:
        number ^= number >> MIX_SHIFT
        number *= factor
    return number ^ (number >> MIX_SHIFT)


def _round_keys(key: Key) -> np.ndarray:
    """A key for each round, uint64 (ROUNDS,): BLAKE2b of the key as JSON.

    JSON tells 1 from "1" and ("a", "b") from ("ab",), and Python's `hash` differs from process to process.
    """
    encoded = json.dumps(key, separators=(",", ":")).encode("ascii")
    digest = hashlib.blake2b(encoded, digest_size=8 * ROUNDS).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)
