"""Letters that a page shows, counted from its bytes."""

import html.parser
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.visible_letters import visible_letters


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("", (0, 0, 0)),
        ("かなカナ漢字abc", (4, 2, 3)),
        ("<title>あ</title>い<p class='う'>え", (3, 0, 0)),
        ("<!-- あ<p>い -->う", (1, 0, 0)),
        ("<script>あ if (a<b) {}</script>い<STYLE>う</STYLE>え<noscript>お</noscript>", (2, 0, 0)),
        ("<script>あ</scripture>い</script >う", (1, 0, 0)),
        ("1 < 2 あ", (1, 0, 0)),
        ("“quoted” – é", (0, 1, 6)),
        ("。、・ー「」ゝ", (0, 0, 0)),
        ("Привет 한국", (0, 8, 0)),
        ("😀①", (0, 0, 0)),
        ("<script>あ", (0, 0, 0)),
        ("<!-- あ", (0, 0, 0)),
        ("あ<p い", (1, 0, 0)),
        ("あ<", (1, 0, 0)),
    ],
)
def test_letters_outside_of_markup(page: str, expected: tuple[int, int, int]) -> None:
    assert visible_letters(page.encode()) == expected


def test_without_scripts_noscript_is_shown() -> None:
    page = "<script>あ</script><noscript><p>い</p></noscript><template>う</template>え"
    assert visible_letters(page.encode()).kana == 1
    assert visible_letters(page.encode(), has_scripts=False).kana == 2


class Restated(html.parser.HTMLParser):
    """The same count by the standard library's parser, character by character."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.hidden = 0
        self.kana = self.other = self.ascii = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        for character in "" if self.hidden else data:
            if "ぁ" <= character <= "ヺ" and unicodedata.category(character) == "Lo":
                self.kana += 1
            elif character.isascii():
                self.ascii += character.isalpha()
            elif character.isalpha():
                self.other += 1


WORDS = st.sampled_from(["かな", "カタ", "漢字", "word", "слово", "。", " ", "7", "é"])
ELEMENTS = st.recursive(
    WORDS,
    lambda inner: (
        st.builds(
            lambda tag, parts: f"<{tag} title='あ'>{''.join(parts)}</{tag}>",
            st.sampled_from(["p", "div", "B", "section", "style-guide", "s"]),
            st.lists(inner, max_size=4),
        )
        | st.builds(lambda word: f"<script>{word}</script>", WORDS)
        | st.builds(lambda word: f"<!-- {word} -->", WORDS)
    ),
    max_leaves=20,
)


@given(st.lists(ELEMENTS).map("".join))
def test_well_formed_pages_count_as_a_parser_counts_them(page: str) -> None:
    restated = Restated()
    restated.feed(page)
    restated.close()
    assert visible_letters(page.encode()) == (restated.kana, restated.other, restated.ascii)


@given(st.binary() | st.text(alphabet="<>!-/scriptye あ\"'=").map(str.encode))
def test_any_bytes_are_counted(page: bytes) -> None:
    assert 0 <= visible_letters(page).total <= len(page)
