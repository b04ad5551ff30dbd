"""The yields of the stages, summed over parts, equal one SQL query per figure."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.corpus.ledger import Ledger
from pipeline.corpus.views import read_ledger
from pipeline.flow import JUDGING
from pipeline.operations import counts

EXTRACTED = "(SELECT part, doc_id, n_chars, n_bytes, n_tokens FROM features)"
LEFT_BY = "(SELECT part, doc_id, n_chars, n_bytes, n_tokens FROM stage_verdicts WHERE stage = '{}')"
BEFORE = {"pii": LEFT_BY.format("clean"), "removals": LEFT_BY.format("pii")}
SIZES = ("chars", "bytes", "tokens")


def restated_stage(ledger: Ledger, stage: str) -> tuple[Any, ...]:
    """docs_in and docs_out, then chars, bytes and tokens in and out, of a judging stage after extract."""
    after = "v" if stage in ("clean", "pii") else "b"
    sums = ", ".join(f"sum(b.n_{size})::BIGINT, (sum({after}.n_{size}) FILTER (v.kept))::BIGINT" for size in SIZES)
    return ledger.rows(
        f"SELECT count(*), count(*) FILTER (v.kept), {sums} FROM stage_verdicts v "
        f"LEFT JOIN {BEFORE.get(stage, EXTRACTED)} b USING (part, doc_id) WHERE v.stage = '{stage}'"
    )[0]


def restated_rules(ledger: Ledger, stage: str) -> set[tuple[Any, ...]]:
    return set(
        ledger.rows(
            f"SELECT v.rule, v.threshold, count(*), sum(b.n_chars)::BIGINT, sum(b.n_tokens)::BIGINT FROM stage_verdicts v "
            f"LEFT JOIN {BEFORE.get(stage, EXTRACTED)} b USING (part, doc_id) "
            f"WHERE v.stage = '{stage}' AND NOT v.kept GROUP BY ALL"
        )
    )


def stage_counts(ledger: Ledger, stage: str) -> tuple[Any, ...]:
    columns = ", ".join(["docs_in", "docs_out", *(f"{size}_in, {size}_out" for size in SIZES)])
    return ledger.rows(f"SELECT {columns} FROM stage_counts WHERE stage = ?", stage)[0]


def hold_against_sql(ledger: Ledger) -> None:
    for stage in JUDGING[1:]:
        assert stage_counts(ledger, stage) == restated_stage(ledger, stage), stage
        rules = ledger.rows("SELECT rule, threshold, docs, chars, tokens FROM rule_counts WHERE stage = ?", stage)
        assert (len(rules), set(rules)) == (len(set(rules)), restated_rules(ledger, stage)), stage
    records = ledger.rows("SELECT count(*), count(*) FILTER (kept), sum(record_bytes)::BIGINT FROM records")[0]
    chars, n_bytes, tokens = ledger.rows(
        "SELECT coalesce(sum(n_chars), 0)::BIGINT, coalesce(sum(n_bytes), 0)::BIGINT, sum(n_tokens)::BIGINT FROM features"
    )[0]
    assert stage_counts(ledger, "extract") == (records[0], records[1], None, chars, records[2], n_bytes, None, tokens)
    dropped = ledger.rows("SELECT rule, threshold, count(*), NULL, NULL FROM records WHERE NOT kept GROUP BY ALL")
    rules = ledger.rows("SELECT rule, threshold, docs, chars, tokens FROM rule_counts WHERE stage = 'extract'")
    assert (len(rules), set(rules)) == (len(dropped), set(dropped))
    final = ledger.rows(
        "SELECT count(*), sum(n_chars)::BIGINT, sum(n_bytes)::BIGINT, sum(n_tokens)::BIGINT FROM stage_verdicts "
        "JOIN (SELECT part, doc_id FROM stage_verdicts WHERE stage = 'removals' AND kept) USING (part, doc_id) "
        "WHERE stage = 'pii'"
    )[0]
    written = ledger.rows("SELECT sum(documents)::BIGINT, sum(tokens)::BIGINT FROM token_shards")[0]
    docs, chars, n_bytes, tokens = final
    expected = (docs, written[0], chars, chars, n_bytes, n_bytes, tokens, written[1])
    assert stage_counts(ledger, "tokenize") == expected


def test_each_figure_is_that_of_one_query(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        hold_against_sql(ledger)


def without(*names: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        for name in names:
            (root / name).unlink()

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("token_counts/part-00000.parquet"),
        without("verdicts/pii/part-00000.parquet", "verdicts/removals/part-00000.parquet"),
        without("features/part-00000.parquet"),
    ],
    ids=["no tokens counted", "not masked yet", "no features"],
)
def test_a_file_that_is_not_there_counts_as_in_sql(corpus: Path, tmp_path: Path, change: Callable[[Path], None]) -> None:
    copy = shutil.copytree(corpus, tmp_path / "out", ignore=shutil.ignore_patterns("tokens", "encoded", "signatures"))
    change(copy)
    with Ledger(copy) as ledger:
        counts.refresh(ledger, "again", changed=True)
        hold_against_sql(ledger)


def test_an_empty_corpus_has_no_characters_and_an_unknown_number_of_tokens(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        counts.refresh(ledger, "first", changed=False)
        assert stage_counts(ledger, "extract") == (0, 0, None, 0, 0, 0, None, None)
        assert stage_counts(ledger, "dedup") == (0, 0, None, None, None, None, None, None)
        assert stage_counts(ledger, "tokenize") == (0, 0, None, None, None, None, None, 0)


def test_nothing_is_counted_again_where_nothing_changed(corpus: Path, tmp_path: Path) -> None:
    shutil.copy(corpus / "manifest.duckdb", tmp_path)
    with Ledger(tmp_path) as ledger:
        before = ledger.rows("FROM stage_counts")
        counts.refresh(ledger, "again", changed=False)
        assert ledger.rows("FROM stage_counts") == before
