"""Swallow's numbers: the speed of this project, compared with a plain restatement of the same definitions in Python.

    python -m benchmarks.swallow_numbers --shared ../shared

The restatement is the one that the tests use; this program checks once more that the numbers agree. There are two tables:
Swallow's 22 numbers, and all numbers of `pipeline.measure` except the compression ratio, which has no plain restatement but
which the project computes all the same.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.turns import compare
from pipeline.measure.config import MeasureConfig
from pipeline.measure.expression_lists import read_lists
from pipeline.measure.ngrams import count_ngrams
from pipeline.measure.sentences import divide
from pipeline.measure.stage import measure
from pipeline.text.character_classes import count_letters
from tests.pipeline.measure.restatement import gopher_numbers, line_numbers, other_numbers, swallow_numbers

TEXTS = 200  # the restatement of all numbers takes four seconds for that many
ROUNDS = 3
# Restated from Unicode's own properties; the project's table of ranges differs from them for the rarest characters.
BY_UNICODE = ("symbol_fraction", "latin_fraction")


def count(texts: Sequence[str]) -> None:
    """Count what Swallow's 22 numbers, and Gopher's, are quotients of."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    bounds = np.cumsum([0, *map(len, texts)])
    count_letters(codes, bounds)
    divide(codes, bounds)
    count_ngrams(codes, bounds)


def restate(text: str) -> dict[str, float]:
    """All numbers except the compression ratio and those of expressions, whose plain form tries every expression everywhere."""
    return {**swallow_numbers(text), **gopher_numbers(text), **line_numbers(text), **other_numbers(text)}


def main() -> None:
    """Compare the numbers, then print the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="the folder that holds corpus/")
    stored = pq.read_table(parser.parse_args().shared / "corpus" / "JACCARD_TEXTS.parquet", columns=["text"])["text"]
    texts = stored.to_pylist()[:: max(1, len(stored) // TEXTS)]
    expressions = read_lists(MeasureConfig())
    measured = measure(texts, expressions)
    for index, text in enumerate(texts):
        numbers = {name: value for name, value in restate(text).items() if name not in BY_UNICODE}
        different = {name: value for name, value in numbers.items() if value != measured[name][index]}
        if different:
            parser.error(f"text {index}: the restatement has {different}")
    compare(
        "Swallow's 22 numbers",
        "texts",
        len(texts),
        {"this project": lambda: count(texts), "plain Python": lambda: [swallow_numbers(text) for text in texts]},
        ROUNDS,
    )
    compare(
        "all numbers of a text",
        "texts",
        len(texts),
        {
            "this project, expressions and compression too": lambda: measure(texts, expressions),
            "plain Python": lambda: [restate(text) for text in texts],
            "plain Python, Swallow's 22 alone": lambda: [swallow_numbers(text) for text in texts],
        },
        ROUNDS,
    )


if __name__ == "__main__":
    main()
