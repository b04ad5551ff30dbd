"""MinHash signatures: the share of character 5-grams that two texts have in common, estimated from 400 bytes of each.

A document is the set of its *shingles*: the runs of `shingle` (5) code points of its folded text. Folding is for comparison
only and changes no text that is kept: white space is dropped, and each code point of the Basic Multilingual Plane becomes the
lower case of its NFKC form if that is one code point (so Ａ, ａ and A agree, and ｱ and ア; ㈱ stays as it is, as do all
characters beyond the plane). One table look-up per character replaces a normalisation that would take longer than everything
else here.

The signature follows *Fast Similarity Sketching* (Dahlgaard, Knudsen, Thorup, FOCS 2017). In round i every shingle x
draws from the hash h_i(x) one of the `values` bins and a value for it; a bin keeps the smallest value of the first
round in which any shingle fell into it, and the rounds end when no bin is empty. So for each bin every shingle has
one rank, the same in all documents, and the bin's value belongs to the shingle of lowest rank: two documents agree
there with a probability of exactly their Jaccard similarity, as with `values` permutations, at `n + values
ln(values)` hashes for n shingles instead of `n * values`. The bins of one round share no shingle, so the share of equal bins
varies a little less than that of as many independent permutations.

Only the lowest byte of each value is kept (*b-bit minwise hashing*, Li and König, WWW 2010, b = 8). Unequal values agree in it
by chance once in 256, which `similarity` corrects for. So a document costs 400 bytes instead of 1,600, and ten million fit into
4 GB.

The hashes are 64-bit and depend only on the code points and the constant below: not on numpy's generators, the
process or the machine. (The folding table comes from Python's Unicode data; the stability policies of Unicode fix it
for all characters that are assigned.)
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from functools import cache

import numba
import numpy as np

_SEED = np.uint64(int.from_bytes(hashlib.blake2b(b"kotokura minhash 1", digest_size=8).digest(), "little"))

# The increment and the two multipliers of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014; Vigna, splitmix64.c).
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)

# A bin without a value. A shingle that draws exactly this (once in 2^32) leaves its bin to the next round.
_EMPTY = np.uint32(0xFFFFFFFF)
_PLANE = 0x10000  # code points in the Basic Multilingual Plane
_BLOCK = 4096  # shingles hashed at a time: two arrays of 32 KB stay in the first- and second-level cache
# After this many hashes per bin beyond one pass over the document, distinct shingles leave a bin empty with a probability of
# values * e^-12 (0.25 % for 400). A document that needs more repeats itself, so its repeats are removed first.
_HASHES_A_BIN = 12


def signatures(texts: Sequence[str], *, shingle: int, values: int) -> np.ndarray:
    """MinHash signatures: uint8 (N, values), one row per text.

    A text with fewer than `shingle` code points after folding has no shingle and so no signature: its row is zero, and
    `has_signature` is false for it.
    """
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=offsets[1:])
    # Text by text: joining strings of different widths first takes more than twice as long.
    encoded = b"".join([text.encode("utf-32-le", "surrogatepass") for text in texts])
    return signatures_of_code_points(np.frombuffer(encoded, dtype="<u4"), offsets, shingle=shingle, values=values)


def signatures_of_code_points(code_points: np.ndarray, offsets: np.ndarray, *, shingle: int, values: int) -> np.ndarray:
    """`signatures` of texts that are already code points: uint32 (M,); text i is `code_points[offsets[i]:offsets[i + 1]]`.

    `offsets` is int64 (N + 1,). Callers that have the code points for another purpose save the conversion.
    """
    result = np.zeros((len(offsets) - 1, values), dtype=np.uint8)
    _sketch_all(code_points, offsets, folding_table(), _multipliers(shingle), result)
    return result


def has_signature(signatures: np.ndarray) -> np.ndarray:
    """Which rows of uint8 (N, values) are signatures: bool (N,). A row of zeros means a text without shingles."""
    return np.asarray(signatures.any(axis=1))


def similarity(equal: np.ndarray | int, values: int) -> np.ndarray:
    """The Jaccard similarity, float64, estimated from `equal` equal bytes of two signatures of `values` bytes.

    Unbiased except for the cut at zero: (equal / values - 1/256) / (1 - 1/256).
    """
    return np.maximum(0.0, (np.asarray(equal, dtype=np.float64) / values - 1 / 256) / (1 - 1 / 256))


def least_equal(minimum_similarity: float, values: int) -> int:
    """The smallest number of equal bytes whose `similarity` is at least `minimum_similarity`."""
    return int(np.argmax(similarity(np.arange(values + 1), values) >= minimum_similarity))


@cache
def folding_table() -> np.ndarray:
    """The folded form of each code point of the Basic Multilingual Plane: uint32 (65536,); 0 means dropped (white space)."""
    table = np.arange(_PLANE, dtype=np.uint32)
    for code_point in range(_PLANE):
        folded = unicodedata.normalize("NFKC", chr(code_point)).lower()
        if folded.isspace():
            table[code_point] = 0
        elif len(folded) == 1:
            table[code_point] = ord(folded)
    table.flags.writeable = False
    return table


@cache
def _multipliers(shingle: int) -> np.ndarray:
    """One odd 64-bit multiplier per position in a shingle: uint64 (shingle,)."""
    return np.array([_mix_of(index) | np.uint64(1) for index in range(shingle)], dtype=np.uint64)


@numba.njit(cache=True, nogil=True)
def mix(state: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64: a bijection of 64 bits in which each bit of the input moves all of the output."""
    state = (state ^ (state >> np.uint64(30))) * _MULTIPLIER_1
    state = (state ^ (state >> np.uint64(27))) * _MULTIPLIER_2
    return state ^ (state >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _mix_of(index: int) -> np.uint64:
    """Output number `index` of SplitMix64 with the seed of this module."""
    return mix(_SEED + np.uint64(index + 1) * _GAMMA)


@numba.njit(cache=True, nogil=True)
def _fold(code_points: np.ndarray, table: np.ndarray, folded: np.ndarray) -> int:
    """Write the folded code points to `folded` (at least as long); returns how many there are."""
    count = 0
    for code_point in code_points:
        value = table[code_point] if code_point < _PLANE else code_point
        folded[count] = value
        count += value != 0
    return count


@numba.njit(cache=True, nogil=True)
def _hash_shingles(folded: np.ndarray, multipliers: np.ndarray, hashes: np.ndarray) -> None:
    """Write the 64-bit hash of each shingle to `hashes`: the code points times their multipliers, summed modulo 2^64.

    `folded` must hold `len(hashes) + len(multipliers) - 1` code points. Position by position, so that the loop over
    the shingles runs in vector registers.
    """
    for index in range(len(hashes)):
        hashes[index] = np.uint64(folded[index]) * multipliers[0]
    for position in range(1, len(multipliers)):
        multiplier = multipliers[position]
        for index in range(len(hashes)):
            hashes[index] += np.uint64(folded[index + position]) * multiplier


@numba.njit(cache=True, nogil=True)
def _draw(hashes: np.ndarray, state: np.uint64, closed: np.ndarray, bins: np.ndarray, drawn: np.ndarray) -> None:
    """Draw once for each of the shingles `hashes` (at most `_BLOCK`), and keep the smallest value of each open bin in `bins`.

    Of the 64 bits drawn, the upper half chooses the bin and the lower half is the value. `closed` is all ones for bins
    that were filled in an earlier round, which turns every value for them into `_EMPTY`, greater than what they hold.
    """
    for index in range(len(hashes)):
        drawn[index] = mix(hashes[index] + state)
    for index in range(len(hashes)):
        draw = drawn[index]
        bin_ = ((draw >> np.uint64(32)) * np.uint64(len(bins))) >> np.uint64(32)
        bins[bin_] = min(bins[bin_], np.uint32(draw) | closed[bin_])


@numba.njit(cache=True, nogil=True)
def _close_filled(bins: np.ndarray, closed: np.ndarray) -> int:
    """Set `closed`, as `_draw` reads it, for the bins that hold a value; returns how many hold none."""
    open_bins = 0
    for index in range(len(bins)):
        is_open = bins[index] == _EMPTY
        open_bins += is_open
        closed[index] = np.uint32(0) if is_open else _EMPTY
    return open_bins


@numba.njit(cache=True, nogil=True)
def _sketch(
    folded: np.ndarray,
    count: int,
    multipliers: np.ndarray,
    bins: np.ndarray,
    closed: np.ndarray,
    hashes: np.ndarray,
    drawn: np.ndarray,
) -> None:
    """The value of every bin for the document whose `count` shingles start at the first `count` places of `folded`.

    `hashes` and `drawn` are scratch space of `_BLOCK`. Documents of more shingles are hashed again in each round, so that memory
    does not grow with them; they need one or two rounds.
    """
    shingle = len(multipliers)
    bins[:] = _EMPTY
    closed[:] = 0
    distinct = hashes[:0]  # the distinct hashes, once the document is known to repeat itself
    work = 0
    state = np.uint64(0)
    while True:
        state += _GAMMA
        for start in range(0, count, _BLOCK):
            size = min(_BLOCK, count - start)
            if len(distinct) > 0:
                block = distinct[start : start + size]
            else:
                block = hashes[:size]
                if work == 0 or count > _BLOCK:
                    _hash_shingles(folded[start : start + size + shingle - 1], multipliers, block)
            _draw(block, state, closed, bins, drawn)
        if _close_filled(bins, closed) == 0:
            return
        work += count
        if work > count + _HASHES_A_BIN * len(bins) and len(distinct) == 0:
            every = np.empty(count, dtype=np.uint64)
            _hash_shingles(folded[: count + shingle - 1], multipliers, every)
            distinct = np.unique(every)
            count = len(distinct)


@numba.njit(cache=True, nogil=True)
def _sketch_all(
    code_points: np.ndarray, offsets: np.ndarray, table: np.ndarray, multipliers: np.ndarray, result: np.ndarray
) -> None:
    """Write the signature of each text to its row of `result`; the row of a text without shingles is not written."""
    longest = 0
    for text in range(len(offsets) - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    folded = np.empty(longest, dtype=np.uint32)
    hashes = np.empty(_BLOCK, dtype=np.uint64)
    drawn = np.empty(_BLOCK, dtype=np.uint64)
    bins = np.empty(result.shape[1], dtype=np.uint32)
    closed = np.empty(result.shape[1], dtype=np.uint32)
    for text in range(len(offsets) - 1):
        count = _fold(code_points[offsets[text] : offsets[text + 1]], table, folded) - len(multipliers) + 1
        if count < 1:
            continue
        _sketch(folded, count, multipliers, bins, closed, hashes, drawn)
        for index in range(len(bins)):
            result[text, index] = np.uint8(bins[index] & np.uint32(0xFF))
