"""Many files on servers are looked up at once, and once only."""

from pathlib import Path

import pytest

from pipeline.inputs.formats import read_records
from pipeline.inputs.listing import Listing
from pipeline.inputs.network import patience
from pipeline.inputs.record import InputError
from pipeline.inputs.sources import resolve_inputs
from tests.pipeline.inputs.network.web_server import Faults, serving


def crawl(folder: Path, number: int) -> list[str]:
    names = [f"{each:03}.jsonl" for each in range(number)]
    for name in names:
        (folder / name).write_text('{"text": "x"}\n')
    (folder / "all.paths").write_text("\n".join(["# a crawl", "", *names]))
    return names


def test_files_are_looked_up_many_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STALL_SECONDS", 30.0)
    names = crawl(tmp_path, 128)
    told: list[tuple[int, int]] = []
    # The server answers only when 64 questions are there at once.
    with serving(tmp_path, Faults(at_once=64)) as server:
        sources = resolve_inputs([str(tmp_path / "all.paths")], server.url, looked_up=lambda *numbers: told.append(numbers))
    assert [source.uri for source in sources] == [server.url + name for name in names]
    assert told == [(done, 128) for done in range(129)]


def test_what_is_known_is_not_asked_for_again_even_with_the_server_away(tmp_path: Path) -> None:
    crawl(tmp_path, 5)
    listing = Listing()
    with serving(tmp_path) as server:
        first = resolve_inputs([server.url + "all.paths"], server.url, 4, listing)
    assert resolve_inputs([server.url + "all.paths"], server.url, 4, listing) == first
    assert len(first) == 4
    with pytest.raises(InputError, match="connection refused"):
        resolve_inputs([server.url + "all.paths"], server.url, 5, listing)


def test_a_listed_file_that_is_missing_fails_when_it_is_read_and_a_named_one_at_once(tmp_path: Path) -> None:
    crawl(tmp_path, 3)
    (tmp_path / "001.jsonl").unlink()
    listing = Listing()
    with serving(tmp_path) as server:
        sources = resolve_inputs([server.url + "all.paths"], server.url, listing=listing)
        assert len(sources) == 3
        with pytest.raises(InputError, match=r"/001\.jsonl: 404 not found"):
            list(read_records(sources[1], 1000))
        assert server.url + "001.jsonl" not in listing.files  # it may come
        with pytest.raises(InputError, match=r"/001\.jsonl: 404 not found"):
            resolve_inputs([server.url + "001.jsonl"])
        crawl(tmp_path, 3)
        assert resolve_inputs([server.url + "all.paths"], server.url, listing=listing)[1].identity != sources[1].identity


def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    crawl(tmp_path, 20)
    with serving(tmp_path, Faults(refusals=[(503, {"Retry-After": "0"}), (503, {})])) as server:
        assert len(resolve_inputs([str(tmp_path / "all.paths")], server.url)) == 20


def test_a_server_that_refuses_head_is_asked_by_get(tmp_path: Path) -> None:
    crawl(tmp_path, 1)
    with serving(tmp_path, Faults(refusals=[(405, {})])) as server:
        (source,) = resolve_inputs([server.url + "000.jsonl"])
    assert source.version == '"1"'


def test_a_list_with_relative_names_needs_a_prefix(tmp_path: Path) -> None:
    crawl(tmp_path, 1)
    with serving(tmp_path) as server, pytest.raises(InputError, match=r"'000\.jsonl', which is no URI: set paths_prefix"):
        resolve_inputs([server.url + "all.paths"])


def test_one_address_in_several_spellings_is_one_input(tmp_path: Path) -> None:
    crawl(tmp_path, 1)
    with serving(tmp_path) as server:
        spellings = [server.url, server.url.replace("http", "HTTP")]
        assert len(resolve_inputs([*(f"{each}000.jsonl" for each in spellings), server.url + "000.jsonl#top"])) == 1
        (source,) = resolve_inputs([server.url + "000.jsonl"])
        assert [record.text for record in read_records(source, 1000)] == ["x"]


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("nothere://a/b.jsonl", "no scheme nothere:// is known"),
        ("gs://bucket/a.jsonl", "install gcsfs"),
        ("http://127.0.0.1:1/*.jsonl", "cannot be read: connection refused"),
        ("http://127.0.0.1:1/folder/", "a folder on a web server cannot be listed"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_in_one_line(uri: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as told:
        resolve_inputs([uri])
    assert "\n" not in str(told.value)
