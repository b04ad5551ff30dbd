"""The views of the ledger, on the built sample."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.rules import VERDICT_SCHEMA
from pipeline.runner import read_ledger


def test_pages_have_a_row_a_document_though_a_record_was_there_twice(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        documents = ledger.rows("SELECT part, doc_id, url, host FROM documents ORDER BY ALL")
        assert ledger.rows("SELECT part, doc_id, url, host FROM pages ORDER BY ALL") == documents
        assert ledger.rows("SELECT count(*) FROM documents JOIN fates USING (part, doc_id)")[0][0] > len(documents)


def test_pages_end_where_their_verdicts_say(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        columns = "stage, part, doc_id, rule, value, threshold"
        dropped = ledger.rows(f"SELECT {columns} FROM stage_verdicts WHERE NOT kept ORDER BY ALL")
        assert ledger.rows(f"SELECT {columns} FROM pages WHERE NOT kept ORDER BY ALL") == dropped


def test_the_final_tokens_of_pages_are_those_of_the_shards_and_of_kept_pages_alone(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        in_shards = ledger.rows("SELECT sum(documents)::BIGINT, sum(tokens)::BIGINT FROM token_shards")
        assert ledger.rows("SELECT count(*), sum(final_tokens)::BIGINT FROM pages WHERE final_tokens IS NOT NULL") == in_shards


def test_a_page_that_is_taken_down_has_no_final_tokens(corpus: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(corpus, tmp_path / "out", ignore=shutil.ignore_patterns("tokens", "encoded", "signatures"))
    path = copy / "verdicts" / "removals" / "part-00000.parquet"
    verdicts = pq.read_table(path, partitioning=None, schema=VERDICT_SCHEMA).to_pylist()
    taken = {**verdicts[0], "kept": False, "rule": "taken_down", "value": 1.0, "threshold": 0.0, "failed": ["taken_down"]}
    pq.write_table(pa.Table.from_pylist([taken, *verdicts[1:]], VERDICT_SCHEMA), path)
    with read_ledger(copy) as ledger:
        gone = ledger.rows("SELECT doc_id, stage, kept, final_tokens FROM pages WHERE rule = 'taken_down'")
        assert gone == [(taken["doc_id"], "removals", False, None)]


@pytest.mark.parametrize("stage", ["quality", "dedup", "hosts"])
def test_the_tokens_of_dropped_pages_are_those_that_rules_are_charged_with(corpus: Path, stage: str) -> None:
    with read_ledger(corpus) as ledger:
        charged = ledger.rows(
            "SELECT rule, sum(tokens)::BIGINT FROM rule_counts WHERE stage = ? GROUP BY rule ORDER BY rule", stage
        )
        query = "SELECT rule, sum(n_tokens)::BIGINT FROM pages WHERE stage = ? AND NOT kept GROUP BY rule ORDER BY rule"
        assert ledger.rows(query, stage) == charged != []
