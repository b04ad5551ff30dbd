"""Files on servers that fail now and then are read to the last byte, or end in a message that says why not."""

import gzip
import io
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.inputs.formats import read_records
from pipeline.inputs.network.opening import open_stream
from pipeline.inputs.record import InputError
from pipeline.inputs.sources import resolve_inputs
from tests.pipeline.inputs.network.web_server import Faults, serving
from tests.pipeline.inputs.warc_files import gzipped, warc_record

# More than the first range, so that several are asked for.
CONTENT = random.Random(1).randbytes(2_500_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.bin").write_bytes(CONTENT)
    return tmp_path


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Faults, id="none"),
        pytest.param(lambda: Faults(cut=100_000), id="cut connections"),
        pytest.param(lambda: Faults(cut=0), id="cut before the first byte"),
        pytest.param(lambda: Faults(hang=700_000), id="hanging"),
        pytest.param(lambda: Faults(refusals=[(503, {"Retry-After": "0"}), (429, {}), (500, {}), (502, {})]), id="busy"),
        pytest.param(lambda: Faults(ranges=False), id="no ranges"),
        pytest.param(lambda: Faults(ranges=False, cut=300_000), id="no ranges, cut"),
        pytest.param(lambda: Faults(ranges=False, length="chunked"), id="chunked"),
        pytest.param(lambda: Faults(ranges=False, length="chunked", cut=300_000), id="chunked, cut"),
        pytest.param(lambda: Faults(length="chunked"), id="chunked ranges"),
        pytest.param(lambda: Faults(headers={"Content-Encoding": "identity"}), id="identity"),
    ],
)
def test_every_byte_is_read_once_whatever_the_server_does(folder: Path, faults: Callable[[], Faults]) -> None:
    with serving(folder, faults()) as server, open_stream(server.url + "a.bin") as stream:
        assert stream.read(100) == CONTENT[:100]
        assert stream.seek(0) == 0
        assert stream.read() == CONTENT
        assert stream.read(10) == b""
        for start in (2_000_000, 5, 1_200_000):
            stream.seek(start)
            assert stream.read(1000) == CONTENT[start : start + 1000]
        assert stream.seek(-4, io.SEEK_END) == len(CONTENT) - 4
        assert stream.read() == CONTENT[-4:]


def test_reading_goes_on_from_the_byte_where_it_broke(folder: Path) -> None:
    with serving(folder, Faults(cut=900_000)) as server, open_stream(server.url + "a.bin") as stream:
        assert stream.read() == CONTENT
        # Whole, without a cut: 1 MiB and the rest. Each cut costs one request more.
        assert server.asked[("GET", "/a.bin")] <= 5


def test_an_empty_file_is_empty(folder: Path) -> None:
    (folder / "b.jsonl").write_bytes(b"")
    with serving(folder) as server, open_stream(server.url + "b.jsonl") as stream:
        assert stream.read() == b""


def test_a_file_that_changes_is_not_read_as_a_mixture(folder: Path) -> None:
    with (
        serving(folder, Faults(version=lambda asked: f'"{asked > 1}"')) as server,
        open_stream(server.url + "a.bin") as stream,
        pytest.raises(InputError, match=r"a\.bin changed on the server.*--refresh"),
    ):
        stream.read()


def test_a_file_that_changed_since_it_was_looked_up_is_told(folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"text": "一つめ"}\n')
    with serving(folder) as server:
        (source,) = resolve_inputs([server.url + "a.jsonl"])
        assert [record.text for record in read_records(source, 1000)] == ["一つめ"]
        server.version = lambda asked: '"2"'
        with pytest.raises(InputError, match="changed on the server"):
            list(read_records(source, 1000))


@pytest.mark.parametrize("label", ["gzip", "x-gzip"])
def test_a_gzip_file_that_the_server_calls_packed_is_unpacked_once(folder: Path, label: str) -> None:
    lines = b"".join(b'{"text": "%d"}\n' % number for number in range(5000))
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    with serving(folder, Faults(headers={"Content-Encoding": label})) as server:
        (source,) = resolve_inputs([server.url + "a.jsonl.gz"])
        assert [record.text for record in read_records(source, 1000)] == [str(number) for number in range(5000)]


def test_a_file_that_the_server_packs_on_its_way_is_unpacked(folder: Path) -> None:
    (folder / "a.jsonl").write_bytes(gzip.compress(b'{"text": "one"}\n{"text": "two"}\n'))
    with serving(folder, Faults(headers={"Content-Encoding": "gzip"})) as server:
        (source,) = resolve_inputs([server.url + "a.jsonl"])
        assert [record.text for record in read_records(source, 1000)] == ["one", "two"]


@pytest.mark.parametrize("ranges", [True, False])
def test_parquet_is_read_from_servers_with_and_without_ranges(folder: Path, ranges: bool) -> None:
    texts = [f"{number} " * 50 for number in range(3000)]
    pq.write_table(pa.table({"text": texts}), folder / "a.parquet", row_group_size=500, compression="none")
    with serving(folder, Faults(ranges=ranges, cut=50_000)) as server:
        (source,) = resolve_inputs([server.url + "a.parquet"])
        assert [record.text for record in read_records(source, 1000)] == texts


def test_a_failure_of_the_network_is_never_a_corrupt_record(folder: Path) -> None:
    (folder / "a.warc.gz").write_bytes(b"".join(gzipped([warc_record(number) for number in range(20)])))
    pq.write_table(pa.table({"text": ["x"] * 100}), folder / "a.parquet")
    (folder / "a.jsonl").write_bytes(b'{"text": "x"}\n' * 1000)
    for name in ("a.warc.gz", "a.parquet", "a.jsonl"):
        with serving(folder) as server:
            (source,) = resolve_inputs([server.url + name])
            server.ranges = False
            server.length = lambda size: size + 10  # and the connection is closed before
            with pytest.raises(InputError, match=rf"{name}: the connection broke .*bytes? .*\(9 tries\)"):
                list(read_records(source, 1000))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "404 not found"),
        (403, "403 forbidden: the server refuses it"),
        (401, "401 unauthorized: it needs a login"),
        (503, r"503 service unavailable: the server asks to slow down.*\(9 tries\)"),
    ],
)
def test_a_refusal_names_the_address_and_the_cause(folder: Path, status: int, words: str) -> None:
    refusing = Faults(refusals=[(status, {})] * 20)
    told = pytest.raises(InputError, match=rf"http://127\.0\.0\.1:\d+/a\.bin: {words}")
    with serving(folder, refusing) as server, open_stream(server.url + "a.bin") as stream, told:
        stream.read()


def test_a_server_that_stays_silent_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.inputs.network.patience.STALL_SECONDS", 0.05)
    monkeypatch.setattr("pipeline.inputs.network.patience.MANY", 2)
    told = pytest.raises(InputError, match=r"/a\.jsonl: no byte came for 0\.05 s \(2 tries\)")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.jsonl"
        with open_stream(url) as stream, told:
            stream.read()


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://127.0.0.1:1/a.jsonl", "connection refused"),
        ("http://no-such-host.invalid/a.jsonl", "host not found"),
        ("http://[::1/a.jsonl", "no valid web address"),
    ],
)
def test_a_server_that_cannot_be_reached_is_told_in_words(url: str, cause: str) -> None:
    with pytest.raises(InputError, match=cause) as told:
        open_stream(url).read(1)
    assert str(told.value).startswith(url)
    with pytest.raises(InputError, match=cause):
        resolve_inputs([url])


def test_a_server_without_tls_is_told(folder: Path) -> None:
    with serving(folder) as server, pytest.raises(InputError, match="no TLS connection"):
        open_stream(server.url.replace("http", "https") + "a.bin").read(1)
