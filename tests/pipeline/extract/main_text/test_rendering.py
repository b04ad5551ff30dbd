"""Texts of blocks, against a restatement on strings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.main_text.rendering import BREAK, CELL, GAP, LINE, LINK, MARK, PLAIN, Pieces, write_texts
from tests.pipeline.extract.main_text.restated_blocks import Piece
from tests.pipeline.extract.main_text.restatement import rendered

TEXT = st.text(alphabet="字かa.#¶ \n\t\f\r\xa0\u3000\x1f", max_size=6) | st.sampled_from(["[編集]", "↩︎", "🔗", "𠮷"])
KINDS = st.sampled_from([PLAIN, LINK, BREAK, CELL, LINE, GAP, MARK])
BLOCKS = st.lists(st.tuples(st.lists(st.tuples(KINDS, TEXT, st.integers(1, 2)), max_size=6), st.booleans()), max_size=4)


def written(blocks: list[tuple[list[Piece], bool]]) -> list[tuple[str, int]]:
    """What `write_texts` makes of pieces whose tokens ascend."""
    pieces = [piece for block, _ in blocks for piece in block]
    texts = {piece.token: piece.text.encode() for piece in pieces}
    tokens = [texts.get(token, b"") for token in range(max(texts, default=-1) + 1)]
    ends = np.cumsum([len(text) for text in tokens], dtype=np.int32)
    starts = ends - np.array([len(text) for text in tokens], dtype=np.int32)
    characters = np.frombuffer(b"".join(tokens) or b"-", dtype=np.uint8)
    kinds, numbers = (np.array(column, dtype=np.int32) for column in ([p.kind for p in pieces], [p.token for p in pieces]))
    are_code = np.array([is_code for _, is_code in blocks], dtype=np.int32)
    ends_B = np.cumsum([len(block) for block, _ in blocks], dtype=np.int32)
    found = write_texts(Pieces(kinds, numbers, are_code, ends_B), characters, starts, ends)
    text = found.characters.tobytes().decode()
    bounds = [0, *found.ends_B.tolist()]
    return [(text[bounds[row] : bounds[row + 1]], int(links)) for row, links in enumerate(found.link_characters_B)]


@pytest.mark.parametrize(
    ("pieces", "text", "links"),
    [
        ([(PLAIN, " 改行は\n ここ、in\n English ")], "改行はここ、in English", 0),
        ([(PLAIN, "甲\xa0"), (BREAK, ""), (PLAIN, " 乙")], "甲\n乙", 0),
        ([(PLAIN, "甲 "), (CELL, ""), (PLAIN, "\xa0乙")], "甲\t乙", 0),
        ([(PLAIN, "甲"), (GAP, ""), (PLAIN, "乙")], "甲 乙", 0),
        ([(PLAIN, "邪"), (MARK, ""), (PLAIN, "国")], "邪〓国", 0),
        ([(PLAIN, "題"), (LINK, " ¶")], "題", 0),
        ([(PLAIN, "前"), (LINK, " 中 の "), (PLAIN, "後")], "前 中 の 後", 3),
        ([(BREAK, ""), (PLAIN, "\u3000")], "", 0),
    ],
)
def test_white_space_is_shown_as_in_a_browser(pieces: list[tuple[int, str]], text: str, links: int) -> None:
    block = [Piece(kind, 2 * number, content) for number, (kind, content) in enumerate(pieces)]
    assert written([(block, False)]) == [(text, links)]


def test_code_keeps_its_white_space() -> None:
    assert written([([Piece(PLAIN, 0, "\r\n  a\r\n\r b\n\n")], True)]) == [("  a\n\n b", 0)]
    lines = [
        Piece(PLAIN, 0, "if a:"),
        Piece(LINE, -1),
        Piece(LINE, 2),
        Piece(PLAIN, 3, "\xa0 b"),
        Piece(BREAK, 4),
        Piece(PLAIN, 5, "c"),
    ]
    assert written([(lines, True)]) == [("if a:\n  b\nc", 0)]


@given(BLOCKS)
def test_texts_are_those_of_the_restatement(drawn: list[tuple[list[tuple[int, str, int]], bool]]) -> None:
    blocks, token = [], 0
    for pieces, is_code in drawn:
        block = []
        for kind, text, step in pieces:  # a step of 1 is a text that goes on after a comment
            block.append(Piece(kind, token := token + step, text if kind in (PLAIN, LINK) else ""))
        blocks.append((block, is_code))
        token += 1
    assert written(blocks) == [rendered(block, is_code) for block, is_code in blocks]
