"""Texts as UTF-16 code units, what compiled passes read, and sets of characters as tables over them.

UTF-16 is the encoding that compiled code scans fastest: a table of all units has 65,536 entries, and most texts have one unit per
character.
"""

from collections.abc import Iterable, Iterator, Sequence

import numba
import numpy as np

UNITS = 0x10000
# Characters per run. From 60,000 to a million, cleaning and the search for personal data together were fastest at 200,000 to
# 300,000, whose units fill half of a second-level cache of 1 MB: shorter runs cost more calls, longer ones more memory.
_RUN = 250_000


def code_units(text: str) -> np.ndarray:
    """UTF-16 code units of `text`, uint16 of shape (units,), read-only; a lone half of a pair is kept."""
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype=np.uint16)


def batch_units(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """UTF-16 code units of N texts, each after a line feed, and one line feed at the end: uint16, read-only.

    Text `t` is `units[bounds[t]:bounds[t + 1] - 1]`; `bounds` is int64 of shape (N + 1,). Since line feeds surround each text, a
    compiled pass may look at neighbours without testing where the text ends.
    """
    encoded = [text.encode("utf-16-le", "surrogatepass") for text in texts]
    lengths = np.array([len(text) // 2 + 1 for text in encoded], dtype=np.int64)
    bounds = np.concatenate([np.ones(1, dtype=np.int64), 1 + np.cumsum(lengths)])
    return np.frombuffer(b"\n\0" + b"\n\0".join([*encoded, b""]), dtype=np.uint16), bounds


def runs_of(texts: Sequence[str]) -> Iterator[slice]:
    """The texts in runs of about as many characters as a compiled pass reads fastest; a longer text is a run of its own."""
    start, size = 0, 0
    for index, text in enumerate(texts):
        if size and size + len(text) > _RUN:
            yield slice(start, index)
            start, size = index, 0
        size += len(text)
    if start < len(texts):
        yield slice(start, len(texts))


def units_in(characters: str) -> np.ndarray:
    """Which UTF-16 code units are among `characters`: bool of shape (65536,)."""
    table = np.zeros(UNITS, dtype=np.bool_)
    table[[ord(character) for character in characters]] = True
    return table


def units_of(ranges: Iterable[tuple[int, int]]) -> np.ndarray:
    """As `units_in`, for ranges of code points, both ends included; code points beyond U+FFFF are left out."""
    table = np.zeros(UNITS, dtype=np.bool_)
    for first, last in ranges:
        table[first : last + 1] = True
    return table


def units_in_bracket(inside: str) -> np.ndarray:
    """As `units_of`, for the inside of a bracket expression of a regular expression, without escapes."""
    table = np.zeros(UNITS, dtype=np.bool_)
    position = 0
    while position < len(inside):
        is_range = inside[position + 1 : position + 2] == "-"
        last = inside[position + 2] if is_range else inside[position]
        table[ord(inside[position]) : ord(last) + 1] = True
        position += 3 if is_range else 1
    return table


@numba.njit(cache=True, nogil=True)
def is_second_half(units: np.ndarray, index: int) -> bool:
    """Whether the unit at `index` is the second half of a pair."""
    return 0xDC00 <= units[index] <= 0xDFFF and 0xD800 <= units[index - 1] <= 0xDBFF
