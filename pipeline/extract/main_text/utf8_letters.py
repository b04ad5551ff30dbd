"""Letters and blanks in texts that are bytes of UTF-8, counted without decoding them.

characters: uint8 (N,); start, end: places in it.
"""

import numpy as np

from pipeline.compiled import njit


@njit(nogil=True)
def letters_in(characters: np.ndarray, start: int, end: int, is_markup: bool) -> int:
    """How many letters UTF-8 holds; in markup, those outside of tags."""
    letters = 0
    is_tag = False
    for position in range(start, end):
        byte = characters[position]
        if is_markup and byte in (0x3C, 0x3E):
            is_tag = byte == 0x3C
        # E2 leads punctuation; EE and EF private and compatibility forms, F0 emoji
        letters += not is_tag and (0x41 <= (byte & 0xDF) <= 0x5A or (0xC3 <= byte < 0xEE and byte != 0xE2))
    return letters


@njit(nogil=True)
def is_blank(characters: np.ndarray, start: int, end: int) -> bool:
    """Whether the bytes from `start` to `end` are white space or control characters of ASCII."""
    position = start
    while position < end and characters[position] <= 0x20:
        position += 1
    return position == end
