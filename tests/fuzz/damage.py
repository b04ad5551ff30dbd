"""Damages inputs, by a seed, and makes what an adversary would write."""

import gzip
import json
import random
import re
from collections.abc import Callable

import zstandard

from tests.fuzz import valid
from tests.fuzz.valid import Made

_TOKENS = (
    *(
        b"\r\n\r\n",
        b"\n",
        b"\0" * 64,
        b"\xff\xfe",
        b'"',
        b"\\",
        b"{",
        b"[",
        b"}",
        b",",
        b"WARC/1.0\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ),
    *(
        b"Content-Length: 99999999999999999999\r\n",
        b"WARC-Type: response\r\n",
        b"\x1f\x8b\x08\0\0\0\0\0",
        b"\x28\xb5\x2f\xfd",
        b"\\ud800",
    ),
    *(b"<![CDATA[", b"<!--", b"&#1114112;", b"</script", b"\x1b$B", b"PAR1", b"PK\3\4", b"filedesc://"),
)
_NUMBERS = (b"-1", b"+5", b"", b"0", b"9007199254740993", b"9223372036854775808", b"1" * 5000, b"0x10", b"1e400", b"NaN")


def damaged(chance: random.Random, made: Made) -> tuple[bytes, int, int]:
    """The bytes of a damaged input, and the first and last of its pieces that the damage may touch."""
    content = bytearray(b"".join(made.pieces))
    begin = chance.randrange(len(content) + 1)
    end = min(len(content), begin + chance.choice([1, 1, 2, 8, 64, 1000]))
    kind = chance.choice(["flip", "flip", "cut", "delete", "zero", "insert", "token", "number", "repeat"])
    if kind == "flip":
        for at in range(begin, min(end, begin + 8)):
            content[at] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del content[begin:]
        end = sum(map(len, made.pieces))
    elif kind == "delete":
        del content[begin:end]
    elif kind == "zero":
        content[begin:end] = bytes(end - begin)
    elif kind == "insert":
        content[begin:begin] = chance.randbytes(chance.choice([1, 10, 1000]))
    elif kind == "token":
        content[begin:begin] = chance.choice(_TOKENS)
    elif kind == "repeat":
        content[begin:begin] = bytes(content[begin:end]) * chance.choice([1, 3, 100])
    else:
        numbers = list(re.finditer(rb"\d+", content))
        if numbers:
            number = chance.choice(numbers)
            begin, end = number.span()
            content[begin:end] = chance.choice(_NUMBERS)
    return bytes(content), _piece_at(made.pieces, begin), _piece_at(made.pieces, end)


def _piece_at(pieces: list[bytes], at: int) -> int:
    for number, piece in enumerate(pieces):
        at -= len(piece)
        if at < 0:
            return number
    return len(pieces) - 1


def _warc(*bodies: bytes) -> bytes:
    chance = random.Random(0)
    records = []
    for number, body in enumerate(bodies):
        record = valid.warc_piece(chance, f"bomb{number}")
        head = re.sub(rb"(?i)Content-Length: \d+", b"Content-Length: %d" % (len(body) + 44), record.partition(b"HTTP/1.1")[0])
        records.append(head + b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"[:44] + body + b"\r\n\r\n")
    return b"".join(records)


def _page(middle: str) -> bytes:
    return _warc(
        f"<html lang=ja><title>題</title><body><p>{'きょうは海を見に行きました。' * 5}</p>{middle}</body></html>".encode()
    )


def _line(**fields: object) -> bytes:
    return json.dumps({"text": "きょうは海を見に行きました。" * 5, **fields}).encode() + b"\n"


# Suffix and bytes of inputs that nobody damages by chance. Their size is `size`, of the order of a megabyte unpacked and more.
ADVERSARIES: tuple[tuple[str, Callable[[int], bytes]], ...] = (
    (".jsonl.gz", lambda size: gzip.compress(_line() + b"\n" * 64 * size + _line())),
    (".jsonl.gz", lambda size: gzip.compress(_line() + b" " * 64 * size + b"\n" + _line())),
    (".jsonl.zst", lambda size: zstandard.compress(_line() + b"\r\n" * 64 * size + _line())),
    (".jsonl", lambda size: _line() + b"[" * size + b"\n" + b'{"text": ' + b"[" * size + b"\n" + _line()),
    (".jsonl", lambda size: _line() + b'{"text": "a", "n": ' + b"7" * size + b"}\n" + _line()),
    (".jsonl", lambda size: _line() + b'{"text": "' + "あ".encode() * size + b'"}\n' + _line()),
    (
        ".jsonl",
        lambda size: _line() + b'{"text": "\\ud800", "id": "\\udfff"}\n{"text": "a", "text": "b"}\n' + _line(url="\x1b[31m\0"),
    ),
    (".json", lambda size: b"[" + b"[" * size),
    (".json", lambda size: b'[{"text": "' + b"a" * size),
    (".json", lambda size: b"[\n" + b'{"text": "a"\n' * (size // 100)),
    (".csv", lambda size: b"id,text\n" + b'1,"a\n' * (size // 1000)),
    (".csv", lambda size: b"id,text\n" + b'1,"' + b"a" * size + b"\n2,b\n"),
    (".warc.gz", lambda size: gzip.compress(b"WARC/1.0\r\n" + b"a: b\r\n" * size)),
    (".warc.gz", lambda size: gzip.compress(_warc(b"")) + gzip.compress(b"\r\n" * 32 * size) + gzip.compress(_warc(b""))),
    (".warc.gz", lambda size: gzip.compress(_warc(bytes(64 * size))) + gzip.compress(_page(""))),
    (".warc", lambda size: _page("&#" + "9" * size + ";")),
    (".warc", lambda size: _page("<div>" * (size // 10))),
    (".warc", lambda size: _page("<" * size)),
    (".warc", lambda size: _page("<a " + " ".join(f"a{number}=1" for number in range(size // 10)) + ">")),
    (".warc", lambda size: _page("<!--" * (size // 4) + "<script>" + "a" * size)),
    (".warc", lambda size: _page("<table>" * (size // 100) + "&" * size)),
    (".txt.gz", lambda size: gzip.compress(b"a" * 64 * size)),
    (".arc", lambda size: b"http://a/ 1.1.1.1 20100101000000 text/html 5\n" + b"http://a/ " * size),
)
