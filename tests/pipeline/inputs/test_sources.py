"""Which inputs a manifest names, and the records of inputs that are not WARC."""

import functools
import gzip
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.inputs import sources as inputs
from pipeline.inputs.formats import read_records
from pipeline.inputs.record import InputError, Record, Source
from pipeline.inputs.sources import resolve_inputs
from tests.pipeline.inputs.warc_files import gzipped, warc_record

LIMIT = 2_000


def records(path: Path) -> list[Record]:
    return [record for source in resolve_inputs([str(path)]) for record in read_records(source, LIMIT)]


def lines(*objects: object) -> bytes:
    return b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in objects)


DOCUMENTS = [{"text": "一つめ", "url": "http://a.example/1", "id": "x1"}, {"text": "二つめ", "title": "題", "date": "2024-01-01"}]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_json_lines_are_read_with_their_fields(tmp_path: Path, suffix: str) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(packers[suffix](lines(*DOCUMENTS)))
    first, second = records(path)
    assert (first.kind, first.text, first.url, first.record_id) == ("text", "一つめ", "http://a.example/1", "x1")
    assert (second.text, second.title, second.date, second.url) == ("二つめ", "題", "2024-01-01", "")


@pytest.mark.parametrize("line", [b"{broken", b'{"no": "text"}', b'["a"]', b'{"text": 5}', b"\xff\xfe"])
def test_a_line_that_is_no_document_is_flagged_and_the_others_are_read(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(DOCUMENTS[0]) + line + b"\n\n" + lines(DOCUMENTS[1]))
    assert [record.problem for record in records(path)] == ["", "corrupt_record", ""]


def test_a_line_above_the_limit_is_flagged_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines({"text": "x" * 3 * LIMIT}, DOCUMENTS[1]))
    long, short = records(path)
    assert (long.problem, long.text) == ("oversized_text", "")
    assert short.text == "二つめ"


def test_a_truncated_gzip_file_says_so_after_what_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(lines(*({"text": f"text {number}"} for number in range(2000))))[:-200])
    found = records(path)
    assert len(found) > 10
    assert [record.problem for record in found[:-1]] == [""] * (len(found) - 1)
    assert found[-1].problem == "corrupt_record"


def test_parquet_rows_are_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["一", None, "三"], "url": ["u1", "u2", "u3"], "n": [1, 2, 3]}), tmp_path / "a.parquet")
    found = records(tmp_path / "a.parquet")
    assert [(record.text, record.url, record.problem, record.offset) for record in found] == [
        ("一", "u1", "", 0),
        ("", "u2", "corrupt_record", 1),
        ("三", "u3", "", 2),
    ]


def test_parquet_without_text_names_its_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"article": ["a"], "n": [1]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"no column 'text' or .*; it has article, n; .*--set fields\.text="):
        records(tmp_path / "a.parquet")


def test_a_broken_parquet_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(InputError, match=r"a\.parquet is not a Parquet file"):
        records(tmp_path / "a.parquet")


def test_large_files_are_cut_into_ranges_that_hold_each_record_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"document {number} " + "x" * (number % 50) for number in range(200)]
    (tmp_path / "a.jsonl").write_bytes(lines(*({"text": text} for text in texts)))
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", row_group_size=7)
    (tmp_path / "a.warc.gz").write_bytes(b"".join(gzipped([warc_record(number) for number in range(200)])))
    monkeypatch.setattr(inputs, "SPLIT_BYTES", 997)
    for name in ("a.jsonl", "a.parquet"):
        sources = resolve_inputs([str(tmp_path / name)])
        assert len(sources) > 3
        assert [record.text for source in sources for record in read_records(source, LIMIT)] == texts
    sources = resolve_inputs([str(tmp_path / "a.warc.gz")])
    assert len(sources) > 3
    found = [record for source in sources for record in read_records(source, LIMIT)]
    assert [record.url for record in found] == [f"http://site.example/{number}" for number in range(200)]
    assert [record.offset for record in found] == sorted(record.offset for record in found)


def test_names_are_ordered_and_taken_once_however_they_are_named(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "c.jsonl"):
        (tmp_path / name).write_bytes(lines(DOCUMENTS[0]))
    named = [str(tmp_path / "c.jsonl"), str(tmp_path / "*.jsonl"), str(tmp_path / "." / "a.jsonl")]
    assert [Path(source.uri).name for source in resolve_inputs(named)] == ["a.jsonl", "b.jsonl", "c.jsonl"]


def test_a_changed_file_has_another_identity(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(DOCUMENTS[0]))
    (before,) = resolve_inputs([str(path)])
    path.write_bytes(lines(*DOCUMENTS))
    (after,) = resolve_inputs([str(path)])
    assert before.identity != after.identity


@pytest.mark.parametrize(("name", "message"), [("none.jsonl", "matches no file"), ("*.nothing", "matches no file")])
def test_what_is_not_there_is_said(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_inputs([str(tmp_path / name)])


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(InputError, match=r"a\.docx: unknown format.*\.warc\.gz"):
        resolve_inputs([str(tmp_path / "a.docx")])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    handler = functools.partial(_QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}/"
        running.shutdown()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


def test_a_list_of_paths_is_read_over_http_and_cut_to_its_limit(tmp_path: Path, server: str) -> None:
    for number in range(3):
        (tmp_path / f"{number}.warc.gz").write_bytes(b"".join(gzipped([warc_record(number)])))
    (tmp_path / "warc.paths.gz").write_bytes(gzip.compress(b"2.warc.gz\n0.warc.gz\n1.warc.gz\n"))
    sources = resolve_inputs([server + "warc.paths.gz"], paths_prefix=server, paths_limit=2)
    assert [source.uri for source in sources] == [server + "0.warc.gz", server + "2.warc.gz"]
    found = [record for source in sources for record in read_records(source, LIMIT)]
    assert [record.url for record in found] == ["http://site.example/0", "http://site.example/2"]


def test_a_missing_remote_file_is_said(server: str) -> None:
    with pytest.raises(InputError, match=r"none\.warc\.gz"):
        resolve_inputs([server + "none.warc.gz"])


def test_a_source_is_a_plain_value(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(DOCUMENTS[0]))
    (source,) = resolve_inputs([str(tmp_path / "a.jsonl")])
    assert source == Source(str(tmp_path / "a.jsonl"), 0, -1, source.identity)


def test_one_file_under_two_names_is_read_once(tmp_path: Path) -> None:
    crawl = tmp_path / "crawl.jsonl"
    crawl.write_text("{}\n")
    (tmp_path / "link.jsonl").symlink_to(crawl)
    assert len(resolve_inputs([str(crawl), str(tmp_path / "link.jsonl"), str(crawl)])) == 1
