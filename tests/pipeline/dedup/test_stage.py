"""The stage dedup: order of preference, verdicts, the table of duplicates, earlier corpora."""

import math
from random import Random
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline import rules
from pipeline.dedup import config as dedup_config
from pipeline.dedup import minhash
from pipeline.dedup import stage as dedup
from pipeline.dedup.clusters import cluster
from pipeline.dedup.config import DedupConfig

Survivor = Literal["newest", "oldest", "longest"]


def ids_in_order(documents: list[tuple[int | None, int, str, bool]], survivor: Survivor) -> list[str]:
    """The doc_ids in order of preference of documents given as (date in seconds, characters, doc_id, earlier)."""
    date, n_chars, doc_id, earlier = zip(*documents, strict=True)
    order = dedup.preference_order(
        pa.array(date, pa.timestamp("s")), np.array(n_chars), pa.array(doc_id), np.array(earlier), survivor
    )
    return [doc_id[index] for index in order]


@pytest.mark.parametrize(
    ("survivor", "expected"),
    [
        ("newest", ["old", "d", "c", "b", "a", "e"]),
        ("oldest", ["old", "a", "b", "d", "c", "e"]),
        ("longest", ["old", "e", "d", "a", "c", "b"]),
    ],
)
def test_the_preferred_document_comes_first(survivor: Survivor, expected: list[str]) -> None:
    documents = [
        (10, 50, "a", False),
        (20, 30, "b", False),
        (30, 40, "c", False),
        (30, 50, "d", False),
        (None, 60, "e", False),
        (1, 1, "old", True),
    ]
    assert ids_in_order(documents, survivor) == expected


@given(
    documents=st.lists(
        st.tuples(st.none() | st.integers(0, 3), st.integers(0, 3), st.text("0123456789abcdef", min_size=1), st.booleans()),
        min_size=1,
        max_size=20,
        unique_by=lambda document: document[2],
    ),
    survivor=st.sampled_from(["newest", "oldest", "longest"]),
    random=st.randoms(use_true_random=False),
)
def test_preference_does_not_depend_on_the_order_of_reading(
    documents: list[tuple[int | None, int, str, bool]], survivor: Survivor, random: Random
) -> None:
    shuffled = list(documents)
    random.shuffle(shuffled)
    assert ids_in_order(shuffled, survivor) == ids_in_order(documents, survivor)


def test_the_default_threshold_lies_three_standard_errors_above_similarity_0_7() -> None:
    config = DedupConfig()
    chance = 0.7 + 0.3 / 256
    standard_error = math.sqrt(chance * (1 - chance) / config.values) * 256 / 255
    assert 0.7 + 3 * standard_error <= config.minimum_similarity < 0.7 + 3.1 * standard_error


@pytest.mark.parametrize(
    "wrong", [{"rows": 0}, {"bands": 0}, {"shingle": 0}, {"minimum_similarity": 1.1}, {"survivor": "best"}, {"row": 8}]
)
def test_the_configuration_refuses_values_without_a_meaning(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DedupConfig.model_validate(wrong)


def variant(text: str, changed: int, seed: int) -> str:
    """The text with `changed` of its characters, in a run from a random place, replaced by others."""
    random = np.random.default_rng(seed)
    start = random.integers(0, len(text) - changed + 1)
    return text[:start] + page(seed + 1000, changed) + text[start + changed :]


def page(seed: int, length: int = 800) -> str:
    return np.random.default_rng(seed).integers(0x4E00, 0x9000, length, dtype=np.uint32).tobytes().decode("utf-32-le")


def dropped_by(
    texts: list[str], doc_ids: list[str], earlier: list[bool], config: DedupConfig
) -> tuple[list[tuple[Any, ...]], pa.Table]:
    """Run the stage on texts in order of preference: rows of (doc_id, rule, value, threshold), and the duplicates."""
    signatures = minhash.signatures(texts, shingle=config.shingle, values=config.values)
    clusters = cluster(
        signatures,
        minhash.has_signature(signatures),
        rows=config.rows,
        bands=config.bands,
        minimum_similarity=config.minimum_similarity,
    )
    ids = pa.array(doc_ids)
    verdicts = dedup.judge_duplicates(ids, np.array(earlier), clusters, config)
    assert verdicts.schema == rules.VERDICT_SCHEMA
    table = dedup.duplicates(ids, np.array(earlier), clusters)
    assert table.schema == dedup_config.DUPLICATES_SCHEMA
    named = [row for row in verdicts.select(["doc_id", "rule", "value", "threshold"]).to_pylist() if row["rule"]]
    return [tuple(row.values()) for row in named], table


def test_each_rule_names_what_was_measured() -> None:
    text, other, old = page(1), page(2), page(3)
    dropped, duplicates = dropped_by(
        [old, text, other, variant(text, 40, 4), old, other, "短い", "短い"],
        ["old", "text", "other", "variant", "again", "other", "short", "shorter"],
        [True, False, False, False, False, False, False, False],
        DedupConfig(),
    )
    similarity = duplicates.filter(pa.compute.equal(duplicates["doc_id"], "variant"))["similarity"][0].as_py()
    assert 0.85 < similarity < 0.95  # 44 of 796 shingles differ in each of the two texts: 0.896
    assert dropped == [
        ("variant", "near_duplicate", pytest.approx(similarity), 0.77),
        ("again", "near_duplicate_of_earlier", 1.0, 0.77),
        ("other", "same_record", 1.0, 0.0),
    ]
    assert [tuple(row.values()) for row in duplicates.drop_columns("similarity").to_pylist()] == [
        ("text", "text", "text", 2),
        ("other", "other", "other", 2),
        ("variant", "text", "text", 2),
        ("again", "old", "old", 2),
        ("other", "other", "other", 2),
    ]


def test_a_record_of_an_earlier_corpus_is_not_counted_again() -> None:
    dropped, _ = dropped_by(["短い", "短い"], ["a", "a"], [True, False], DedupConfig())
    assert dropped == [("a", "same_record", 1.0, 0.0)]


def test_earlier_documents_get_no_verdict() -> None:
    ids = pa.chunked_array([["a", "b"], ["c"]])
    earlier = np.array([True, True, False])
    signatures = np.eye(3, 400, dtype=np.uint8)
    clusters = cluster(signatures, np.ones(3, dtype=bool), rows=20, bands=20, minimum_similarity=1.0)
    assert dedup.judge_duplicates(ids, earlier, clusters, DedupConfig())["doc_id"].to_pylist() == ["c"]


@settings(max_examples=15, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 200)), min_size=2, max_size=40),
    cut=st.integers(0, 40),
)
def test_behind_an_earlier_corpus_as_in_one_go(edits: list[tuple[int, int]], cut: int) -> None:
    """If the oldest is preferred, a second crawl judged against the first has the verdicts of both judged together."""
    texts = [variant(page(base), changed, seed) for seed, (base, changed) in enumerate(edits)]
    ids = [f"{index:04}" for index in range(len(texts))]
    together, _ = dropped_by(texts, ids, [False] * len(texts), DedupConfig(survivor="oldest"))
    against, _ = dropped_by(texts, ids, [index < cut for index in range(len(texts))], DedupConfig(survivor="oldest"))
    assert [(doc_id, value) for doc_id, _, value, _ in together if int(doc_id) >= cut] == [
        (doc_id, value) for doc_id, _, value, _ in against
    ]
    assert all(rule.startswith("near_duplicate") for _, rule, _, _ in against)
