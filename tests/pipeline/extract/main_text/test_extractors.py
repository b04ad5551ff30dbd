"""Titles and main texts, their normal form, and pages that must not crash the extractor."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.config import Extractor
from pipeline.extract.main_text.extractors import MainText, extract_main_text
from pipeline.extract.main_text.public_extractors import normal_form

PARAGRAPHS = [
    "川沿いの道を歩いていると、古い水車小屋が見えてきた。屋根は苔におおわれ、水の音だけが響いていた。",
    "小屋の主人は、祖父の代から粉をひいてきたと話してくれた。石臼は三年に一度、目立てをするという。",
    "帰りぎわに、ひきたてのそば粉を一袋もらった。家に着くころには、夕日が山の端に沈みかけていた。",
]
ARTICLE = "".join(f"<p>{paragraph}</p>\n" for paragraph in PARAGRAPHS)
PAGE = f"""<!doctype html><html lang=ja><head><title>
  水車小屋を\u3000訪ねて | 山里だより </title><style>p {{ color: red }}</style></head><body>
<nav><ul><li><a href=/>ホーム</a><li><a href=/list>記事一覧</a></ul></nav>
<main><article><h1>水車小屋を訪ねて</h1>{ARTICLE}</article></main>
<section id=comments><p>通りすがりの者ですが、とてもよい記事でした。また読みます。</p></section>
<footer><p>山里だより編集部 無断転載を禁じます</p></footer><script>track("ページ")</script></body></html>"""


@pytest.mark.parametrize("extractor", ["auto", "blocks", "resiliparse", "trafilatura"])
def test_the_article_is_found_and_its_surroundings_are_not(extractor: Extractor) -> None:
    found = extract_main_text(PAGE, extractor)
    assert found.title == "水車小屋を 訪ねて | 山里だより"
    for paragraph in PARAGRAPHS:
        assert paragraph in found.text
    for other in ("ホーム", "記事一覧", "通りすがり", "無断転載", "track", "color"):
        assert other not in found.text


def test_auto_takes_the_blocks_where_they_hold_the_text() -> None:
    assert extract_main_text(PAGE, "auto") == extract_main_text(PAGE, "blocks")
    assert extract_main_text(PAGE, "auto").extractor == "blocks"


@pytest.mark.parametrize(
    "around",
    [
        "<div style='display: none'>{}</div>",
        "<div id=gdpr-box>{}</div>",
        "<nav><ul><li><a href=/>ホーム</a></ul><article>{}</article>",
        "<noscript>{}</noscript><button>読む</button>",
        "<section class=comments>{}</section>",
    ],
    ids=["hidden until scripts run", "taken for a question", "navigation not closed", "noscript", "comments"],
)
def test_auto_reads_the_whole_page_where_nearly_all_of_it_is_left_out(around: str) -> None:
    page = f"<html><head><title>水車小屋</title></head><body><p>山里</p>{around.format(ARTICLE * 2)}</body></html>"
    assert PARAGRAPHS[0] not in extract_main_text(page, "blocks").text
    found = extract_main_text(page, "auto")
    assert (found.title, found.extractor) == ("水車小屋", "whole_page")
    assert PARAGRAPHS[0] in found.text


def test_auto_takes_no_menu_for_text_that_was_left_out() -> None:
    menu = "".join(f"<li><a href=/{number}>コマンドの説明 {number}</a>" for number in range(300))
    page = f"<nav><ul>{menu}</ul><div>{ARTICLE}</div></nav><h1>型の変換</h1>"  # a preview in a menu
    assert extract_main_text(page, "auto") == MainText("", "型の変換", "blocks")


def test_auto_takes_the_best_blocks_where_none_is_main_text_unless_the_page_shows_next_to_nothing() -> None:
    links = "".join(f"<p><a href=/{number}>石臼を目立てする、その{number}</a>" for number in range(5))
    page = f"<ul><li><a href=/>ホーム</a><li><a href=/b>一覧</a></ul><h1>水車の記事</h1>{links}"
    assert extract_main_text(page, "blocks").text == ""
    found = extract_main_text(page, "auto")
    assert found.extractor == "best_blocks"
    assert "石臼を目立てする" in found.text
    assert "一覧" not in found.text
    assert extract_main_text("<ul><li><a href=/>戻る</a></ul>", "auto") == MainText("", "", "blocks")


def test_line_numbers_beside_code_are_left_out() -> None:
    code = '<table><tr><td class="gutter"><pre>101\n102</pre></td><td class="code"><pre>x = 1\ny = 2</pre></td></tr></table>'
    text = extract_main_text(PAGE.replace("</article>", code + "</article>"), "resiliparse").text
    assert "x = 1" in text
    assert "101" not in text


def test_tables_of_the_reference_are_cells_without_bars() -> None:
    rows = "".join(f"<tr><td>{name}の部</td><td>{number}0キロ</td></tr>" for number, name in enumerate("甲乙丙", 1))
    table = f"<table><tr><th>部門</th><th>重さ</th></tr>{rows}</table>"
    text = extract_main_text(PAGE.replace("</article>", table + "</article>"), "trafilatura").text
    assert re.search("^部門 +重さ$", text, re.MULTILINE)
    assert re.search("^乙の部 +20キロ$", text, re.MULTILINE)
    assert "|" not in text
    assert "---" not in text


def test_the_reference_does_not_remember_earlier_pages() -> None:
    texts = {extract_main_text(PAGE, "trafilatura").text for _ in range(5)}
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("\n\n a \n\n\n\nb\t \n", "a\n\nb"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\n  b\u3000\n\xa0\nc", "a\n  b\n\nc"),
        ("a\0b", "ab"),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    assert normal_form(text) == expected


@given(st.text(alphabet="あa \t\r\n\u3000\0\v"))
def test_normal_form_holds_and_is_stable(text: str) -> None:
    formed = normal_form(text)
    assert normal_form(formed) == formed
    assert formed == formed.strip()
    assert "\0" not in formed
    assert "\n\n\n" not in formed
    assert all(line == line.rstrip() for line in formed.split("\n"))


CHARACTERS = "<>&;\"'=/ \n\0\ud800\udfffあ"
TAGS = ["<p>", "</p>", "<table>", "<td>", "<b><i>", "<svg>", "<![CDATA[", "]]>", "<!--", "-->", "<script>", "<title>"]
REFERENCES = ["&#xD800;", "&#0;", "&#x110000;", "<?xml version='1.0' encoding='euc-jp'?>", "本文です。" * 20]
PIECES = st.sampled_from([*CHARACTERS, *TAGS, *REFERENCES])


@settings(deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from(["auto", "blocks", "resiliparse", "trafilatura"]))
def test_broken_markup_gives_text_that_can_be_written(page: str, extractor: Extractor) -> None:
    found = extract_main_text(page, extractor)
    assert isinstance(found, MainText)
    for text in (found.title, found.text):
        text.encode("utf-8")
        assert "\0" not in text
    assert found.text == normal_form(found.text)
    assert "\n" not in found.title


@pytest.mark.parametrize("extractor", ["auto", "blocks", "resiliparse", "trafilatura"])
@pytest.mark.parametrize("page", ["", " ", "<", "<html>", "<title></title>", "<frameset><frame src=a></frameset>"])
def test_pages_without_text(page: str, extractor: Extractor) -> None:
    found = extract_main_text(page, extractor)
    assert found.title == ""
    assert found.text in ("", "<")
