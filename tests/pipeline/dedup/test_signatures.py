"""Signatures are of the text that cleaning will leave, by the steps of the manifest, and are made again when these change."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.clean.config import CleanConfig
from pipeline.dedup.signatures import texts_as_compared
from tests.pipeline.corpora import copy_of

PROSE = "渡し船は朝に出て、昼に着く。窓から海が見える。"


@pytest.mark.parametrize(
    ("text", "came_as_text"),
    [
        (PROSE.replace("、", "、\u200b"), False),
        (PROSE.replace("、", "，").replace("。", "．"), False),
        (f"{PROSE}\n© 2024 汽車と峠の手帖", True),
        (f"続きを読む\n{PROSE}", False),
    ],
)
def test_a_text_is_compared_as_cleaning_will_leave_it(text: str, came_as_text: bool) -> None:
    assert texts_as_compared([text, PROSE], [came_as_text, False], CleanConfig()) == [PROSE, PROSE]
    assert texts_as_compared([text], [came_as_text], CleanConfig(steps=())) == [text]


def signatures_of(corpus: Path) -> tuple[dict[str, bytes], dict[bytes, Any]]:
    tables = [pq.read_table(path) for path in sorted((corpus / "signatures").glob("*.parquet"))]
    return {row["doc_id"]: row["signature"] for table in tables for row in table.to_pylist()}, tables[0].schema.metadata


def test_other_steps_of_cleaning_make_other_signatures(corpus: Path, tmp_path: Path) -> None:
    before, _ = signatures_of(corpus)
    after, metadata = signatures_of(copy_of(corpus, tmp_path / "out", "clean.steps=[whitespace]"))
    assert before.keys() == after.keys()
    assert 0 < sum(before[doc_id] != after[doc_id] for doc_id in before) < len(before)
    assert json.loads(metadata[b"clean"])["steps"] == ["whitespace"]
