"""A keyed shuffle of range(n) in constant memory, in both directions.

The order of training data must be known at any step without the steps before it, for 10^10 windows as for 10, and must be the
same on every machine and with every version of every library. A list of shuffled numbers is too large, and the random streams of
numpy and torch may change between versions. A Feistel network avoids both: it is a bijection with any round function (Luby and
Rackoff, "How to construct pseudorandom permutations from pseudorandom functions", SIAM Journal on Computing 17, 1988), and
running its rounds backwards inverts it. It permutes a power of four; numbers that land outside range(n) pass through it again
until they land inside, which keeps it a bijection (the cycle-walking cipher of Black and Rogaway, "Ciphers with Arbitrary Finite
Domains", CT-RSA 2002).

The function is part of the checkpoint format: changing it changes the order of every resumed run.
"""

import hashlib
import json
from typing import overload

import numpy as np
import numpy.typing as npt

from pipeline.compiled import njit

Key = tuple[str | int, ...]
Numbers = npt.NDArray[np.int64]

# Luby and Rackoff's theorem needs four rounds with ideal round functions; the mixer is not ideal, and two more rounds cost
# little. With six, parity of neighbours, chi-square and unique differences equal those of numpy's shuffle.
ROUNDS = 6

# MurmurHash3's 64-bit finalizer (`fmix64` in Appleby's public-domain MurmurHash3.cpp): each input bit changes each output bit
# with a probability close to one half.
MIX_SHIFT = np.uint64(33)
MIX_FACTORS = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))


class Permutation:
    """A bijection of range(n), 1 <= n <= 2^62, determined by `key`; different keys give unrelated orders. Memory is O(1).

    The network permutes 4^h >= n numbers, where h is the bits of one half, so a number takes fewer than four passes on average.
    Raises ValueError for another n.
    """

    def __init__(self, n: int, key: Key) -> None:
        if not 1 <= n <= 2**62:
            raise ValueError(f"cannot permute {n} numbers; n must be between 1 and 2^62")
        self.n = n
        bits = max(1, ((n - 1).bit_length() + 1) // 2)
        self._half = np.uint64(bits)
        self._mask = np.uint64((1 << bits) - 1)
        self._round_keys = round_keys(key)

    @overload
    def __call__(self, index: int) -> int: ...
    @overload
    def __call__(self, index: Numbers) -> Numbers: ...
    def __call__(self, index: int | Numbers) -> int | Numbers:
        """Return the number at position `index` of the shuffled order: an int, or int64 in the shape of an array.

        Raises IndexError for a position outside range(n).
        """
        return self._walk(index, backwards=False)

    @overload
    def inverse(self, position: int) -> int: ...
    @overload
    def inverse(self, position: Numbers) -> Numbers: ...
    def inverse(self, position: int | Numbers) -> int | Numbers:
        """Return the index with `self(index) == position`; types and errors as of `__call__`."""
        return self._walk(position, backwards=True)

    def _walk(self, given: int | Numbers, backwards: bool) -> int | Numbers:
        numbers = np.asarray(given, dtype=np.int64)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= self.n):
            raise IndexError(f"{numbers.min()} to {numbers.max()} are not all in range({self.n})")
        walked = numbers.astype(np.uint64).reshape(-1)
        _walk(walked, self._round_keys, self._half, self._mask, np.uint64(self.n), backwards)
        if isinstance(given, np.ndarray):
            return walked.astype(np.int64).reshape(given.shape)
        return int(walked[0])


@njit(nogil=True)
def _walk(
    numbers_N: npt.NDArray[np.uint64],
    keys: npt.NDArray[np.uint64],
    half: np.uint64,
    mask: np.uint64,
    limit: np.uint64,
    backwards: bool,
) -> None:
    """Pass each of `numbers_N` through the network, or its inverse, until it is below `limit`. In place."""
    for n in range(len(numbers_N)):
        number = numbers_N[n]
        while True:
            left, right = number >> half, number & mask
            if backwards:
                for key in keys[::-1]:
                    left, right = right ^ (_mixed(left ^ key) & mask), left
            else:
                for key in keys:
                    left, right = right, left ^ (_mixed(right ^ key) & mask)
            number = (left << half) | right
            if number < limit:
                break
        numbers_N[n] = number


@njit(nogil=True)
def _mixed(number: np.uint64) -> np.uint64:
    for factor in MIX_FACTORS:
        number ^= number >> MIX_SHIFT
        number *= factor
    return number ^ (number >> MIX_SHIFT)


def round_keys(key: Key) -> npt.NDArray[np.uint64]:
    """Return one key per round, uint64 (ROUNDS,): BLAKE2b of the key as JSON.

    JSON distinguishes 1 from "1" and ("a", "b") from ("ab",); Python's `hash` differs between processes.
    """
    encoded = json.dumps(key, separators=(",", ":")).encode("ascii")
    digest = hashlib.blake2b(encoded, digest_size=8 * ROUNDS).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)
