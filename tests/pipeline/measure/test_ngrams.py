"""N-grams are counted exactly, for any text and any number of texts at once."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.measure.ngrams import DUPLICATE_SIZES, TOP_SIZES, Ngrams, count_ngrams


def count(texts: list[str]) -> Ngrams:
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    return count_ngrams(codes, np.cumsum([0, *map(len, texts)]))


def counter(text: str, n: int) -> Counter[str]:
    return Counter(text[start : start + n] for start in range(len(text) - n + 1))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(alphabet="ab漢𠮷\U0010ffff\x00", max_size=80), min_size=1, max_size=4))
def test_counts_equal_those_of_a_counter(texts: list[str]) -> None:
    ngrams = count(texts)
    for index, text in enumerate(texts):
        assert ngrams.letters[index] == len(set(text))
        for column, n in enumerate(TOP_SIZES):
            assert ngrams.top[index, column] == max(counter(text, n).values(), default=0)
        for column, n in enumerate(DUPLICATE_SIZES):
            occurrences = counter(text, n)
            assert ngrams.types[index, column] == len(occurrences)
            assert ngrams.repeated_types[index, column] == sum(times > 1 for times in occurrences.values())


def test_an_ngram_does_not_reach_into_the_next_text() -> None:
    ngrams = count(["abcdefgh", "abcdefgh"])
    assert ngrams.repeated_types.sum() == 0
    assert ngrams.repeated_letters.sum() == 0


def test_overlapping_occurrences_cover_each_letter_once() -> None:
    ngrams = count(["xyz" + "a" * 7 + "xyz"])
    # aaaaa is at three places and covers all seven letters; aaaaaa is at two.
    assert ngrams.repeated_letters[0].tolist() == [7, 7, 0, 0, 0, 0]
    assert ngrams.repeated_types[0].tolist() == [1, 1, 0, 0, 0, 0]


def test_a_million_different_letters_fit() -> None:
    text = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)
    ngrams = count([text + text[:12]])
    assert ngrams.letters[0] == len(text)
    assert ngrams.repeated_types[0].tolist() == [8, 7, 6, 5, 4, 3]
    assert ngrams.repeated_letters[0].tolist() == [24] * 6
