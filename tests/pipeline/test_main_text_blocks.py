"""Blocks of pages: what ends one, what gives no text, and which element holds it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.main_text_blocks import TAGS, WORD_KINDS, read_page


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        ("<p>一つめ<p>二つ<b>め</b>です", ["一つめ", "二つめです"]),
        ("<div>前<p>中</p>後</div>", ["前", "中", "後"]),
        ("<p>上の行<br>下の行<br>", ["上の行\n下の行"]),
        ("<ul><li>甲<ul><li>乙</ul><li>丙</ul>", ["甲", "乙", "丙"]),
        ("<table><tr><th>部門<th>重さ<tr><td>甲<td>10キロ</table>", ["部門 重さ", "甲 10キロ"]),
        ("<table><tr><td><p>左の段</p><td><p>右の段</p></table>", ["左の段", "右の段"]),
        ("<pre>if a:\n    b\n\n</pre>", ["if a:\n    b"]),
        ("<p>改行は\n  ここだけ、in\n English</p>", ["改行はここだけ、in English"]),
        ("<p>漢字<ruby>振<rp>(</rp><rt>ふ</rt><rp>)</rp></ruby>る</p>", ["漢字振る"]),
        ("<h2>見出し<a href=#a>¶</a></h2>", ["見出し"]),
        ("<p>見える</p><p hidden>隠す</p><p style='display: none'>隠す</p><script>x</script><button>押す</button>", ["見える"]),
        ("<body style='display:none'><p>後で見せる</p>", ["後で見せる"]),
        ("<td class=gutter>101</td><pre>x = 1</pre>", ["x = 1"]),
        ("<div id=comments>いいね</div><pre>x <span class=comment># 註</span></pre><footer>奥付</footer>", ["x # 註"]),
        ("<p>navは古い<nav>目次</nav>", ["navは古い"]),
        ("", []),
        ("<!-- 何も -->", []),
    ],
)
def test_blocks_are_the_lines_that_a_reader_sees(html: str, texts: list[str]) -> None:
    assert read_page(html).texts == texts


def test_a_block_knows_its_element_its_links_and_the_kinds_of_words_around_it() -> None:
    page = read_page('<title> 題\n名 </title><div class="side-bar">ここ<p>は<a href=/>リンク</a>だ</div>')
    assert page.title == "題 名"
    assert page.texts == ["ここ", "はリンクだ"]
    assert [TAGS[page.tags[holder]] for holder in page.holders] == ["div", "p"]
    assert page.link_characters == [0, 3]
    assert page.parents[page.holders[1]] == page.holders[0]
    assert (page.words[page.holders[0]] >> list(WORD_KINDS).index("side")) & 1
    assert not page.words[page.holders[1]]


def test_what_is_not_shown_ends_no_block_and_no_link() -> None:
    page = read_page("<div>前<svg><text>図</text></svg>後<a>リ<script>x</script>ンク</a>末</div>")
    assert page.texts == ["前後リンク末"]
    assert page.link_characters == [3]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["<div>", "</div>", "<p>", "<a>", "</a>", "<br>", "<td>", "<pre>", "</pre>", "字", " ", "\n"])))
def test_parents_come_before_children_and_no_letter_is_lost(pieces: list[str]) -> None:
    page = read_page("".join(pieces))
    assert all(parent < number for number, parent in enumerate(page.parents))
    assert page.parents[:1] in ([], [-1])
    assert sum(text.count("字") for text in page.texts) == pieces.count("字")
    assert all(0 <= links <= len(text) for links, text in zip(page.link_characters, page.texts, strict=True))
