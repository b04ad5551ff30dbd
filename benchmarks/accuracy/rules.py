"""Swallow's rules: the measured numbers and the decisions, compared with the plain restatement in `tests/`, on every text.

All numbers of Swallow's `quality.py` are restated for every text. Swallow's expressions, whose plain search takes a second per
text, and Gopher's counts are restated for a sample.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.accuracy.table import Row
from pipeline.measure.config import MeasureConfig
from pipeline.measure.expression_lists import read_lists
from pipeline.measure.stage import measure
from pipeline.quality.profiles import PROFILES
from pipeline.rules import judge
from tests.pipeline.measure.restatement import expression_numbers, gopher_numbers, swallow_keeps, swallow_numbers

SUBJECT = "4 Swallow's rules"
BATCH = 256
EVERY = 100  # one text in this many is in the sample
TOLERANCE = 1e-12


def rows(shared: Path) -> Iterator[Row]:
    """The greatest difference of any number, and how many decisions agree."""
    texts = pq.read_table(shared / "corpus" / "JACCARD_TEXTS.parquet")["text"].to_pylist()
    lists = read_lists(MeasureConfig())
    batches = [measure(texts[start : start + BATCH], lists) for start in range(0, len(texts), BATCH)]
    measured = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    kept = np.array(judge(PROFILES["swallow_code"], list(map(str, range(len(texts)))), measured)["kept"])

    names: set[str] = set()
    greatest = greatest_of_sample = 0.0
    agree = compared = 0
    for index, text in enumerate(texts):
        restated = swallow_numbers(text)
        names.update(restated)
        differences = [abs(float(measured[name][index]) - value) for name, value in restated.items()]
        greatest = max(greatest, *differences)
        agree += swallow_keeps({**restated, "ng_fraction": float(measured["ng_fraction"][index])}) == bool(kept[index])
        if index % EVERY == 0:
            further = {**expression_numbers(text, lists.ng, lists.allowed, lists.dating), **gopher_numbers(text)}
            differences = [abs(float(measured[name][index]) - value) for name, value in further.items()]
            greatest_of_sample = max(greatest_of_sample, *differences)
            compared += 1
    equal = "equal" if greatest <= TOLERANCE else "NOT equal"
    yield Row(
        SUBJECT,
        "kotokura against the restatement",
        f"{len(texts):,} texts, {len(names)} numbers each: {equal}, greatest difference {greatest:.1e}; "
        f"decisions of swallow_code equal on {agree:,}",
    )
    yield Row(
        SUBJECT,
        "expressions and Gopher's counts",
        f"{compared} texts: greatest difference {greatest_of_sample:.1e}",
    )
