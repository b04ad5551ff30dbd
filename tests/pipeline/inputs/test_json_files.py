"""Reading JSON lines, arrays and objects over several lines, sound and damaged."""

import gzip
import io
import json
from collections.abc import Callable

import pytest
import zstandard

from pipeline.inputs import unpacked
from pipeline.inputs.config import DEFAULT_FIELDS
from pipeline.inputs.json_files import read_json
from pipeline.inputs.record import InputError, Record, Source

LIMIT = 100_000
ROWS = [{"text": f"text {number}", "id": str(number), "metadata": {"list": [{"a": [1]}, '}{"[]\\']}} for number in range(6)]


def records(content: bytes, limit: int = LIMIT) -> list[Record]:
    return list(read_json(io.BytesIO(content), Source("a.json", 0, -1, ""), limit, DEFAULT_FIELDS))


def outline(content: bytes, limit: int = LIMIT) -> list[str]:
    """The text of each record, or its problem."""
    return [record.problem or record.text for record in records(content, limit)]


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


GOOD = lines({"text": "good"})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[" * 5_000, "nested too deeply"),
        (b'{"text": "a", "n": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}", "nested too deeply"),
        (b'{"text": "half \\ud800 of a pair"}', "d800 without the other half"),
        (b'{"text": "a", "meta": {"\\udc00": 1}}', "dc00 without the other half"),
        (b'{"text": "a", "n": ' + b"7" * 5_000 + b"}", "digits"),
        (bytes(100), "NULs alone"),
        (b'{"text": "a\0b"}', "a NUL at byte 11"),
        (b'{"text": "a", "text": "b"}', "'text' has two values"),
        (b'["text"]', "not an object"),
        (b'"text"', "not an object"),
        (b"NaN", "not an object"),
        ('{"text": "春の海を見に行きました"}'.encode("cp932"), "Shift_JIS; convert the file"),
        ('{"text": "春の海を見に行きました"}'.encode("euc_jp"), "EUC-JP; convert the file"),
        ('{"text": "a"}'.encode("utf-16-le"), "UTF-16; convert the file"),
        (b'{"text": "caf\xe9 au lait"}', "byte 0xe9 at 13"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_line_is_one_corrupt_record_that_says_why(line: bytes, reason: str) -> None:
    first, bad, last = records(GOOD + line + b"\n" + GOOD)
    assert (first.text, bad.problem, last.text) == ("good", "corrupt_record", "good")
    assert reason in bad.detail
    assert bad.offset == len(GOOD)


def test_odd_lines_that_are_json_are_read() -> None:
    content = (
        lines({"text": "\U0001f600", "n": 10**400})
        + b'{"text": "a", "b": 1, "b": 1}\r\n'
        + b"\xef\xbb\xbf"[:0]
        + b'{"text": "b"}'
    )
    assert outline(b"\xef\xbb\xbf" + content) == ["\U0001f600", "a", "b"]


@pytest.mark.parametrize("indent", [None, 0, 1, 4])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_an_array_of_objects_is_read_as_json_lines_are(indent: int | None, pack: Callable[[bytes], bytes]) -> None:
    expected = [record._replace(offset=0, length=0) for record in records(lines(*ROWS))]
    found = records(pack(json.dumps(ROWS, indent=indent).encode()))
    assert [record._replace(offset=0, length=0) for record in found] == expected
    assert [record.offset for record in found] == sorted({record.offset for record in found})


def test_objects_over_several_lines_are_read() -> None:
    content = "\n".join(json.dumps(row, indent=2) for row in ROWS).encode()
    assert outline(content) == [f"text {number}" for number in range(6)]
    assert outline(json.dumps(ROWS[0], indent=2).encode()) == ["text 0"]


def test_one_array_per_line_is_no_array_of_objects() -> None:
    assert outline(b'["a"]\n["b"]\n' + GOOD) == ["corrupt_record", "corrupt_record", "good"]


@pytest.mark.parametrize("indent", [0, 2])
@pytest.mark.parametrize("sign", [b"}", b'"', b"{"])
def test_a_missing_sign_costs_one_object_of_an_array(sign: bytes, indent: int) -> None:
    rows = [{"text": f"text {number}", "id": "x"} for number in range(5)]
    content = json.dumps(rows, indent=indent).encode()
    at = content.index(sign, content.index(b"text 1") - (15 if sign == b"{" else 0))
    found = outline(content[:at] + content[at + 1 :])
    assert [text for text in found if text != "corrupt_record"] == ["text 0", "text 2", "text 3", "text 4"]
    assert "corrupt_record" in found


@pytest.mark.parametrize("form", ["lines", "array"])
def test_what_is_longer_than_the_limit_is_flagged_and_not_held(form: str) -> None:
    rows = [{"text": "a"}, {"text": "x" * 400_000}, {"text": "b"}]
    content = lines(*rows) if form == "lines" else json.dumps(rows, indent=1).encode()
    first, long, last = records(content)
    assert (first.text, long.problem, long.text, last.text) == ("a", "oversized_text", "", "b")
    assert long.length > 400_000


def members(count: int) -> list[bytes]:
    return [gzip.compress(lines(*({"text": f"{member} {row}"} for row in range(50)))) for member in range(count)]


def test_reading_goes_on_at_the_next_member_after_damage() -> None:
    first, second, third = members(3)
    found = records(first + second[:60] + b"\xff" * 20 + second[80:] + third)
    texts = [record.text for record in found if not record.problem]
    assert texts[:50] == [f"0 {row}" for row in range(50)]
    assert texts[-50:] == [f"2 {row}" for row in range(50)]
    (damage,) = (record for record in found if "bytes of the file are lost" in record.detail)
    assert damage.problem == "corrupt_record"


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_all_lines_before_the_damage_are_read(pack: Callable[[bytes], bytes]) -> None:
    rows = [json.dumps({"text": f"{number} {hash(str(number))}"}).encode() + b"\n" for number in range(20_000)]
    content = pack(b"".join(rows))
    found = records(content[: len(content) // 2])
    assert len(found) > 5_000
    assert [record.problem for record in found[:-1]] == [""] * (len(found) - 1)
    assert [record.text.split()[0] for record in found[:-1]] == [str(number) for number in range(len(found) - 1)]
    assert "the file ends inside compressed data" in found[-1].detail


def test_bytes_after_the_end_lose_nothing_and_are_said() -> None:
    found = records(gzip.compress(GOOD * 3) + b"trailing bytes")
    assert [record.problem for record in found] == ["", "", "", "corrupt_record"]
    assert "14 bytes of the file are lost" in found[-1].detail


def test_a_wrong_checksum_is_said() -> None:
    content = bytearray(gzip.compress(GOOD * 3))
    content[-6] ^= 1
    assert [record.problem for record in records(bytes(content))] == ["", "", "", "corrupt_record"]


@pytest.mark.parametrize("filler", [b"\n", b"\r\n", b"  \n"])
def test_blank_lines_are_passed_over_within_bounds(filler: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    content = gzip.compress(GOOD + filler * 3_000_000) + gzip.compress(GOOD)
    assert outline(content) == ["good", "good"]
    monkeypatch.setattr(unpacked, "FREE_BYTES", 1 << 20)
    assert outline(content) == ["good", "corrupt_record", "good"]


def test_an_unpackable_file_names_its_packer() -> None:
    with pytest.raises(InputError, match=r"a\.json is packed with bzip2: unpack it"):
        records(b"BZh91AY&SY")


def test_the_first_bytes_decide_whether_a_file_is_packed() -> None:
    assert outline(zstandard.compress(GOOD)) == outline(gzip.compress(GOOD)) == outline(GOOD) == ["good"]
