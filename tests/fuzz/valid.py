"""Makes valid inputs of every format, by a seed."""

import csv
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

_PARTS = (
    *("朝の市場で", "古い灯台の下で", "川沿いの道を", "図書館の二階から", "雨上がりの庭で"),
    *("静かに歩きながら、", "友だちと話しながら、", "手紙を読み返して、", "遠くの山を見て、"),
    *("去年の夏のことを思い出しました。", "新しい店を見つけました。", "小さな花が咲いているのに気づきました。"),
)


class Made(NamedTuple):
    """An input: its suffix, and its pieces, which are the bytes of the file in order; names[i] is in the text of piece i.

    apart: pieces are read independently, so that damage in one must leave the others readable.
    """

    suffix: str
    pieces: list[bytes]
    names: list[str]
    apart: bool


# How writers spell the names of header fields.
SPELLINGS: tuple[Callable[[str], str], ...] = (str, str, str.lower, str.title)


def text(chance: random.Random, name: str) -> str:
    """A Japanese text of a few sentences with a name that no other text has."""
    sentences = [
        chance.choice(_PARTS[:5]) + chance.choice(_PARTS[5:9]) + chance.choice(_PARTS[9:]) for _ in range(chance.randint(3, 9))
    ]
    return f"{name}という町の話です。" + "".join(sentences)


def page(chance: random.Random, name: str) -> bytes:
    """An HTML page with such a text, in one of the encodings of the Web."""
    encoding, label = chance.choice(
        [("utf-8", "utf-8"), ("cp932", "Shift_JIS"), ("euc_jp", "EUC-JP"), ("iso2022_jp", "ISO-2022-JP")]
    )
    paragraphs = "".join(f"<p>{text(chance, name)}</p>" for _ in range(chance.randint(1, 4)))
    head = f"<!doctype html><html lang=ja><meta charset={label}><title>{name}</title>"
    html = f"{head}<body><article>{paragraphs}</article></body></html>"
    return html.encode(encoding, "replace")


def response(chance: random.Random, name: str) -> bytes:
    """An HTTP response with such a page, with or without a content encoding."""
    body = page(chance, name)
    headers = ["HTTP/1.1 200 OK", "Server: example", "Content-Type: text/html"]
    if chance.random() < 0.3:
        body = gzip.compress(body, mtime=0)
        headers.append("Content-Encoding: gzip")
    if chance.random() < 0.2:
        body = b"".join(
            f"{len(body[at : at + 500]):x}\r\n".encode() + body[at : at + 500] + b"\r\n" for at in range(0, len(body), 500)
        )
        body += b"0\r\n\r\n"
        headers.append("Transfer-Encoding: chunked")
    end = chance.choice(["\r\n", "\r\n", "\n"])
    return (end.join(headers) + end + end).encode() + body


def warc_piece(chance: random.Random, name: str) -> bytes:
    """A WARC record with such a response."""
    block = response(chance, name)
    fields = {
        "WARC-Type": "response",
        "WARC-Record-ID": f"<urn:{name}>",
        "WARC-Date": "2025-01-01T00:00:00Z",
        "WARC-Target-URI": f"https://{name}.example/",
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(block)),
    }
    spell = chance.choice(SPELLINGS)
    lines = ["WARC/1.0", *(f"{spell(key)}: {value}" for key, value in fields.items())]
    end = chance.choice(["\r\n", "\r\n", "\r\n", "\n"])
    return (end.join(lines) + end + end).encode() + block + b"\r\n\r\n"


def arc_piece(chance: random.Random, name: str) -> bytes:
    """An ARC record of version 1 with such a response."""
    block = response(chance, name)
    return f"http://{name}.example/ 10.0.0.1 20100101000000 text/html {len(block)}\n".encode() + block + b"\n"


def json_piece(chance: random.Random, name: str) -> bytes:
    """A line of JSON with such a text."""
    row = {
        "id": name,
        "text": text(chance, name),
        "url": f"https://{name}.example/",
        "metadata": {"score": chance.random(), "n": [1, {}]},
    }
    return json.dumps(row, ensure_ascii=chance.random() < 0.5).encode() + b"\n"


def csv_piece(chance: random.Random, name: str) -> bytes:
    """A row of CSV with such a text, which may have lines."""
    out = io.StringIO()
    csv.writer(out).writerow([name, text(chance, name).replace("。", chance.choice(["。", "。\n"]))])
    return out.getvalue().encode()


def _plain(pieces: list[bytes]) -> list[bytes]:
    return pieces


def _members(pieces: list[bytes]) -> list[bytes]:
    return [gzip.compress(piece, mtime=0) for piece in pieces]


def _frames(pieces: list[bytes]) -> list[bytes]:
    return [zstandard.compress(piece) for piece in pieces]


def _one_member(pieces: list[bytes]) -> list[bytes]:
    return [gzip.compress(b"".join(pieces), mtime=0)]


_PACKERS: dict[str, list[Callable[[list[bytes]], list[bytes]]]] = {
    "": [_plain],
    ".gz": [_members, _one_member],
    ".zst": [_frames],
}


def _names(chance: random.Random) -> list[str]:
    return [f"m{chance.randrange(10**12):012d}" for _ in range(chance.randint(2, 6))]


def _pieces(suffix: str, make: Callable[[random.Random, str], bytes], before: bytes = b"") -> Callable[[random.Random], Made]:
    def made(chance: random.Random) -> Made:
        names = _names(chance)
        packed = chance.choice(list(_PACKERS))
        pack = chance.choice(_PACKERS[packed])
        pieces = [before] * bool(before) + [make(chance, name) for name in names]
        return Made(suffix + packed, pack(pieces), [""] * bool(before) + names, apart=pack is not _one_member)

    return made


def _array(chance: random.Random) -> Made:
    names = _names(chance)
    indent = chance.choice([None, 2])
    rows = [json.loads(json_piece(chance, name)) for name in names]
    content = json.dumps(rows, ensure_ascii=False, indent=indent).encode()
    return Made(".json", [content], names, apart=False)


def _parquet(chance: random.Random) -> Made:
    names = _names(chance)
    out = io.BytesIO()
    table = pa.table(
        {"text": [text(chance, name) for name in names], "id": names, "n": pa.array(range(len(names)), pa.timestamp("ns"))}
    )
    pq.write_table(table, out, row_group_size=chance.randint(1, 3), compression=chance.choice(["snappy", "zstd", "none"]))
    return Made(".parquet", [out.getvalue()], names, apart=False)


def _wacz(chance: random.Random) -> Made:
    names = _names(chance)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as wacz:
        wacz.writestr("datapackage.json", "{}")
        wacz.writestr("archive/data.warc.gz", b"".join(_members([warc_piece(chance, name) for name in names])))
    return Made(".wacz", [out.getvalue()], names, apart=False)


def _text(chance: random.Random) -> Made:
    name = _names(chance)[0]
    return Made(".txt", [text(chance, name).encode(chance.choice(["utf-8", "cp932", "euc_jp"]))], [name], apart=False)


_ARC_HEAD = (
    b"filedesc://a.arc 0.0.0.0 20100101000000 text/plain 76\n"
    b"1 0 Example Capture\nURL IP-address Archive-date Content-type Archive-length\n\n"
)
MAKERS: tuple[Callable[[random.Random], Made], ...] = (
    *[_pieces(".warc", warc_piece)] * 5,
    *[_pieces(".jsonl", json_piece)] * 3,
    _pieces(".arc", arc_piece, _ARC_HEAD),
    _pieces(".csv", csv_piece, b"id,text\r\n"),
    _array,
    *[_parquet] * 2,
    _wacz,
    _text,
)
