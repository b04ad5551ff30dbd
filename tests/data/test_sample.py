"""The bundled sample: it can be rebuilt, reads back as it was packed, and expects of each record something that exists."""

import csv
import gzip
import importlib
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
from fastwarc.warc import ArchiveIterator

from pipeline.clean.config import STEPS
from pipeline.dedup import config as dedup_config
from pipeline.extract import config as extract_config
from pipeline.hosts import config as hosts_config
from pipeline.pii.config import KIND_NAMES
from pipeline.quality import config as quality

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
FILES = sorted(SAMPLE.glob("sample-*.warc.gz"))


@pytest.fixture(scope="module")
def expected() -> list[dict[str, str]]:
    with (SAMPLE / "expected.tsv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.fixture
def sites(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module `sites` beside the script, which is not in the installed packages."""
    monkeypatch.syspath_prepend(SAMPLE)
    return importlib.import_module("sites")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return _build(tmp_path_factory.mktemp("built"))


def _build(output: Path) -> dict[str, bytes]:
    subprocess.run([sys.executable, SAMPLE / "build.py", "--output", output], check=True)
    return {path.name: path.read_bytes() for path in sorted(output.iterdir())}


def test_two_builds_give_the_same_bytes(built: dict[str, bytes], tmp_path: Path) -> None:
    assert _build(tmp_path) == built


def test_the_committed_files_are_what_the_pages_give(built: dict[str, bytes]) -> None:
    assert set(built) == {path.name for path in FILES} | {"expected.tsv"}
    for name, content in built.items():
        committed = (SAMPLE / name).read_bytes()
        # Compared unpacked, since another version of the compressor may pack the same records into other bytes.
        unpack = gzip.decompress if name.endswith(".gz") else bytes
        assert unpack(content) == unpack(committed), f"{name} is stale; run python data/sample/build.py"


def test_every_record_reads_back_with_the_digests_it_was_written_with(expected: list[dict[str, str]]) -> None:
    read = []
    for path in FILES:
        for record in ArchiveIterator(str(path), parse_http=False):
            assert record.verify_block_digest(), record.record_id
            url = record.headers.get("WARC-Target-URI") or ""
            read.append((path.name, record.record_id, str(record.record_type), url))
    assert read == [(row["file"], row["record_id"], row["type"], row["url"]) for row in expected]


def test_the_sample_is_as_large_and_varied_as_promised(expected: list[dict[str, str]]) -> None:
    assert sum(path.stat().st_size for path in FILES) < 1_000_000
    pages = {row["url"] for row in expected if row["type"] == "response"}
    hosts = {urlsplit(url).hostname or "" for url in pages}
    assert len(pages) >= 150
    assert len(hosts) >= 12
    assert all(host.endswith(".example") for host in hosts)
    assert sum(row["stage"] == "kept" for row in expected) >= 100


def test_a_record_id_is_repeated_only_by_the_same_record_read_again(expected: list[dict[str, str]]) -> None:
    counts = Counter(row["record_id"] for row in expected)
    again = [row["record_id"] for row in expected if row["rule"] == "same_record"]
    assert again
    assert {record_id for record_id, count in counts.items() if count > 1} == set(again)


def test_every_expectation_names_a_rule_of_its_stage_that_exists(expected: list[dict[str, str]]) -> None:
    rules = {
        "extract": {rule.name for rule in extract_config.RULES},
        "quality": {rule.name for rule in quality.rules_of(quality.QualityConfig())},
        "dedup": {rule.name for rule in dedup_config.rules_of(dedup_config.DedupConfig())},
        "hosts": {rule.name for rule in hosts_config.rules_of(hosts_config.HostsConfig())},
        "kept": {""},
    }
    for row in expected:
        assert {row["rule"], *filter(None, row["also"].split(","))} <= rules[row["stage"]], row["url"]
        assert set(filter(None, row["edits"].split(","))) <= set(STEPS), row["url"]


def test_every_quality_rule_is_the_first_to_drop_some_page(expected: list[dict[str, str]]) -> None:
    tripped = {row["rule"] for row in expected if row["stage"] == "quality"}
    assert tripped == {rule.name for rule in quality.rules_of(quality.QualityConfig())}


def test_every_kind_of_personal_data_stands_on_some_page(expected: list[dict[str, str]]) -> None:
    kinds = {item.partition("=")[0] for row in expected for item in row["personal_data"].split(",") if item}
    assert kinds == set(KIND_NAMES)


def test_duplicates_share_nearly_all_5_grams_with_the_page_that_is_kept(sites: ModuleType) -> None:
    captures = sites.read_captures()
    kept = {capture.url: capture for capture in captures if capture.page.expect.stage == "kept"}
    dropped = [capture for capture in captures if capture.page.expect.stage == "dedup"]
    assert len(dropped) >= 6
    for capture in dropped:
        survivor = kept[capture.page.expect.survivor]
        assert survivor.page.date > capture.page.date, "the newest is to survive"
        assert _similarity(capture.page.body, survivor.page.body) > 0.95, capture.url


def test_pages_that_are_kept_are_not_alike(sites: ModuleType) -> None:
    kept = [capture for capture in sites.read_captures() if capture.page.expect.stage == "kept"]
    shingles = [_shingles(capture.page.body) for capture in kept]
    for index, capture in enumerate(kept):
        for other in range(index):
            shared = len(shingles[index] & shingles[other])
            # Up to half of one page may occur in another; a near-duplicate shares much more.
            assert shared < 0.6 * min(len(shingles[index]), len(shingles[other])), (capture.url, kept[other].url)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("pages: [{path: /a, date: 2024-01-01T00:00:00Z, titel: x}]", "titel"),
        ("pages: [{path: a, date: 2024-01-01T00:00:00Z}]", "path"),
        ("pages: [{path: /a, date: 2024-01-01T00:00:00Z, copy_of: 'https://b.example/'}]", "no page of the sample"),
        ("pages: [{path: /a, date: 2024-01-01T00:00:00Z}, {path: /a, date: 2024-01-01T00:00:00Z}]", "one date"),
        ("pages: [{path: /a, date: 2024-01-01T00:00:00Z}]\nhost: b.example", "must be called b.example.yaml"),
        ("pages: [{path: /a, date: 2024-01-01T00:00:00Z}]\nhost: a.jp", "host"),
        ("pages: {", "line"),
    ],
)
def test_a_page_written_wrongly_is_an_error_that_says_where(sites: ModuleType, tmp_path: Path, fault: str, message: str) -> None:
    site = "site: A\ntemplate: blog\nnavigation: [a, b]\nsidebar: [a]\nfooter: [a]\n"
    host = "" if "host:" in fault else "host: a.example\n"
    (tmp_path / "a.example.yaml").write_text(f"{host}{site}{fault}\n", encoding="utf-8")
    with pytest.raises(sites.SampleError, match=message) as caught:
        sites.read_captures(tmp_path)
    assert "a.example" in str(caught.value)


def _shingles(text: str) -> set[str]:
    return {text[start : start + 5] for start in range(len(text) - 4)}


def _similarity(text: str, other: str) -> float:
    shingles, others = _shingles(text), _shingles(other)
    return len(shingles & others) / len(shingles | others)
