"""The kernels against Python's codecs where these agree with the Web's, and against a plain restatement of the standard
where bytes are malformed."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.japanese_charsets import Reading, read_euc_jp, read_iso_2022_jp, read_shift_jis

# Where Python's `euc_jp` and ISO-2022-JP codecs name another character than CP932 for the same JIS code.
WEB_MAPPING = str.maketrans("〜−‖¢£¬—", "～－∥￠￡￢―")


def characters(codec: str) -> list[str]:
    """All characters of the basic plane that `codec` can write and read back."""
    found = []
    for code in range(0x10000):
        try:
            if chr(code).encode(codec).decode(codec) == chr(code):
                found.append(chr(code))
        except UnicodeError:
            continue
    return found


CP932 = [character for character in characters("cp932") if character not in "\uf8f0\uf8f1\uf8f2\uf8f3"]
EUC_JP = characters("euc_jp")
ISO_2022_JP = [character for character in characters("iso2022_jp_ext") if character not in "\x0e\x0f\x1b"]


def test_every_character_of_cp932_is_read() -> None:
    text = "".join(CP932)
    assert read_shift_jis(text.encode("cp932")) == (text, 0, False)


def test_every_character_of_euc_jp_is_read_with_the_mapping_of_the_web() -> None:
    text = "".join(EUC_JP)
    # 0x8FA2B7 is "~" to Python and a full-width tilde to the standard.
    assert read_euc_jp(text.encode("euc_jp")) == (text.translate(WEB_MAPPING), 0, False)
    assert read_euc_jp(b"\x8f\xa2\xb7").text == "～"


def test_every_character_of_iso_2022_jp_is_read_with_the_mapping_of_the_web() -> None:
    text = "\n".join(ISO_2022_JP)
    assert read_iso_2022_jp(text.encode("iso2022_jp_ext")) == (text.translate(WEB_MAPPING), 0, False)


@given(st.text(alphabet=st.sampled_from(CP932)))
def test_shift_jis_round_trip(text: str) -> None:
    assert read_shift_jis(text.encode("cp932")) == (text, 0, False)


@given(st.text(alphabet=st.sampled_from(EUC_JP)))
def test_euc_jp_round_trip(text: str) -> None:
    assert read_euc_jp(text.encode("euc_jp")) == (text.translate(WEB_MAPPING), 0, False)


@given(st.text(alphabet=st.sampled_from(ISO_2022_JP)))
def test_iso_2022_jp_round_trip(text: str) -> None:
    assert read_iso_2022_jp(text.encode("iso2022_jp_ext")) == (text.translate(WEB_MAPPING), 0, False)


VENDOR_ROWS = [  # (row and cell as JIS bytes, the character): NEC's row 13, NEC's copy of IBM's rows 89 to 92
    ("2d21", "①"),
    ("2d34", "⑳"),
    ("2d35", "Ⅰ"),
    ("2d6a", "㈱"),
    ("2d6d", "㍾"),
    ("2d5f", "㍻"),
    ("7921", "纊"),
    ("7c62", "髙"),
    ("7975", "﨑"),
    ("7c71", "ⅰ"),
    ("7c7e", "＂"),
]


@pytest.mark.parametrize(("code", "character"), VENDOR_ROWS)
def test_vendor_rows_are_read_in_all_three_charsets(code: str, character: str) -> None:
    jis = bytes.fromhex(code)
    assert read_euc_jp(bytes(byte | 0x80 for byte in jis)).text == character
    assert read_iso_2022_jp(b"\x1b$B" + jis + b"\x1b(B").text == character
    pointer = (jis[0] - 0x21) * 94 + jis[1] - 0x21
    lead, trail = divmod(pointer, 188)
    pair = bytes([lead + (0x81 if lead < 0x1F else 0xC1), trail + (0x40 if trail < 0x3F else 0x41)])
    assert read_shift_jis(pair).text == character


def test_the_wave_dash_is_one_character_in_all_charsets() -> None:
    assert read_shift_jis(b"\x81\x60").text == read_euc_jp(b"\xa1\xc1").text == "～"
    assert read_iso_2022_jp(b"\x1b$B\x21\x41").text == "～"


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (b"\x1b$@\x30\x21\x1b(B", "亜"),
        (b"\x1b$B\x30\x21\x1b(B", "亜"),
        (b"\x1b$(B\x30\x21\x1b(B", "亜"),
        (b"a\x1b$B\x30\x21\x1b(Bb", "a亜b"),
        (b"\x1b$(D\x30\x21\x1b(B", "丂"),
        (b"\x1b(I\x31\x32\x33\x1b(B", "ｱｲｳ"),
        (b"\x0e\x31\x32\x33\x0fabc", "ｱｲｳabc"),
        (b"\xb1\xb2\xb3abc", "ｱｲｳabc"),
        (b"\x1b(J\\~a\x1b(B\\~", "¥‾a\\~"),
        (b"\x1b$A\x30\x21\x1b(B", "啊"),
        (b"\x1b$(C\x30\x21\x1b(B", "가"),
        (b"\x1b$B\x30\x21\n<p>", "亜\n<p>"),  # a line that was never closed
    ],
)
def test_escapes_of_iso_2022_jp(encoded: bytes, text: str) -> None:
    assert read_iso_2022_jp(encoded) == (text, 0, False)


def test_an_unknown_escape_costs_one_replacement_character() -> None:
    assert read_iso_2022_jp(b"a\x1b[31mb") == ("a\ufffd[31mb", 1, False)


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (read_shift_jis, "漢字".encode("cp932")[:-1]),
        (read_euc_jp, "漢字".encode("euc_jp")[:-1]),
        (read_euc_jp, "漢".encode("euc_jp") + b"\x8f\xb0"),
        (read_iso_2022_jp, b"\x1b$B\x34\x41\x3b"),
    ],
)
def test_a_character_cut_at_the_end_is_one_error(read: Callable[[bytes], Reading], body: bytes) -> None:
    assert read(body) == ("漢\ufffd", 1, True)


def test_a_stray_lead_byte_does_not_eat_the_tag_after_it() -> None:
    assert read_shift_jis(b"\x81</p>").text == "\ufffd</p>"
    assert read_euc_jp(b"\xa4</p>").text == "\ufffd</p>"


def shift_jis_restated(body: bytes) -> str:
    """The Shift_JIS decoder of the WHATWG Encoding Standard (section 12.3.1), step by step."""
    out = []
    queue = list(body)
    lead = 0
    while queue:
        byte = queue.pop(0)
        if lead:
            pair, lead = bytes([lead, byte]), 0
            decoded = pair.decode("cp932", "replace") if 0x40 <= byte <= 0xFC and byte != 0x7F else "\ufffd"
            if len(decoded) != 1 or decoded == "\ufffd":
                decoded = "\ufffd"
                if byte < 0x80:
                    queue.insert(0, byte)
            out.append(decoded)
        elif byte <= 0x80 or 0xA1 <= byte <= 0xDF:
            out.append(bytes([byte]).decode("cp932"))
        elif 0x81 <= byte <= 0x9F or 0xE0 <= byte <= 0xFC:
            lead = byte
        else:
            out.append("\ufffd")
    return "".join(out) + "\ufffd" * bool(lead)


def euc_jp_restated(body: bytes) -> str:
    """The EUC-JP decoder of the WHATWG Encoding Standard (section 12.1.1), step by step."""
    out = []
    queue = list(body)
    lead = 0
    plane_2 = False
    while queue:
        byte = queue.pop(0)
        if lead == 0x8E and 0xA1 <= byte <= 0xDF:
            out.append(chr(0xFF61 - 0xA1 + byte))
            lead = 0
        elif lead == 0x8F and 0xA1 <= byte <= 0xFE:
            plane_2, lead = True, byte
        elif lead:
            decoded = "\ufffd"
            if lead >= 0xA1 and 0xA1 <= byte <= 0xFE:
                if plane_2:
                    decoded = bytes([0x8F, lead, byte]).decode("euc_jp", "replace").replace("~", "～")
                else:
                    pointer = (lead - 0xA1) * 94 + byte - 0xA1
                    first, second = divmod(pointer, 188)
                    pair = [first + (0x81 if first < 0x1F else 0xC1), second + (0x40 if second < 0x3F else 0x41)]
                    decoded = bytes(pair).decode("cp932", "replace")
            if len(decoded) != 1:
                decoded = "\ufffd"
            if decoded == "\ufffd" and byte < 0x80:
                queue.insert(0, byte)
            out.append(decoded)
            lead, plane_2 = 0, False
        elif byte < 0x80:
            out.append(chr(byte))
        elif byte in (0x8E, 0x8F) or 0xA1 <= byte <= 0xFE:
            lead = byte
        else:
            out.append("\ufffd")
    return "".join(out) + "\ufffd" * bool(lead)


def iso_2022_jp_restated(body: bytes) -> str:
    """The ISO-2022-JP decoder that `read_iso_2022_jp` describes, by one regular expression per state."""
    escapes = {b"(B": "ascii", b"(J": "roman", b"(I": "katakana", b"$@": "208", b"$B": "208", b"$A": "gb2312"}
    escapes |= {b"$(@": "208", b"$(B": "208", b"$(D": "212", b"$(C": "ksx1001"}
    switches = {b"\x1b" + escape: state for escape, state in escapes.items()} | {b"\x0e": "katakana", b"\x0f": "ascii"}
    out, state = "", "ascii"
    while body:
        switch = next((one for one in switches if body.startswith(one)), b"")
        if switch:
            state, body = switches[switch], body[len(switch) :]
            continue
        byte, body = body[:1], body[1:]
        if byte in b"\r\n":
            state = "ascii"
        if byte != b"\x1b" and (byte <= b" " or byte == b"\x7f"):
            out += byte.decode()
        elif b"\xa1" <= byte <= b"\xdf":
            out += byte.decode("cp932")
        elif byte == b"\x1b" or byte > b"\x7f" or (state == "katakana" and byte > b"\x5f"):
            out += "\ufffd"
        elif state in ("ascii", "roman"):
            out += byte.decode() if state == "ascii" else {b"\\": "¥", b"~": "‾"}.get(byte, byte.decode())
        elif state == "katakana":
            out += bytes([byte[0] | 0x80]).decode("cp932")
        elif re.match(rb"[!-~]", body):
            out += jis_restated(state, byte[0], body[0])
            body = body[1:]
        else:
            out += "\ufffd"
    return out


def jis_restated(state: str, row: int, cell: int) -> str:
    """The character of a two-byte set by Python's codecs."""
    pair = bytes([row | 0x80, cell | 0x80])
    if state == "208":
        lead, trail = divmod((row - 0x21) * 94 + cell - 0x21, 188)
        pair = bytes([lead + (0x81 if lead < 0x1F else 0xC1), trail + (0x40 if trail < 0x3F else 0x41)])
        decoded = pair.decode("cp932", "replace")
    elif state == "212":
        decoded = (b"\x8f" + pair).decode("euc_jp", "replace").replace("~", "～")
    else:
        decoded = pair.decode("gb2312" if state == "gb2312" else "euc_kr", "replace")
    return decoded if len(decoded) == 1 else "\ufffd"


HOSTILE = b"<a@\x7f\x80\x81\x82\x8e\x8f\x9f\xa0\xa1\xa4\xad\xdf\xe0\xf0\xf9\xfc\xfd\xfe\xff"
MALFORMED = st.binary() | st.lists(st.sampled_from(HOSTILE)).map(bytes)
ESCAPES = st.sampled_from(
    [b"\x1b" + escape for escape in (b"$B", b"$@", b"$A", b"$(C", b"$(D", b"(B", b"(I", b"(J", b"", b"[", b"$(", b"$(Z")]
    + [b"0!", b"a", b"\\", b"~", b"\n", b"\x0e", b"\x0f", b"\0", b"\xb1", b"\xe0", b"\x7f", b"-j", b"!A"]
)


@given(MALFORMED)
def test_malformed_shift_jis_is_read_as_the_standard_says(body: bytes) -> None:
    reading = read_shift_jis(body)
    assert reading.text == shift_jis_restated(body)
    assert reading.errors == reading.text.count("\ufffd")


@given(MALFORMED)
def test_malformed_euc_jp_is_read_as_the_standard_says(body: bytes) -> None:
    reading = read_euc_jp(body)
    assert reading.text == euc_jp_restated(body)
    assert reading.errors == reading.text.count("\ufffd")


@given(st.binary() | st.lists(ESCAPES).map(b"".join))
def test_any_bytes_are_read_as_the_restatement_of_iso_2022_jp_reads_them_without_surrogates(body: bytes) -> None:
    reading = read_iso_2022_jp(body)
    assert reading.text == iso_2022_jp_restated(body)
    assert reading.errors == reading.text.count("\ufffd")
    reading.text.encode("utf-8")
