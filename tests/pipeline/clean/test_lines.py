"""The lines of texts as records, compared with the methods of str; `test_stage.py` tests what is removed."""

import itertools
import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clean.config import CleanConfig
from pipeline.clean.lines import BEFORE_MARK, COUNTED, HEADING, ORNAMENT, SPACE, meanings_of, places_of, read_lines
from pipeline.clean.stage import find_edits_batch
from pipeline.text.character_classes import SPACES
from pipeline.text.utf16 import units_in, units_in_bracket

MEANINGS = meanings_of(
    [
        (1, units_in("あ")),
        (SPACE, units_in(SPACES)),
        (ORNAMENT, units_in(" *")),
        (BEFORE_MARK, units_in("あ」")),
        (HEADING, units_in("あ")),
        (COUNTED, units_in("，．") | units_in_bracket("\udc00-\udfff")),
    ]
)
TEXTS = st.lists(st.text("あ」a*# \u3000\x85\n\n、，。．😀𠮷¶", max_size=30) | st.text(max_size=9), max_size=4)


@given(TEXTS)
@settings(max_examples=80, deadline=None)
def test_lines_are_those_of_str(texts: list[str]) -> None:
    lines = read_lines(texts, MEANINGS)
    expected = [(number, line) for number, text in enumerate(texts) for line in text.split("\n")]
    written = [(number, texts[number][start:past]) for number, start, past in places_of(lines, np.arange(len(lines.table_L)))]
    assert written == expected
    for (_, line), record in zip(expected, lines.table_L, strict=True):
        for start, end, bare in (
            ("start", "end", line),
            ("head", "tail", line.strip()),
            ("bare_start", "bare_end", line.strip(" *")),
        ):
            units = lines.units[record[start] : record[end]].tobytes()
            assert units == bare.encode("utf-16-le", "surrogatepass")
        assert (record["seen"] & 1 != 0) == ("あ" in line)
    firsts = lines.texts_T["first_line"].tolist()
    assert [past - first for first, past in itertools.pairwise(firsts)] == [text.count("\n") + 1 for text in texts]


@given(TEXTS)
@settings(max_examples=80, deadline=None)
def test_marks_and_signs_behind_japanese_words_are_counted(texts: list[str]) -> None:
    counted = read_lines(texts, MEANINGS).texts_T[:-1]
    for text, record in zip(texts, counted, strict=True):
        marks = [len(re.findall(f"(?<=[あ」\U00020000-\U0003ffff]){mark}", text)) for mark in "，．、。"]
        assert record["western"].tolist() == marks[:2]
        assert record["japanese"].tolist() == (marks[2:] if any(marks[:2]) else [0, 0])
        assert record["signs"] == sum(re.search("あ[#¶]\\s*$", line) is not None for line in text.split("\n"))


def test_more_lines_than_a_run_holds_are_cleaned_alike() -> None:
    texts = [
        "段落。\nシェアする\n続き\u200bを読む ",
        "峠の汽車\n峠の汽車\n" + "段落がここに。\n" * 34_000,
        "段落。\n© 2024 峠",
    ] * 3
    config = CleanConfig()
    came = [number % 2 == 0 for number in range(len(texts))]
    one_by_one = [find_edits_batch([text], config, [each])[0] for text, each in zip(texts, came, strict=True)]
    assert find_edits_batch(texts, config, came) == one_by_one
