"""Phrases that announce something other than main text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.main_text.cues import CUES, measure_cues

KINDS = list(CUES)
PHRASES = [phrase for phrases in CUES.values() for phrase in phrases]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("関連記事：川の水車", "read_also", 2),
        ("今週の人気記事", "read_also", 1),
        ("READ MORE: the mill", "read_also", 2),
        ("Jetzt Newsletter abonnieren", "subscribe", 1),
        ("広告", "advertising", 2),
        ("Foto: M. Muster", "credit", 2),
        ("The mill\nPhoto by M. M.", "credit", 1),
        ("古い水車小屋が見えてきた。", "read_also", 0),
        ("The mill stands where it stood for a hundred years, by the river. Read more", "read_also", 0),
    ],
)
def test_a_phrase_counts_by_where_it_stands(text: str, kind: str, value: int) -> None:
    assert measure_cues([text])[0, KINDS.index(kind)] == value


@given(st.lists(st.text(st.sampled_from("関連 ©İß\nabonimerdus:"), max_size=70) | st.sampled_from(PHRASES), max_size=6))
def test_texts_searched_together_are_as_texts_searched_alone(texts: list[str]) -> None:
    expected = []
    for text in texts:
        head = text[:60].lower().replace("\n", " ")
        expected.append(
            [max(2 if head.startswith(phrase) else int(phrase in head) for phrase in phrases) for phrases in CUES.values()]
        )
    assert measure_cues(texts).tolist() == expected


def test_phrases_are_lower_case_and_named_once() -> None:
    assert [phrase.lower() for phrase in PHRASES] == PHRASES
    assert len(set(PHRASES)) == len(PHRASES)
