"""A take-down finds every copy: whatever its address, cluster, source or corpus, in the dry run as in the real one."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.corpus.views import read_ledger
from pipeline.engine.runner import Listener
from pipeline.manifest import read_manifest
from pipeline.operations.run import run
from pipeline.tokens.dataset import TokenDataset
from tests.pipeline.corpora import InThisProcess
from tests.pipeline.text_corpora import article, build_texts, json_lines

DIARY = article(1)
LINES = DIARY.split("\n")
AUTHOR: list[dict[str, Any]] = [
    {"id": "diary-1", "url": "https://author.example/1", "date": "2019-01-01", "text": DIARY},
    {"id": "other-1", "url": "https://other.example/1", "date": "2019-01-01", "text": article(2)},
    {"id": "own-7", "text": article(3)},
]
# Two copies, each without six of forty lines, at another end: both are copies of the diary, and neither is one of the other.
SCRAPERS: list[dict[str, Any]] = [
    {"id": 8, "url": "https://scraper.example/copy?id=1", "date": "2021-01-01", "text": "\n".join(LINES[:-6])},
    {"id": 9, "url": "https://mirror.example/x", "date": "2022-01-01", "text": "\n".join(LINES[6:])},
]
FILES = {"author.jsonl": AUTHOR, "scrapers.jsonl": SCRAPERS}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of the author and two scrapers; tests must not change it."""
    return build_texts(tmp_path_factory.mktemp("takedown"), FILES)


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(built, tmp_path / "copy"))


def remove(root: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["remove", str(root), "--reason", "asked by the author", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def in_shards(root: Path) -> set[str]:
    """The source_ids of the documents that the token shards hold."""
    dataset = TokenDataset.open(root / "tokens")
    held = [str(doc_id) for split in dataset.splits for shard in dataset.split(split).shards for doc_id in shard.doc_ids]
    with read_ledger(root) as ledger:
        rows = ledger.rows("SELECT DISTINCT source_id FROM documents WHERE list_contains(?, doc_id)", held)
    return {str(source_id) for (source_id,) in rows}


def fate(root: Path, source_id: str) -> tuple[Any, ...]:
    with read_ledger(root) as ledger:
        (row,) = ledger.rows("SELECT stage, rule FROM pages WHERE source_id = ?", source_id)
        return row


NAMES = [
    ("--url", "https://author.example/1"),
    ("--host", "author.example"),
    ("--id", "diary-1"),
]


@pytest.mark.parametrize("named", NAMES, ids=[option for option, _ in NAMES])
def test_a_dry_run_names_every_copy_and_changes_nothing(built: Path, named: tuple[str, str]) -> None:
    before = TokenDataset.open(built / "tokens").fingerprint
    said = remove(built, *named, "--dry-run")
    assert "https://author.example/1  " in said
    for copy in SCRAPERS:
        assert f"its text is in the shards as {copy['url']} (similarity 0." in said
    assert said.count("which goes too") == 2
    assert "2 copies of them in the shards" in said
    assert not (built / "removals.parquet").exists()
    assert TokenDataset.open(built / "tokens").fingerprint == before


def test_copies_stay_if_asked_go_with_the_page_and_come_back_with_it(root: Path) -> None:
    before, held = TokenDataset.open(root / "tokens").fingerprint, in_shards(root)
    assert {"8", "9"} <= held
    said = remove(root, "--url", "https://author.example/1", "--only-named")
    assert said.count("which stays (--only-named)") == 2
    assert "shards still hold the text of 1 of the pages" in said
    assert "no shard" not in said
    assert in_shards(root) == held - {"diary-1"}

    said = remove(root, "--url", "https://author.example/1")
    assert "no shard of this corpus holds the pages or a near-duplicate of one any more" in said
    assert in_shards(root) == {"other-1", "own-7"}
    assert fate(root, "8") == fate(root, "9") == ("removals", "copy_of_taken_down")
    of_page, of_copy = (CliRunner().invoke(main, ["explain", str(root), name]).output for name in ("diary-1", "8"))
    for said in (of_page, of_copy):
        assert "reason              asked by the author" in said
        assert "names               url https://author.example/1" in said
    assert "copy_of             https://author.example/1" in of_copy

    remove(root, "--url", "https://author.example/1", "--undo")
    assert TokenDataset.open(root / "tokens").fingerprint == before
    assert in_shards(root) == held


def test_a_copy_that_a_later_run_brings_stays_out(root: Path) -> None:
    remove(root, "--id", "diary-1")
    late = {"url": "https://late.example/", "date": "2024-01-01", "id": "late", "text": f"{DIARY}\n転載しました。"}
    late_file = json_lines(root.parent / "late.jsonl", [late])
    manifest = read_manifest(str(root / "manifest.yaml"), output=str(root))
    grown = manifest.model_copy(update={"input": (*manifest.input, str(late_file))})
    assert run(grown, Listener(), InThisProcess()).failed == []
    assert in_shards(root) == {"other-1", "own-7"}
    assert fate(root, "late") == ("removals", "copy_of_taken_down")


def test_a_text_without_address_goes_by_its_id_or_doc_id(root: Path) -> None:
    with read_ledger(root) as ledger:
        ((doc_id,),) = ledger.rows("SELECT doc_id FROM documents WHERE source_id = 'own-7'")
    assert "own-7  in the shards" in remove(root, "--doc", str(doc_id), "--dry-run")
    (root.parent / "ids").write_text("# of my own records\n\nown-7\nown-8\n", encoding="utf-8")
    said = remove(root, "--ids", str(root.parent / "ids"))
    assert "no page of own-8 is in the crawl; the nearest is own-7" in said
    assert "own-7" not in in_shards(root)


def test_a_copy_in_an_earlier_corpus_is_named_with_what_to_do(built: Path, tmp_path: Path) -> None:
    again = {"url": "https://again.example/", "date": "2023-01-01", "id": "again", "text": DIARY}
    files = {"later.jsonl": [again, {"id": "new", "text": article(5)}]}
    root = build_texts(tmp_path, files, f"dedup.against=[{built}]", f"tokenizer.model={built / 'tokens' / 'tokenizer'}")
    assert fate(root, "again") == ("dedup", "near_duplicate_of_earlier")
    survivor = re.search(
        r"survivor +(\S+)\n  survivor_corpus +(\S+)", CliRunner().invoke(main, ["explain", str(root), "again"]).output
    )
    assert survivor is not None
    assert survivor[1] in [page["url"] for page in (*AUTHOR[:1], *SCRAPERS)]
    assert survivor[2] == str(built)
    said = remove(root, "--url", "https://again.example/")
    for copy in SCRAPERS:
        assert f"its text is in the shards of the earlier corpus {built} as {copy['url']}" in said
    assert f"take it down there: python -m pipeline remove {built} --doc " in said
    assert "no shard" not in said


def test_explain_finds_a_record_by_its_own_id_and_shows_its_fields(built: Path) -> None:
    result = CliRunner().invoke(main, ["explain", str(built), "own-7"])
    assert result.exit_code == 0, result.output
    assert "source_id           own-7" in result.output
