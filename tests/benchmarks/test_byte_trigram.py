"""The baseline in bits per byte: proper distributions, equal to a restatement in dictionaries, on the text of the shards."""

import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.byte_trigram import (
    BOUNDARY,
    SYMBOLS,
    Model,
    bits_per_byte,
    discounts,
    kneser_ney,
    ngrams_of,
    probabilities,
    witten_bell,
)
from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.store import TokenMeta, write_dataset, write_shard
from pipeline.tokens.training import train_tokenizer

ROOT = Path(__file__).parents[2]
documents = st.lists(st.text("abあ", max_size=12).map(str.encode), min_size=1, max_size=6)
orders = st.integers(1, 4)
models = pytest.mark.parametrize("train", [kneser_ney, witten_bell])

Gram = tuple[int, ...]
Train = Callable[[npt.NDArray[np.int64], int], Model]


def grams(texts: list[bytes], order: int) -> list[Gram]:
    """The n-grams that end at each byte and each end, as tuples."""
    found = []
    for text in texts:
        symbols = [BOUNDARY] * (order - 1) + list(text) + [BOUNDARY]
        found += [tuple(symbols[start : start + order]) for start in range(len(text) + 1)]
    return found


def restated(train: object, table: Counter[Gram], gram: Gram) -> float:
    """p(last | before), from the counts of the n-grams of the same order, following Chen and Goodman literally."""
    if not gram:
        return 1 / SYMBOLS
    shorter: Counter[Gram] = Counter()
    for seen, count in table.items():
        shorter[seen[1:]] += count if train is witten_bell else 1
    lower = restated(train, shorter, gram[1:])
    followers = {seen: count for seen, count in table.items() if seen[:-1] == gram[:-1]}
    if not followers:
        return lower
    total = sum(followers.values())
    if train is witten_bell:
        return (table[gram] + len(followers) * lower) / (total + len(followers))
    taken = discounts(np.array(list(table.values())))
    kept = table[gram] - taken[min(table[gram], 3) - 1] if gram in table else 0
    return float((kept + sum(taken[min(count, 3) - 1] for count in followers.values()) * lower) / total)


@models
@settings(max_examples=40)  # each goes through every symbol or n-gram
@given(texts=documents, held_out=documents, order=orders)
def test_probabilities_are_those_of_the_formulas_in_dictionaries(
    train: Train, texts: list[bytes], held_out: list[bytes], order: int
) -> None:
    model = train(ngrams_of(texts, order), order)
    table = Counter(grams(texts, order))
    expected = [restated(train, table, gram) for gram in grams(held_out, order)]
    np.testing.assert_allclose(probabilities(model, ngrams_of(held_out, order)), expected, rtol=1e-12)


@models
@settings(max_examples=40)  # each goes through every symbol or n-gram
@given(texts=documents, order=orders, context=st.lists(st.sampled_from([*b"ab\x81", BOUNDARY, 0]), min_size=3, max_size=3))
def test_the_next_symbols_of_any_context_sum_to_one_and_none_is_impossible(
    train: Train, texts: list[bytes], order: int, context: list[int]
) -> None:
    model = train(ngrams_of(texts, order), order)
    key = sum(symbol * SYMBOLS**power for power, symbol in zip((3, 2, 1), context, strict=True))
    result = probabilities(model, key + np.arange(SYMBOLS))
    assert result.sum() == pytest.approx(1, rel=1e-12)
    assert result.min() > 0


@models
def test_documents_are_independent_and_each_end_is_scored(train: Train) -> None:
    texts = ["東京".encode(), b"abc", b""]
    model = train(ngrams_of(texts, 3), 3)
    single = [probabilities(model, ngrams_of([text], 3)) for text in texts]
    assert [len(each) for each in single] == [7, 4, 1]
    bits = -sum(math.log2(probability) for each in single for probability in each)
    assert bits_per_byte(model, texts) == pytest.approx(bits / 9)
    assert bits_per_byte(model, texts[::-1]) == pytest.approx(bits / 9)


def test_a_longer_context_helps_on_text_that_repeats() -> None:
    texts = ["すもももももももものうち".encode()] * 20
    scores = [bits_per_byte(kneser_ney(ngrams_of(texts, order), order), texts) for order in (1, 2, 3)]
    assert scores[0] > 2 * scores[1] > 2 * scores[2]


def test_discounts_follow_the_counts_of_counts() -> None:
    counts = np.array([1] * 8 + [2] * 4 + [3] * 2 + [4])
    # Y = 8 / (8 + 2 * 4) = 1/2; 1 - 2 Y 4/8, 2 - 3 Y 2/4, 3 - 4 Y 1/2
    np.testing.assert_allclose(discounts(counts), [0.5, 1.25, 2.0])
    np.testing.assert_allclose(discounts(counts[:-1]), [0.5, 0.5, 0.5])  # no count of 4: nothing to estimate from


def test_the_command_scores_the_text_of_the_shards(tmp_path: Path) -> None:
    texts = {"train": ["東京は日本の首都です。"] * 9, "val": ["東京です。", "日本の"]}
    tokenizer = train_tokenizer(texts["train"], TokenizerConfig(vocabulary=300))
    tokenizer.save(tmp_path / "tokenizer")
    meta = TokenMeta.of(tokenizer)
    infos = {}
    for name, members in texts.items():
        encoded = [np.insert(tokenizer.encode_batch([text])[0], 0, meta.delimiter_id) for text in members]
        infos[name] = [
            write_shard(
                tmp_path / f"{name}.arrow",
                [f"{index:032x}" for index in range(len(members))],
                np.concatenate(encoded),
                np.cumsum([0, *map(len, encoded)]),
                # One text of the training split is recorded with a wrong size.
                np.array([len(text.encode()) + (name == "train" and index == 0) for index, text in enumerate(members)]),
                np.array([len(text) for text in members]),
                meta,
            )
        ]
    write_dataset(tmp_path, infos, meta)
    command = [sys.executable, "-m", "benchmarks.byte_trigram", "--shards", str(tmp_path), "--orders", "3"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    model = kneser_ney(ngrams_of([text.encode() for text in texts["train"]], 3), 3)
    assert "train: 9 documents, 297 bytes; 88.9% have the bytes" in result.stdout
    assert "val: 2 documents, 24 bytes; 100.0% have the bytes" in result.stdout
    assert f"{bits_per_byte(model, [text.encode() for text in texts['val']]):.4f}" in result.stdout
    assert "baseline: " in result.stdout
