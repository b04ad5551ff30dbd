"""Every page of the bundled sample ends where its author specified."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.corpus.columns import documents, survivors
from pipeline.corpus.views import read_ledger
from pipeline.editing import edits_of
from pipeline.text.edits import apply
from tests.conftest import SAMPLE

with (SAMPLE / "expected.tsv").open(encoding="utf-8", newline="") as table:
    EXPECTED = list(csv.DictReader(table, delimiter="\t"))


@pytest.fixture(scope="module")
def fates(corpus: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """The fate of each record, by file and by its number in the file."""
    query = """
        SELECT parse_filename(f.warc_file), f.warc_offset, f.url, f.doc_id, f.stage, f.kept, f.rule, f.part, v.failed,
               r.record_type
        FROM fates f JOIN records r USING (part, warc_offset, doc_id)
        LEFT JOIN stage_verdicts v ON (v.part, v.doc_id, v.stage) = (f.part, f.doc_id, f.stage)
        ORDER BY f.warc_file, f.warc_offset
    """
    names = ("file", "offset", "url", "doc_id", "stage", "kept", "rule", "part", "failed", "record_type")
    with read_ledger(corpus) as ledger:
        rows = [dict(zip(names, row, strict=True)) for row in ledger.rows(query)]
    numbers: Counter[str] = Counter()
    found = {}
    for row in rows:
        found[(str(row["file"]), numbers[str(row["file"])])] = row
        numbers[str(row["file"])] += 1
    return found


@pytest.fixture(scope="module")
def expected() -> dict[tuple[str, int], dict[str, str]]:
    """The expected fates, by the same keys."""
    numbers: Counter[str] = Counter()
    found = {}
    for row in EXPECTED:
        found[(row["file"], numbers[row["file"]])] = row
        numbers[row["file"]] += 1
    return found


def test_each_record_ends_at_its_stage_by_its_rule(
    fates: dict[tuple[str, int], dict[str, Any]], expected: dict[tuple[str, int], dict[str, str]]
) -> None:
    assert fates.keys() == expected.keys()
    wrong = []
    for key, row in expected.items():
        fate = fates[key]
        stage = "kept" if fate["kept"] else fate["stage"]
        if (stage, fate["rule"] or "", fate["url"]) != (row["stage"], row["rule"], row["url"]):
            wrong.append(f"{row['url']}: {stage} {fate['rule']} and not {row['stage']} {row['rule']}")
    assert wrong == []


def test_rules_that_fail_besides_the_first_are_listed(
    fates: dict[tuple[str, int], dict[str, Any]], expected: dict[tuple[str, int], dict[str, str]]
) -> None:
    checked = 0
    for key, row in expected.items():
        if row["also"]:
            assert set(row["also"].split(",")) <= set(fates[key]["failed"] or []), row["url"]
            checked += 1
    assert checked


def test_every_quality_rule_drops_a_page_of_the_sample(fates: dict[tuple[str, int], dict[str, Any]], corpus: Path) -> None:
    from pipeline.quality.profiles import PROFILES

    failed = {rule for fate in fates.values() if fate["stage"] == "quality" for rule in fate["failed"] or []}
    assert {rule.name for rule in PROFILES["swallow_code"]} <= failed


def test_duplicates_name_the_survivor_that_was_expected(
    fates: dict[tuple[str, int], dict[str, Any]], expected: dict[tuple[str, int], dict[str, str]], corpus: Path
) -> None:
    survivor_of = {row["doc_id"]: row["survivor_id"] for row in pq.read_table(corpus / "duplicates.parquet").to_pylist()}
    url_of = {fate["doc_id"]: fate["url"] for fate in fates.values()}
    checked = 0
    for key, row in expected.items():
        if row["survivor"]:
            assert url_of[survivor_of[str(fates[key]["doc_id"])]] == row["survivor"]
            checked += 1
    assert checked


def final_texts(corpus: Path) -> dict[str, str]:
    texts = {}
    for path in sorted((corpus / "documents").glob("*.parquet")):
        settled = edits_of(corpus, path.stem, ["clean", "pii"])
        for batch in documents(corpus, path.stem, ["doc_id", "text"], survivors(corpus, "pii", path.stem)):
            for doc_id, text in zip(batch["doc_id"].to_pylist(), batch["text"].to_pylist(), strict=True):
                texts[doc_id] = apply(text, settled.get(doc_id, []))
    return texts


def test_kept_pages_hold_the_text_that_their_encoding_must_give(
    fates: dict[tuple[str, int], dict[str, Any]], expected: dict[tuple[str, int], dict[str, str]], corpus: Path
) -> None:
    texts = final_texts(corpus)
    checked = 0
    for key, row in expected.items():
        for wanted in filter(None, row["contains"].split("|")):
            if row["stage"] == "kept":
                assert wanted in texts[str(fates[key]["doc_id"])], row["url"]
                checked += 1
    assert checked > 20


def test_personal_data_is_masked_as_often_as_it_occurs(
    fates: dict[tuple[str, int], dict[str, Any]], expected: dict[tuple[str, int], dict[str, str]], corpus: Path
) -> None:
    with read_ledger(corpus) as ledger:
        found = ledger.rows("SELECT doc_id, kind, count(*) FROM edits WHERE stage = 'pii' GROUP BY ALL")
    counts = {(doc_id, kind): count for doc_id, kind, count in found}
    wanted = {}
    for key, row in expected.items():
        for item in filter(None, row["personal_data"].split(",")):
            kind, _, count = item.partition("=")
            wanted[(str(fates[key]["doc_id"]), kind)] = int(count)
    assert counts == wanted
    assert {kind for _, kind in wanted} >= {"email", "phone", "postal_address", "my_number", "card", "bank_account"}


def test_pages_are_cleaned_in_the_ways_expected(
    fates: dict[tuple[str, int], dict[str, Any]], expected: dict[tuple[str, int], dict[str, str]], corpus: Path
) -> None:
    with read_ledger(corpus) as ledger:
        rows = ledger.rows("SELECT doc_id, list(DISTINCT kind) FROM edits WHERE stage = 'clean' GROUP BY doc_id")
    kinds = {doc_id: set(found) for doc_id, found in rows}
    for key, row in expected.items():
        if row["edits"]:
            assert set(row["edits"].split(",")) <= kinds.get(str(fates[key]["doc_id"]), set()), row["url"]
