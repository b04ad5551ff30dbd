"""How much a text repeats itself: its character n-grams, counted without a Python object for each.

All positions of a text are sorted by the four letters that begin there (four passes of a counting sort, the last letter
first), so that equal 2-, 3- and 4-grams are neighbours. Only a position whose 4-gram occurs again can begin a longer
repeated n-gram. In ordinary prose fewer than half do, and only these are sorted by ten letters, using the ranks of the three
4-grams that span the ten. Nothing is hashed: no collision can change a number, no text is slow on purpose, and the time is
linear in the text.
"""

from typing import NamedTuple

import numba
import numpy as np

# The n-grams that Rae et al. 2021 (A1.1) judge by the commonest one, and by those that occur more than once.
TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)

_SHORT, _LONG = TOP_SIZES[-1], DUPLICATE_SIZES[-1]
_LETTER_BITS = np.uint64(21)  # Unicode has 0x110000 code points, so the number of a letter has at most as many bits
# Three letters are packed into one 64-bit word. If `a ^ b` is below the first (second) bound, a and b share their first letter
# (first two).
_SHARE_ONE, _SHARE_TWO = np.uint64(1 << 42), np.uint64(1 << 21)
_ONE = np.uint32(1)  # so that sums stay unsigned: compiled code tests whether a signed index is negative


class Ngrams(NamedTuple):
    """Counts of the n-grams of T texts; int64 arrays, the second axis in the order of the sizes."""

    letters: np.ndarray  # (T,) different letters
    top: np.ndarray  # (T, TOP_SIZES) occurrences of the commonest n-gram; 0 where the text is shorter than n
    types: np.ndarray  # (T, DUPLICATE_SIZES) different n-grams
    repeated_types: np.ndarray  # (T, DUPLICATE_SIZES) different n-grams that occur more than once
    repeated_letters: np.ndarray  # (T, DUPLICATE_SIZES) letters inside any occurrence of those, each counted once


def count_ngrams(codes: np.ndarray, bounds: np.ndarray) -> Ngrams:
    """Count the n-grams of each text, over all its characters, line ends included.

    `codes` (uint32) holds the code points of all texts; text `t` is `codes[bounds[t]:bounds[t + 1]]` (int64). Memory grows with
    the longest text, by 40 bytes per letter.
    """
    lengths = np.diff(bounds)[:, None]
    # Allocated by numpy, which leaves untouched pages of a zeroed array to the operating system; numba writes them all. It is
    # as long as needed: one for all of Unicode would exceed 4 MiB, from which numpy asks for huge pages, and zeroing these
    # whole takes 0.8 ms.
    numbers = np.zeros(int(codes.max(initial=0)) + 1, dtype=np.uint32)
    counts = _count_ngrams(codes, bounds, numbers)
    occurrences = np.maximum(lengths - np.array(DUPLICATE_SIZES) + 1, 0)
    # Sorted neighbours that share n letters or more belong to one type, so each of the others begins a new one.
    equal_neighbours = counts.shared[:, ::-1].cumsum(axis=1)[:, ::-1][:, DUPLICATE_SIZES]
    return Ngrams(
        letters=counts.letters,
        top=np.where(lengths >= np.array(TOP_SIZES), counts.top, 0),
        types=occurrences - equal_neighbours,
        repeated_types=counts.runs.cumsum(axis=1)[:, DUPLICATE_SIZES],
        repeated_letters=counts.repeated_letters[:, DUPLICATE_SIZES],
    )


class _Counts(NamedTuple):
    """What one pass over the sorted positions of T texts counts; int64 arrays, the second axis by n up to `_LONG + 1`."""

    letters: np.ndarray  # (T,) different letters
    top: np.ndarray  # (T, TOP_SIZES) occurrences of the commonest n-gram, at least 1
    shared: np.ndarray  # pairs of neighbours in the order by ten letters that share exactly n letters
    runs: np.ndarray  # runs of equal n-grams: the sum up to n is how many n-grams occur more than once
    repeated_letters: np.ndarray  # letters inside any n-gram that occurs more than once


class _Room(NamedTuple):
    """Scratch space for the longest text, by position in the text where nothing else is said."""

    letters: np.ndarray  # uint32: the number of each letter, and zeros after the end
    words: np.ndarray  # uint64: the letter and the two after it
    order: np.ndarray  # uint32: positions in the order in which they are sorted
    other: np.ndarray  # uint32: the same, before or after a pass of sorting
    ranks: np.ndarray  # uint32: the rank of the 4-gram that begins there, from 1, and zeros after the end
    repeated: np.ndarray  # uint8: the longest n-gram that begins there and occurs again, `_SHORT` if none is longer
    frequencies: np.ndarray  # uint32, by key of a sort: how often it occurs
    slots: np.ndarray  # uint32, by key of a sort: where the next position with this key goes


@numba.njit(cache=True, nogil=True)
def _count_ngrams(codes: np.ndarray, bounds: np.ndarray, numbers: np.ndarray) -> _Counts:
    """The counts from which `count_ngrams` derives its answer; `numbers` is zero for every code point up to the largest."""
    texts = len(bounds) - 1
    room = _room_for(_longest(bounds))
    counts = _Counts(
        np.zeros(texts, dtype=np.int64),
        np.ones((texts, len(TOP_SIZES)), dtype=np.int64),
        np.zeros((texts, _LONG + 2), dtype=np.int64),
        np.zeros((texts, _LONG + 2), dtype=np.int64),
        np.zeros((texts, _LONG + 2), dtype=np.int64),
    )
    for text in range(texts):
        length = bounds[text + 1] - bounds[text]
        if length == 0:
            continue
        different = _number_letters(codes[bounds[text] : bounds[text + 1]], numbers, room.letters, room.frequencies, room.slots)
        counts.letters[text] = different
        _pack_words(room.letters, room.words[: length + _LONG - 2])
        _sort_by_four_letters(room, length, different + 1)
        members, ranks = _rank_four_letters(room, length, counts.top[text])
        _sort_by_ten_letters(room, length, members, ranks + 1)
        room.repeated[: length + 1] = _SHORT
        _compare_neighbours(room, members, counts.shared[text], counts.runs[text])
        _count_covered(room.repeated[: length + 1], counts.repeated_letters[text])
    return counts


@numba.njit(cache=True, nogil=True)
def _longest(bounds: np.ndarray) -> int:
    """Letters of the longest text."""
    longest = 0
    for text in range(len(bounds) - 1):
        longest = max(longest, bounds[text + 1] - bounds[text])
    return longest


@numba.njit(cache=True, nogil=True)
def _room_for(longest: int) -> _Room:
    """Uninitialised space for texts of up to `longest` letters."""
    return _Room(
        np.empty(longest + _LONG, dtype=np.uint32),
        np.empty(longest + _LONG, dtype=np.uint64),
        np.empty(longest + 1, dtype=np.uint32),
        np.empty(longest + 1, dtype=np.uint32),
        np.empty(longest + _LONG, dtype=np.uint32),
        np.empty(longest + 1, dtype=np.uint8),
        np.empty(longest + 1, dtype=np.uint32),
        np.empty(longest + 1, dtype=np.uint32),
    )


@numba.njit(cache=True, nogil=True)
def _number_letters(
    codes: np.ndarray, numbers: np.ndarray, letters: np.ndarray, frequencies: np.ndarray, known_codes: np.ndarray
) -> np.int64:
    """Number the letters of a text from 1 in the order in which they first appear, and write zeros after the end.

    Zero is no letter's number, so an n-gram that reaches past the end of the text equals no other. `frequencies` is written by
    number. `numbers` (by code point) is zero before and after; `known_codes` is scratch space by number. Returns how many
    different letters there are.
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
def _pack_words(letters: np.ndarray, words: np.ndarray) -> None:
    """Pack each letter and the two after it into one word, so that words are ordered as the three letters are."""
    for index in range(len(words)):
        words[index] = (np.uint64(letters[index]) << _LETTER_BITS | np.uint64(letters[index + 1])) << _LETTER_BITS | np.uint64(
            letters[index + 2]
        )


@numba.njit(cache=True, nogil=True)
def _sort(
    keys: np.ndarray, frequencies: np.ndarray, buckets: np.int64, order: np.ndarray, into: np.ndarray, slots: np.ndarray
) -> None:
    """Write the positions in `order` to `into`, sorted by `keys[position]`; positions with equal keys keep their order.

    `frequencies` holds how often each of the `buckets` keys occurs at these positions; `slots` is scratch space by key.
    """
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
def _sort_by_four_letters(room: _Room, length: int, buckets: np.int64) -> None:
    """Write all positions of a text to `room.order`, sorted by the four letters that begin there.

    A counting sort that keeps the order of equal keys, from the fourth letter to the first. `room.frequencies` must hold the
    frequencies of the text's letters, of which the greatest is `buckets - 1`.
    """
    letters, frequencies = room.letters, room.frequencies
    order, into = room.order[:length], room.other[:length]
    for index in range(length):
        order[index] = index
    # The letters n places further on are those of the text without its first n, and n zeros.
    frequencies[0] = 0
    for index in range(min(length, _SHORT)):
        frequencies[letters[index]] -= _ONE
        frequencies[0] += _ONE
    for n in range(_SHORT - 1, -1, -1):
        if n < length:
            frequencies[letters[n]] += _ONE
            frequencies[0] -= _ONE
        _sort(letters[n:], frequencies, buckets, order, into, room.slots)
        order, into = into, order


@numba.njit(cache=True, nogil=True)
def _rank_four_letters(room: _Room, length: int, top: np.ndarray) -> tuple[np.int64, np.int64]:
    """Rank the 4-grams of a text in the order of `room.order`, and count the commonest 2-, 3- and 4-gram into `top`.

    Writes `room.ranks`, and to `room.other` the positions whose 4-gram occurs again, in the same order. Returns how many those
    are, and how many different 4-grams there are:

        for each position in the order:
            if its 4-gram equals the one before:    both are members, with the same rank
            else:                                   its rank is one higher
            for n in 2, 3, 4:   the run of equal n-grams grows, or begins again at 1;   top[n] = the longest run
    """
    words, order, members, ranks = room.words, room.order, room.other, room.ranks
    # Branches would be mispredicted half of the time, hence the arithmetic on ones and zeros.
    count, rank = np.uint32(0), _ONE
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
        # 4-grams abcd are equal if both abc and bcd are.
        four = three & np.uint32(second_before == second)
        run2, run3, run4 = run2 * two + _ONE, run3 * three + _ONE, run4 * four + _ONE
        top2, top3, top4 = max(top2, run2), max(top3, run3), max(top4, run4)
        ranks[before] = rank
        rank += _ONE - four
        # Written whether it is a member or not: the next one overwrites it unless the count moved on.
        members[count] = before
        count += equal_before | four
        equal_before = four
        before = position
    ranks[before] = rank
    members[count] = before
    count += equal_before
    top[0], top[1], top[2] = top2, top3, top4
    return np.int64(count), np.int64(rank)


@numba.njit(cache=True, nogil=True)
def _sort_by_ten_letters(room: _Room, length: int, members: np.int64, buckets: np.int64) -> None:
    """Sort the first `members` positions of `room.other` by the ten letters that begin there, into `room.order`.

    Ranks are in the order of the 4-grams, so the ranks 0, 4 and 6 places further on order by the ten letters they span.
    The greatest rank is `buckets - 1`.
    """
    ranks = room.ranks
    ranks[length : length + _LONG] = 0
    order, into = room.other[:members], room.order[:members]
    for n in (_LONG - _SHORT, _SHORT, 0):
        _count_keys(ranks[n:], buckets, order, room.frequencies)
        _sort(ranks[n:], room.frequencies, buckets, order, into, room.slots)
        order, into = into, order


@numba.njit(cache=True, nogil=True)
def _compare_neighbours(room: _Room, members: np.int64, shared_counts: np.ndarray, runs: np.ndarray) -> None:
    """Count how many letters neighbours in the order by ten letters share: 0, or 4 up to 10.

    Adds to `shared_counts` and `runs` as `_Counts` says, and raises `room.repeated` of each member:

        for each member in the order:
            shared = letters that it shares with the one before, of the ten
            shared_counts[shared] += 1
            for n above what the one before shared with its own predecessor, up to `shared`:    a run of n-grams begins
            repeated[the one before] = the more of the letters it shares with either neighbour, at least 4
    """
    words, ranks, order, repeated = room.words, room.ranks, room.order, room.repeated
    if members == 0:
        return
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
        shared_counts[shared] += 1
        # `runs` holds differences: one more from the first n of the new runs on, one fewer after the last.
        runs[shared_before + 1] += 1
        runs[max(shared, shared_before) + 1] -= 1
        repeated[before] = max(shared, shared_before, _SHORT)
        shared_before = shared
        middle_before, last_before, rank_before = middle, last, rank
        before = position
    repeated[before] = max(shared_before, _SHORT)


@numba.njit(cache=True, nogil=True)
def _count_covered(repeated: np.ndarray, letters: np.ndarray) -> None:
    """Add to `letters[n]` how many letters are inside an n-gram that occurs again.

    `repeated` holds for each position the longest such n-gram that begins there, and ends with a `_SHORT`. Adjacent positions
    at which n is reached cover one stretch of letters, so there is work only where the number changes.
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
