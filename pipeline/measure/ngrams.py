"""How much a text repeats itself: its character n-grams, counted without a Python object for each.

All positions of a text are sorted by the four letters that begin there (four passes of a counting sort, the last letter
first), so that equal 2-, 3- and 4-grams lie side by side. Only the positions whose 4-gram occurs again can begin a longer
repeated one; in ordinary prose that is less than half, and these are sorted by ten letters: by the ranks of the three
4-grams that span them, which are known by then. Nothing is hashed: no collision can change a number, no text is hostile,
and the time is linear in the text.
"""

from typing import NamedTuple

import numba
import numpy as np

# The n-grams that Rae et al. 2021 (A1.1) judge by the commonest one, and by those that occur more than once.
TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)

_SHORT, _LONG = TOP_SIZES[-1], DUPLICATE_SIZES[-1]
_LETTER_BITS = np.uint64(21)  # Unicode has 0x110000 code points, so the number of a letter has at most as many bits
# Three letters make one word; two words whose exclusive or is below these share their first letter, or first two.
_SHARE_ONE, _SHARE_TWO = np.uint64(1 << 42), np.uint64(1 << 21)
_ONE = np.uint32(1)  # so that sums stay unsigned: compiled code tests every signed index for being negative


class Ngrams(NamedTuple):
    """What the n-grams of T texts show; int64 arrays, the second axis in the order of the sizes."""

    letters: np.ndarray  # (T,) different letters
    top: np.ndarray  # (T, TOP_SIZES) occurrences of the commonest n-gram; 0 where the text is shorter than n
    types: np.ndarray  # (T, DUPLICATE_SIZES) different n-grams
    repeated_types: np.ndarray  # (T, DUPLICATE_SIZES) different n-grams that occur more than once
    repeated_letters: np.ndarray  # (T, DUPLICATE_SIZES) letters inside any occurrence of those, each counted once


def count_ngrams(codes: np.ndarray, bounds: np.ndarray) -> Ngrams:
    """The n-grams of each text, over all its characters, line ends included.

    `codes` are the code points of all texts (uint32), text `t` being `codes[bounds[t]:bounds[t + 1]]` (int64). Memory
    grows with the longest text, by 40 bytes a letter.
    """
    lengths = np.diff(bounds)[:, None]
    # Allocated here since numpy leaves untouched pages of a zeroed array to the operating system; numba writes them all. One
    # for all of Unicode would exceed 4 MiB, from where numpy asks for pages of 2 MiB, which are zeroed whole: 0.8 ms.
    numbers = np.zeros(int(codes.max(initial=0)) + 1, dtype=np.uint32)
    letters, top, shared, runs, repeated_letters = _count_ngrams(codes, bounds, numbers)
    occurrences = np.maximum(lengths - np.array(DUPLICATE_SIZES) + 1, 0)
    # Sorted neighbours that share n letters or more belong to one type, so each of the others begins a new one.
    equal_neighbours = shared[:, ::-1].cumsum(axis=1)[:, ::-1][:, DUPLICATE_SIZES]
    return Ngrams(
        letters=letters,
        top=np.where(lengths >= np.array(TOP_SIZES), top, 0),
        types=occurrences - equal_neighbours,
        repeated_types=runs.cumsum(axis=1)[:, DUPLICATE_SIZES],
        repeated_letters=repeated_letters[:, DUPLICATE_SIZES],
    )


@numba.njit(cache=True, nogil=True)
def _number_letters(
    codes: np.ndarray, numbers: np.ndarray, letters: np.ndarray, frequencies: np.ndarray, known_codes: np.ndarray
) -> np.int64:
    """Number the letters of a text from 1 as they appear, with their frequencies, and zeros behind the end.

    The zero never equals a letter, so that no n-gram reaches beyond the end of the text and equals another. `numbers` (by
    code point) comes zeroed and is left so; `known_codes` is scratch space by number. Returns how many different letters
    there are.
    """
    known = np.uint32(0)
    for index in range(len(codes)):
        number = numbers[codes[index]]
        if number == 0:
            known += _ONE
            number = known
            numbers[codes[index]] = number
            known_codes[number] = codes[index]
            frequencies[number] = 0
        frequencies[number] += _ONE
        letters[index] = number
    for number in range(_ONE, known + _ONE):
        numbers[known_codes[number]] = 0
    letters[len(codes) : len(codes) + _LONG] = 0
    return np.int64(known)


@numba.njit(cache=True, nogil=True)
def _sort(
    keys: np.ndarray, frequencies: np.ndarray, buckets: np.int64, order: np.ndarray, into: np.ndarray, slots: np.ndarray
) -> None:
    """Sort the positions in `order` by `keys[position]`, equal ones as they are; `slots` is scratch space by key."""
    total = np.uint32(0)
    for bucket in range(buckets):
        slots[bucket] = total
        total += frequencies[bucket]
    for index in range(len(order)):
        key = keys[order[index]]
        slot = slots[key]
        slots[key] = slot + _ONE
        into[slot] = order[index]


@numba.njit(cache=True, nogil=True)
def _count_keys(keys: np.ndarray, buckets: np.int64, order: np.ndarray, frequencies: np.ndarray) -> None:
    """How often each key occurs at the positions in `order`."""
    frequencies[:buckets] = 0
    for index in range(len(order)):
        frequencies[keys[order[index]]] += _ONE


@numba.njit(cache=True, nogil=True)
def _count_covered(repeated: np.ndarray, letters: np.ndarray) -> None:
    """Add to `letters[n]` how many letters lie inside any n-gram that occurs again.

    `repeated` holds for each position the longest such n-gram that begins there, and ends with a `_SHORT`. Positions side by
    side where n is reached make one stretch of covered letters, so there is only something to do where the number changes.
    """
    begins = np.zeros(_LONG + 1, dtype=np.int64)
    ends = np.zeros(_LONG + 1, dtype=np.int64)
    before = _SHORT
    for position in range(len(repeated)):
        here = int(repeated[position])
        for n in range(before + 1, here + 1):
            begins[n] = max(position, ends[n])
        for n in range(here + 1, before + 1):
            ends[n] = position - 1 + n
            letters[n] += ends[n] - begins[n]
        before = here


@numba.njit(cache=True, nogil=True)
def _count_ngrams(
    codes: np.ndarray, bounds: np.ndarray, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`count_ngrams`, but instead of types: how many sorted neighbours share n letters, and where runs of n begin and end."""
    texts = len(bounds) - 1
    longest = 0
    for text in range(texts):
        longest = max(longest, bounds[text + 1] - bounds[text])
    letters = np.empty(longest + _LONG, dtype=np.uint32)
    words = np.empty(longest + _LONG, dtype=np.uint64)
    order, other = np.empty(longest + 1, dtype=np.uint32), np.empty(longest + 1, dtype=np.uint32)
    frequencies, slots = np.empty(longest + 1, dtype=np.uint32), np.empty(longest + 1, dtype=np.uint32)
    ranks = np.empty(longest + _LONG, dtype=np.uint32)  # by position: the place of its 4-gram in the order of all
    repeated = np.empty(longest + 1, dtype=np.uint8)  # by position: the longest n-gram there that occurs again, at least 4

    different = np.zeros(texts, dtype=np.int64)
    top = np.ones((texts, len(TOP_SIZES)), dtype=np.int64)
    shared_by_size = np.zeros((texts, _LONG + 2), dtype=np.int64)
    runs = np.zeros((texts, _LONG + 2), dtype=np.int64)
    repeated_letters = np.zeros((texts, _LONG + 2), dtype=np.int64)
    for text in range(texts):
        length = bounds[text + 1] - bounds[text]
        if length == 0:
            continue
        buckets = 1 + _number_letters(codes[bounds[text] : bounds[text + 1]], numbers, letters, frequencies, slots)
        different[text] = buckets - 1
        for index in range(length):
            order[index] = index
            repeated[index] = _SHORT
        for index in range(length + _LONG - 2):
            words[index] = (
                np.uint64(letters[index]) << _LETTER_BITS | np.uint64(letters[index + 1])
            ) << _LETTER_BITS | np.uint64(letters[index + 2])

        # The letters `n` places on are those of the text less the first n, and n zeros.
        frequencies[0] = 0
        for index in range(min(length, _SHORT)):
            frequencies[letters[index]] -= _ONE
            frequencies[0] += _ONE
        for n in range(_SHORT - 1, -1, -1):
            if n < length:
                frequencies[letters[n]] += _ONE
                frequencies[0] -= _ONE
            _sort(letters[n:], frequencies, buckets, order[:length], other, slots)
            order, other = other, order

        # Branches here would be guessed wrong half of the time, hence the arithmetic on ones and zeros.
        members, rank = np.uint32(0), _ONE
        run2, run3, run4 = _ONE, _ONE, _ONE
        top2, top3, top4 = _ONE, _ONE, _ONE
        before = order[0]
        first, second = words[before], words[before + _ONE]
        equal_before = np.uint32(0)
        for index in range(1, length):
            position = order[index]
            first_before, second_before = first, second
            first, second = words[position], words[position + _ONE]
            two, three = np.uint32((first_before ^ first) < _SHARE_TWO), np.uint32(first_before == first)
            # an example of `abcd`: equal in `abc` and in `bcd`
            four = three & np.uint32(second_before == second)
            run2, run3, run4 = run2 * two + _ONE, run3 * three + _ONE, run4 * four + _ONE
            top2, top3, top4 = max(top2, run2), max(top3, run3), max(top4, run4)
            ranks[before] = rank
            rank += _ONE - four
            other[members] = before
            members += equal_before | four
            equal_before = four
            before = position
        ranks[before] = rank
        other[members] = before
        members += equal_before
        top[text, 0], top[text, 1], top[text, 2] = top2, top3, top4
        order, other = other, order

        # Ranks are in the order of the 4-grams, so those of three places order by ten letters.
        ranks[length : length + _LONG] = 0
        for n in (_LONG - _SHORT, _SHORT, 0):
            _count_keys(ranks[n:], np.int64(rank) + 1, order[:members], frequencies)
            _sort(ranks[n:], frequencies, np.int64(rank) + 1, order[:members], other, slots)
            order, other = other, order

        shared_before = 0
        before = order[0]
        middle_before, last_before, rank_before = words[before + np.uint32(4)], words[before + np.uint32(7)], ranks[before]
        for index in range(1, members):
            position = order[index]
            middle, last, rank = words[position + np.uint32(4)], words[position + np.uint32(7)], ranks[position]
            unlike, unlike_last = middle_before ^ middle, last_before ^ last
            shared = (unlike < _SHARE_ONE) + (unlike < _SHARE_TWO) + (unlike == 0)
            shared += (unlike == 0) * ((unlike_last < _SHARE_ONE) + (unlike_last < _SHARE_TWO) + (unlike_last == 0))
            shared = (rank_before == rank) * (_SHORT + shared)
            shared_by_size[text, shared] += 1
            # runs of n-grams begin here for the n above what the one before shared, up to what this one shares
            runs[text, shared_before + 1] += 1
            runs[text, max(shared, shared_before) + 1] -= 1
            repeated[before] = max(shared, shared_before, _SHORT)
            shared_before = shared
            middle_before, last_before, rank_before = middle, last, rank
            before = position
        if members:
            repeated[before] = max(shared_before, _SHORT)

        repeated[length] = _SHORT
        _count_covered(repeated[: length + 1], repeated_letters[text])
    return different, top, shared_by_size, runs, repeated_letters
