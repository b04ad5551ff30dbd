"""Take-down: named pages leave the shards and stay away, everything else keeps its bytes, and the ledger knows why."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.views import read_ledger
from pipeline.engine.runner import Listener
from pipeline.operations.run import RunError, locked, run
from pipeline.operations.takedown import RemovalError, affected, apply, read_request
from pipeline.removals.log import Entry, Place, add_to_log, in_force, of_entries, read_entries
from pipeline.tokens.dataset import TokenDataset
from tests.conftest import sample_manifest


class Taken(NamedTuple):
    """A corpus from which one page was taken down, and what it was before."""

    root: Path
    doc_id: str
    doc_ids: set[str]
    shards: dict[str, tuple[int, int]]
    touched: set[str]


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    """A copy of the sample's corpus that a test may change."""
    return copy_of(corpus, tmp_path / "copy")


@pytest.fixture(scope="module")
def taken(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """A copy without a page that other pages repeat; tests must not change it."""
    root = copy_of(corpus, tmp_path_factory.mktemp("taken") / "copy")
    query = """
        SELECT f.url, f.doc_id FROM duplicates d JOIN fates f ON f.doc_id = d.survivor_id
        WHERE d.doc_id <> d.survivor_id AND f.kept ORDER BY 1 LIMIT 1
    """
    ((url, doc_id),) = rows(root, query)
    with read_ledger(root) as ledger:
        touched = set(affected(ledger, [Entry("url", str(url))]).shards)
    before = Taken(root, str(doc_id), doc_ids_in_shards(root), shard_states(root), touched)
    take_down(root, Entry("url", str(url)))
    return before


def copy_of(corpus: Path, target: Path) -> Path:
    """A copy that one worker rebuilds: a second takes longer to start than the few units take."""
    shutil.copytree(corpus, target)
    resolved = (target / "manifest.yaml").read_text(encoding="utf-8")
    (target / "manifest.yaml").write_text(resolved.replace("workers: 2", "workers: 1"), encoding="utf-8")
    return target


def rows(root: Path, query: str) -> list[tuple[object, ...]]:
    with read_ledger(root) as ledger:
        return ledger.rows(query)


def doc_ids_in_shards(root: Path) -> set[str]:
    dataset = TokenDataset.open(root / "tokens")
    return {str(doc_id) for split in dataset.splits for shard in dataset.split(split).shards for doc_id in shard.doc_ids}


def shard_states(root: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of each shard: a file written anew has others."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (root / "tokens").glob("*.arrow")}


def kept_page(root: Path) -> tuple[str, str, str]:
    """(doc_id, url, host) of a page in the shards."""
    query = "SELECT doc_id, f.url, d.host FROM fates f JOIN documents d USING (part, doc_id) WHERE f.kept ORDER BY doc_id LIMIT 1"
    doc_id, url, host = rows(root, query)[0]
    return str(doc_id), str(url), str(host)


def take_down(root: Path, *entries: Entry) -> str | None:
    return apply(root, entries, "remove", "asked by its author", "a tester", Listener()).fingerprint


def test_a_page_taken_down_leaves_the_shards_by_a_rule_like_any_other(taken: Taken) -> None:
    assert rows(taken.root, f"SELECT stage, kept, rule, value, threshold FROM fates WHERE doc_id = '{taken.doc_id}'") == [
        ("removals", False, "taken_down", 1.0, 0.0)
    ]
    counted = rows(taken.root, "SELECT docs_in - docs_out FROM stage_counts WHERE stage = 'removals'")
    assert counted == [(1,)] == rows(taken.root, "SELECT docs FROM rule_counts WHERE rule = 'taken_down'")
    dataset = TokenDataset.open(taken.root / "tokens")
    tokens = rows(taken.root, "SELECT tokens_out FROM stage_counts WHERE stage = 'tokenize'")
    assert tokens == [(sum(dataset.split(split).tokens for split in dataset.splits),)]


def test_near_duplicates_of_the_page_do_not_come_back_in_its_place(taken: Taken) -> None:
    assert doc_ids_in_shards(taken.root) == taken.doc_ids - {taken.doc_id}


def test_only_the_shard_that_held_the_page_is_written_anew(taken: Taken) -> None:
    after = shard_states(taken.root)
    assert len(after) == len(taken.shards) > 2
    assert len(taken.touched) == 1
    assert {name for name, state in after.items() if taken.shards.get(name) == state} == taken.shards.keys() - taken.touched


def test_a_host_goes_with_all_below_it_and_a_host_that_ends_alike_stays() -> None:
    asked = of_entries([Entry("host", "example.jp")])
    hosts = ["example.jp", "www.example.jp", "anexample.jp", None]
    assert asked.match(Place("d", "u", host, "i") for host in hosts).tolist() == [True, True, False, False]


def test_a_page_is_named_by_any_of_its_names() -> None:
    page = Place("d" * 32, "https://a.jp/", "a.jp", "i-1")
    for entry in (Entry("url", "https://a.jp/"), Entry("host", "a.jp"), Entry("id", "i-1"), Entry("doc", "d" * 32)):
        assert of_entries([entry]).match([page, Place("e" * 32, "", "", "")]).tolist() == [True, False]


def test_taking_a_removal_back_gives_the_same_bytes_as_before(copy: Path) -> None:
    before = TokenDataset.open(copy / "tokens").fingerprint
    _, url, _ = kept_page(copy)
    assert take_down(copy, Entry("url", url)) not in (before, None)
    assert apply(copy, [Entry("url", url)], "restore", "asked by mistake", "a tester", Listener()).fingerprint == before
    asked = rows(copy, "SELECT action, reason, who FROM removals ORDER BY requested")
    assert asked == [("remove", "asked by its author", "a tester"), ("restore", "asked by mistake", "a tester")]


def test_a_shard_of_which_all_pages_go_is_left_out(copy: Path) -> None:
    shards = "SELECT file, first_doc_id, last_doc_id FROM token_shards ORDER BY documents, file LIMIT 1"
    ((file, first, last),) = rows(copy, shards)
    with read_ledger(copy) as ledger:
        inside = [
            str(url)
            for doc_id, url in ledger.rows("SELECT doc_id, url FROM fates WHERE kept")
            if str(first) <= str(doc_id) <= str(last)
        ]
    before = doc_ids_in_shards(copy)
    take_down(copy, *(Entry("url", url) for url in inside))
    assert len(doc_ids_in_shards(copy)) == len(before) - len(inside)
    assert str(file) not in shard_states(copy)
    assert run(sample_manifest(copy, workers=1), Listener()).done == 0


def test_after_a_kill_between_request_and_shards_the_next_run_honours_it_under_other_thresholds_too(copy: Path) -> None:
    doc_id, url, _ = kept_page(copy)
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom pipeline.operations import takedown\n"
        "from pipeline.removals.log import Entry\nfrom pipeline.engine.runner import Listener\n"
        "takedown.rerun_removals = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "takedown.apply(Path(sys.argv[1]), [Entry('url', sys.argv[2])], 'remove', 'r', 'w', Listener())\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(copy), url])
    assert ended.returncode == -signal.SIGKILL
    assert doc_id in doc_ids_in_shards(copy)
    run(sample_manifest(copy, "quality.num_letters.min=300", workers=1), Listener())
    assert doc_id not in doc_ids_in_shards(copy)
    assert rows(copy, "SELECT docs FROM rule_counts WHERE rule = 'taken_down'") == [(1,)]


def test_the_same_request_twice_is_one_request(tmp_path: Path) -> None:
    entries = [Entry("url", "https://a.jp/"), Entry("host", "b.jp")]
    assert add_to_log(tmp_path, entries, "remove", "r", "w") == 2
    assert add_to_log(tmp_path, entries, "remove", "again", "w") == 0
    assert pq.read_table(tmp_path / "removals.parquet").num_rows == 2
    assert add_to_log(tmp_path, entries[:1], "restore", "r", "w") == 1
    assert (in_force(tmp_path).urls, set(in_force(tmp_path).hosts.hosts)) == (frozenset(), {"b.jp"})
    assert add_to_log(tmp_path, entries[:1], "restore", "r", "w") == 0


def test_entries_are_lines_without_comments_and_hosts_are_in_normal_form(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("\ufeff# by letter\n\nhttps://a.jp/#top\nhttps://a.jp/#top\n", encoding="utf-8")
    assert read_entries(path, "url") == [Entry("url", "https://a.jp/#top")]
    path.write_text("WWW.例え.JP.\n", encoding="utf-8")
    assert read_entries(path, "host") == [Entry("host", "www.xn--r8jz45g.jp")]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), ("# nothing\n", "names nothing"), ("https://a.jp/x\n", "is no host")],
    ids=["missing", "empty", "address"],
)
def test_a_file_that_names_no_host_is_one_line(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "hosts"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RemovalError, match=message):
        read_request({"hosts": path, "urls": None, "url": ()})
    with pytest.raises(RemovalError, match="--urls"):
        read_request({"hosts": None, "url": ()})


def test_files_and_single_names_are_one_request(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("# mine\n\nx 1\nx 1\n", encoding="utf-8")
    asked = read_request({"ids": tmp_path / "ids", "url": ("https://a.jp/",), "host": ("WWW.a.jp",), "doc": ("0" * 32,)})
    assert asked == [Entry("url", "https://a.jp/"), Entry("host", "www.a.jp"), Entry("id", "x 1"), Entry("doc", "0" * 32)]
    with pytest.raises(RemovalError, match=r"is no doc_id, .*--ids"):
        read_request({"doc": ("x 1",)})
    with pytest.raises(RemovalError, match="--url NAME takes a single address"):
        read_request({"urls": Path("https://a.jp/")})


def test_a_log_of_an_earlier_version_takes_copies_down_too(tmp_path: Path) -> None:
    add_to_log(tmp_path, [Entry("host", "b.jp")], "remove", "r", "w")
    path = tmp_path / "removals.parquet"
    pq.write_table(pq.read_table(path).drop_columns("copies"), path)
    assert in_force(tmp_path, with_copies=True).hosts.hosts
    assert add_to_log(tmp_path, [Entry("host", "b.jp")], "remove", "r", "w") == 0
    assert add_to_log(tmp_path, [Entry("host", "b.jp")], "remove", "r", "w", copies=False) == 1
    assert not in_force(tmp_path, with_copies=True)
    assert in_force(tmp_path)


def test_an_entry_without_a_page_names_the_nearest_and_a_dry_run_changes_nothing(corpus: Path, tmp_path: Path) -> None:
    doc_id, url, host = kept_page(corpus)
    urls, hosts = tmp_path / "urls", tmp_path / "hosts"
    urls.write_text(f"{url}\n{url}x\n")
    hosts.write_text(f"{host[:-1]}\n")
    fingerprint = TokenDataset.open(corpus / "tokens").fingerprint
    arguments = ["remove", str(corpus), "--urls", str(urls), "--hosts", str(hosts), "--reason", "r", "--dry-run"]
    result = CliRunner().invoke(main, [*arguments, "--runs", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "1 of them in the shards, 0 copies of them in the shards; 1 shards affected" in result.output
    assert f"no page of {url}x is in the crawl; the nearest is {url}" in result.output
    assert f"no page of {host[:-1]} is in the crawl; the nearest is {host}" in result.output
    assert f"training run {tmp_path}: cannot tell" in result.output
    assert not (corpus / "removals.parquet").exists()
    assert TokenDataset.open(corpus / "tokens").fingerprint == fingerprint
    assert doc_id in doc_ids_in_shards(corpus)


def test_a_corpus_at_which_another_run_works_is_not_touched(corpus: Path) -> None:
    with locked(corpus), pytest.raises(RunError, match="another run is at work"):
        take_down(corpus, Entry("url", "https://a.jp/"))


def test_a_corpus_whose_last_run_was_cut_short_waits_for_the_next(copy: Path) -> None:
    with Ledger(copy) as ledger:
        ledger.connection.execute("UPDATE runs SET status = 'interrupted'")
    before = shard_states(copy)
    assert take_down(copy, Entry("url", kept_page(copy)[1])) is None
    assert shard_states(copy) == before
    assert len(in_force(copy).urls) == 1
