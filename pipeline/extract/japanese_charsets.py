"""Decodes the three Japanese charsets of the legacy Web as browsers do.

Python's own codecs differ from the Web's in what company sites use most: `shift_jis` lacks ① ㈱ 髙, `euc_jp` lacks
NEC's row 13 and IBM's rows, no ISO-2022-JP codec knows either, and they disagree on the wave dash. Here one table
serves all three, so that a JIS code means one character whatever the charset: 0x2141 is U+FF5E (～), 0x215D is U+FF0D
(－), 0x2142 is U+2225 (∥), as in the WHATWG Encoding Standard. (UTF-8 pages keep what was typed, U+301C or U+FF5E.)

The tables are built from Python's codecs: the standard's index jis0208 equals CP932, its index jis0212 equals `euc_jp`
except for 0x2237. Malformed input follows the standard too (https://encoding.spec.whatwg.org/, sections 12.1 to 12.3): one
U+FFFD per error, and an ASCII byte after a stray lead byte survives, so that no tag is lost.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from pipeline.compiled import njit

REPLACEMENT = 0xFFFD
FULL_WIDTH_TILDE = 0xFF5E
ROWS = 94  # rows of a JIS set, and cells of a row
JIS_X_0208, JIS_X_0212, GB_2312, KS_X_1001 = 0, 1, 2, 3
# States of the ISO-2022-JP decoder beyond the four two-byte sets above.
ASCII, ROMAN, KATAKANA = 4, 5, 6


class Reading(NamedTuple):
    """Bytes decoded as one charset: `errors` is the number of U+FFFD written, `cut` whether the last one is a character cut off
    at the end of the bytes."""

    text: str
    errors: int
    cut: bool


@cache
def shift_jis_table() -> np.ndarray:
    """Code points by Shift_JIS pointer, uint16 (11280,), 0 where nothing is assigned.

    The pointer is `(lead index) * 188 + (trail index)`; the first 94 * 94 entries are JIS X 0208 with NEC's and IBM's
    rows, by row and cell. User-defined characters (U+E000 and up) follow.
    """
    table = np.zeros(60 * 188, dtype=np.uint16)
    for pointer in range(len(table)):
        lead, trail = divmod(pointer, 188)
        pair = bytes([lead + (0x81 if lead < 0x1F else 0xC1), trail + (0x40 if trail < 0x3F else 0x41)])
        table[pointer] = _character(pair, "cp932")
    return table


@cache
def two_byte_sets() -> np.ndarray:
    """Code points by set, row and cell, uint16 (4, 94, 94), 0 where nothing is assigned.

    The sets are JIS X 0208 (with the extensions), JIS X 0212, GB 2312 and KS X 1001; the last two occur in
    ISO-2022-JP-2 (RFC 1554).
    """
    tables = np.zeros((4, ROWS, ROWS), dtype=np.uint16)
    tables[JIS_X_0208] = shift_jis_table()[: ROWS * ROWS].reshape(ROWS, ROWS)
    for row in range(ROWS):
        for cell in range(ROWS):
            pair = bytes([0xA1 + row, 0xA1 + cell])
            tables[JIS_X_0212, row, cell] = _character(b"\x8f" + pair, "euc_jp")
            tables[GB_2312, row, cell] = _character(pair, "gb2312")
            tables[KS_X_1001, row, cell] = _character(pair, "euc_kr")
    tables[JIS_X_0212, 0x22 - 0x21, 0x37 - 0x21] = FULL_WIDTH_TILDE  # 0x2237: Python says "~"
    return tables


def _character(encoded: bytes, codec: str) -> int:
    decoded = encoded.decode(codec, "replace")
    return 0 if len(decoded) != 1 or decoded == "\ufffd" else ord(decoded)


@njit
def _decode_shift_jis(body: np.ndarray, table: np.ndarray, out: np.ndarray) -> tuple[int, int, bool]:
    length = 0
    errors = 0
    position = 0
    size = len(body)
    while position < size:
        byte = body[position]
        position += 1
        if byte <= 0x80:
            code = np.uint16(byte)
        elif 0xA1 <= byte <= 0xDF:
            code = np.uint16(0xFF61 - 0xA1 + byte)
        elif byte == 0xA0 or byte > 0xFC:
            code = np.uint16(REPLACEMENT)
            errors += 1
        elif position == size:
            out[length] = REPLACEMENT
            return length + 1, errors + 1, True
        else:
            trail = body[position]
            code = np.uint16(0)
            if 0x40 <= trail <= 0xFC and trail != 0x7F:
                lead_index = byte - (0x81 if byte < 0xA0 else 0xC1)
                code = table[lead_index * 188 + trail - (0x40 if trail < 0x7F else 0x41)]
            if code != 0 or trail >= 0x80:
                position += 1
            if code == 0:
                code = np.uint16(REPLACEMENT)
                errors += 1
        out[length] = code
        length += 1
    return length, errors, False


@njit
def _decode_euc_jp(body: np.ndarray, sets: np.ndarray, out: np.ndarray) -> tuple[int, int, bool]:
    length = 0
    errors = 0
    position = 0
    size = len(body)
    while position < size:
        lead = body[position]
        position += 1
        if lead < 0x80:
            out[length] = lead
            length += 1
            continue
        code = np.uint16(0)
        if lead == 0x8E or lead == 0x8F or 0xA1 <= lead <= 0xFE:
            plane = JIS_X_0208
            if lead == 0x8F and position < size and 0xA1 <= body[position] <= 0xFE:
                plane = JIS_X_0212
                lead = body[position]
                position += 1
            if position == size:
                out[length] = REPLACEMENT
                return length + 1, errors + 1, True
            trail = body[position]
            if lead == 0x8E and 0xA1 <= trail <= 0xDF:
                code = np.uint16(0xFF61 - 0xA1 + trail)
            elif lead >= 0xA1 and 0xA1 <= trail <= 0xFE:
                code = sets[plane, lead - 0xA1, trail - 0xA1]
            if code != 0 or trail >= 0x80:
                position += 1
        if code == 0:
            code = np.uint16(REPLACEMENT)
            errors += 1
        out[length] = code
        length += 1
    return length, errors, False


@njit
def _escape(body: np.ndarray, position: int) -> tuple[int, int]:  # noqa: C901  a state machine reads best in one place
    """The state that the escape at `position` (after ESC) switches to, and its length; (-1, 0) for any other."""
    size = len(body)
    if position + 1 >= size:
        return -1, 0
    first, second = body[position], body[position + 1]
    if first == ord("("):
        if second == ord("B"):
            return ASCII, 2
        if second == ord("J"):
            return ROMAN, 2
        if second == ord("I"):
            return KATAKANA, 2
    elif first == ord("$"):
        if second == ord("@") or second == ord("B"):
            return JIS_X_0208, 2
        if second == ord("A"):
            return GB_2312, 2
        if second == ord("(") and position + 2 < size:
            third = body[position + 2]
            if third == ord("@") or third == ord("B"):
                return JIS_X_0208, 3
            if third == ord("D"):
                return JIS_X_0212, 3
            if third == ord("C"):
                return KS_X_1001, 3
    return -1, 0


@njit
def _state_after(state: int, body: np.ndarray, position: int) -> tuple[int, int]:
    """The state after the control byte at `position`, and how many bytes switch it; 0 if it is none that does."""
    byte = body[position]
    if byte == 0x1B:
        switched, escape_length = _escape(body, position + 1)
        return (switched, 1 + escape_length) if switched >= 0 else (state, 0)
    if byte == 0x0E:  # SO and SI switch to katakana and back (CP50222)
        return KATAKANA, 1
    return (ASCII, 1) if byte == 0x0F else (state, 0)


@njit
def _one_byte(state: int, byte: int) -> int:
    """The code point of a byte that is a character by itself, 0 for none, -1 for the first byte of a pair."""
    if byte == 0x1B:
        return 0
    if byte <= 0x20 or byte == 0x7F:
        return byte
    if byte > 0x7F:
        return 0xFF61 - 0xA1 + byte if 0xA1 <= byte <= 0xDF else 0  # 8-bit half-width katakana (CP50220)
    if state == ASCII:
        return byte
    if state == ROMAN:
        return 0xA5 if byte == 0x5C else 0x203E if byte == 0x7E else byte
    if state == KATAKANA:
        return 0xFF61 - 0x21 + byte if byte <= 0x5F else 0
    return -1


@njit
def _decode_iso_2022_jp(body: np.ndarray, sets: np.ndarray, out: np.ndarray) -> tuple[int, int, bool]:
    length = 0
    errors = 0
    position = 0
    state = ASCII
    while position < len(body):
        byte = body[position]
        if byte in (0x0E, 0x0F, 0x1B):
            state, switching = _state_after(state, body, position)
            position += switching
            if switching:
                continue
        position += 1
        if byte == 0x0A or byte == 0x0D:
            # RFC 1468: a line ends in ASCII. So a page that was cut in the middle of a line loses only that line.
            state = ASCII
        code = _one_byte(state, byte)
        if code < 0:
            if position == len(body):
                out[length] = REPLACEMENT
                return length + 1, errors + 1, True
            code = 0
            trail = body[position]
            if 0x21 <= trail <= 0x7E:
                code = sets[state, byte - 0x21, trail - 0x21]
                position += 1
        if code == 0 and byte != 0:
            code = REPLACEMENT
            errors += 1
        out[length] = code
        length += 1
    return length, errors, False


def read_shift_jis(body: bytes) -> Reading:
    """`body` as Shift_JIS with the extensions of Windows (CP932). Never fails; linear in the bytes."""
    return _read(_decode_shift_jis, body, shift_jis_table())


def read_euc_jp(body: bytes) -> Reading:
    """`body` as EUC-JP with half-width katakana, JIS X 0212, NEC's and IBM's rows. Never fails; linear in the bytes."""
    return _read(_decode_euc_jp, body, two_byte_sets())


def read_iso_2022_jp(body: bytes) -> Reading:
    """`body` as ISO-2022-JP with the sets of its successors -1 and -2, NEC's and IBM's rows, and half-width katakana in
    each of the three forms in use (ESC ( I, SO/SI, 8-bit). Never fails; linear in the bytes.

    The planes of JIS X 0213 (ISO-2022-JP-3 and -2004) are not read: their escapes become U+FFFD, as in browsers.
    """
    return _read(_decode_iso_2022_jp, body, two_byte_sets())


def _read(
    kernel: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[int, int, bool]], body: bytes, table: np.ndarray
) -> Reading:
    out = np.empty(len(body), dtype=np.uint16)
    length, errors, cut = kernel(np.frombuffer(body, dtype=np.uint8), table, out)
    return Reading(out[:length].astype("<u2").tobytes().decode("utf-16-le"), errors, cut)
