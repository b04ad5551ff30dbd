"""Blocks of pages: what ends a block, what gives no text, and which element contains a block."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree, NodeType

from pipeline.extract.main_text.blocks import TAGS, Page, read_page
from pipeline.extract.main_text.building import MOST_BLOCKS
from pipeline.extract.main_text.class_names import WORD_KINDS
from tests.pipeline.extract.main_text.restatement import page_of
from tests.pipeline.extract.pages import SOUPS, sample_pages


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        ("<p>一つめ<p>二つ<b>め</b>です", ["一つめ", "二つめです"]),
        ("<div>前<p>中</p>後</div>", ["前", "中", "後"]),
        ("<p>上の行<br>下の行<br>", ["上の行\n下の行"]),
        ("<ul><li>甲<ul><li>乙</ul><li>丙</ul>", ["甲", "乙", "丙"]),
        ("<table><tr><th>部門<th>重さ<tr><td>甲<td>10キロ</table>", ["部門\t重さ", "甲\t10キロ"]),
        ("<table><tr><td><p>左の段</p><td><p>右の段</p></table>", ["左の段", "右の段"]),
        ("<pre>if a:\n    b\n\n</pre>", ["if a:\n    b"]),
        ("<p>改行は\n  ここだけ、in\n English</p>", ["改行はここだけ、in English"]),
        ("<p>漢字<ruby>振<rp>(</rp><rt>ふ</rt><rp>)</rp></ruby>る</p>", ["漢字振る"]),
        ("<h2>見出し<a href=#a>¶</a></h2>", ["見出し"]),
        ("<p>見える</p><p hidden>隠す</p><p style='display: none'>隠す</p><script>x</script><button>押す</button>", ["見える"]),
        ("<body style='display:none'><p>後で見せる</p>", ["後で見せる"]),
        ("<table><td class=gutter>101</td><td><pre>x = 1</pre></table>", ["x = 1"]),
        ("<div id=comments>いいね</div><pre>x <span class=comment># 註</span></pre><footer>奥付</footer>", ["x # 註"]),
        ("<p>navは古い<nav>目次</nav>", ["navは古い"]),
        ("<table><tr><td>甲</td>\n<td>乙</td></table>", ["甲\t乙"]),
        ("<table><thead><tr>\n<th>項目</th>\n<th>値</th>\n</tr></thead></table>", ["項目\t値"]),
        ("<p>前<noscript><p>代わり<a href=/></noscript>後", ["前後"]),
        ("前<noscript>閉じない<p>も", ["前"]),
        ("<p>上<br>&nbsp;<br> 下&nbsp; <br></p>", ["上\n下"]),
        ("<pre>  a\r\n<br><br>b\r </pre>", ["  a\n\n\nb"]),
        ("<p>10時<meta content=a>場所</p><hr>末", ["10時 場所", "末"]),
        ("<html><head></head></html><body><p>後の本文</p></body></html>末", ["後の本文", "末"]),
        ("<svg><title/><path d=a><p>絵の後</p>", ["絵の後"]),
        ("<svg><foreignobject><p>絵の中</p></foreignobject></svg><p>外", ["外"]),
        ("<h2>題<a class=headerlink href=#>¶</h2><p>本文</p><nav>閉じない", ["題", "本文"]),
        ("<select><option>一<option>二</select>後<select>三<select>四", ["後四"]),
        ("前<span hidden>隠<b>す</span>後</b>", ["前後"]),
        ("</p>前</p>後<!-- <p> -->も</div>なお", ["前", "後もなお"]),
        ("<p>&lt;p&gt;&amp;amp;&#9312;</p>", ["<p>&amp;①"]),
        ("<table><tr><td><p>甲</p><td><p>一</p><tr><td><p>乙</p><td><p>二</p></table>", ["甲\t一", "乙\t二"]),
        ("<table><tr><td></td><td><p>甲</p><tr><td></td><td><p>乙</p></table>", ["甲", "乙"]),
        ("", []),
        ("<!-- 何も -->", []),
    ],
)
def test_blocks_are_the_lines_that_a_reader_sees(html: str, texts: list[str]) -> None:
    assert read_page(html).texts == texts


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("海が<g-emoji>☀</g-emoji>まぶしい", "海が☀まぶしい"),
        ("船は<st1:place>横浜</st1:place>へ", "船は横浜へ"),
        ("型は vector<int> です", "型は vector です"),
        ("<x-panel>前<div>中</div>後</x-panel>外", "前\n中\n後\n外"),
        ("<math><semantics><mrow><mi>E</mi>\n<mo>=</mo> <mn>2</mn></mrow></semantics></math>である", "E=2である"),
        (
            "<math><mfrac><mi>a</mi><mi>b</mi></mfrac><annotation encoding=application/x-tex>\\frac ab</annotation></math>を",
            "\\frac abを",
        ),
        ("和<math display=block><mi>x</mi></math>差", "和\nx\n差"),
        (
            "<span class=katex><span class=k><math><mi>a</mi></math></span><span class=katex-html>a</span></span>は",
            "aは",
        ),
        ("<ruby><rb>東<rt>とう<rb>京<rt>きょう<rtc><rt>トウ</rt></rtc></ruby>へ", "東京へ"),
        ("質量は<img alt=E>という", "質量はEという"),
        ("写真です。<img alt=海>海へ", "写真です。海へ"),
        ("アイコン<img alt=アイコン>を押す", "アイコンを押す"),
        ("邪<img class=gaiji alt=馬台>国と<img class=gaiji>国", "邪馬台国と〓国"),
        ("<img alt=😀>晴れ", "😀晴れ"),
        ("E=mc<sup>2</sup>", "E=mc2"),
    ],
)
def test_words_and_formulas_stay_in_their_sentences(html: str, text: str) -> None:
    assert "\n".join(read_page(html).texts) == text


CODE = "def f(x):\n    if x:\n        return 1\n\n    return 2"


@pytest.mark.parametrize(
    "html",
    [
        "<pre><code>{}</code></pre>".format(CODE.replace("\n", "<br>")),
        f"<pre class=line-numbers><code>{CODE}<span class=line-numbers-rows><span></span></span></code></pre>",
        "<pre><code>{}</code></pre>".format("".join(f"<div class=line>{line}</div>" for line in CODE.split("\n"))),
        "<pre><code>{}</code></pre>".format("\n".join(f"<div class=line>{line}</div>" for line in CODE.split("\n"))),
        "<pre><ol class=linenums>{}</ol></pre>".format("".join(f"<li>{line}" + "</li>" for line in CODE.split("\n"))),
        "<pre><code>{}</code></pre>".format("".join(f"<span class=linenumber>1</span>{line}\n" for line in CODE.split("\n"))),
        "<table class=highlight>\n{}</table>".format(
            "".join(f"<tr>\n <td class=blob-num>1</td>\n <td class=blob-code>{line}</td>\n</tr>\n" for line in CODE.split("\n"))
        ),
        "<pre><table>{}</table></pre>".format(
            "".join(f"<tr><td class=hljs-ln-numbers>1</td><td class=hljs-ln-code>{line}</td></tr>" for line in CODE.split("\n"))
        ),
        "<table><td class=crayon-nums><div class=crayon-num>1</div><td><div class=crayon-pre>{}</div></table>".format(
            "".join(f"<div>{line.replace(' ', '&nbsp;')}</div>" for line in CODE.split("\n"))
        ),
        "<div class=CodeMirror-code>{}</div>".format("".join(f"<pre>{line}</pre>" for line in CODE.split("\n"))),
        "<div style='white-space: pre'>{}</div>".format("".join(f"<div>{line}</div>" for line in CODE.split("\n"))),
    ],
)
def test_code_is_one_block_with_its_lines_and_without_their_numbers(html: str) -> None:
    page = read_page(f"<h2>題</h2>{html}<p>後")
    assert page.texts == ["題", CODE, "後"]


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        ("<h3><button>問い</button></h3>答え", ["問い", "答え"]),
        ("<h3>題<button>編集</button></h3>", ["題"]),
        ("<summary><button>問い</button></summary>", ["問い"]),
        ("<button aria-expanded=false><span>出ますか。</span></button><div>答え</div>", ["出ますか。", "答え"]),
        ("<button aria-controls=menu>メニュー</button><div>本文</div>", ["本文"]),
        ("<div class=faq><button aria-controls=a>送料</button><p style='display:none'>無料</p></div>", ["送料", "無料"]),
        ("<div hidden=until-found>答え</div><div hidden>隠す</div>", ["答え"]),
    ],
)
def test_what_a_click_shows_is_shown(html: str, texts: list[str]) -> None:
    assert read_page(html).texts == texts


@pytest.mark.parametrize(
    ("html", "texts", "left_out"),
    [
        ("<nav>目次</nav><button>押す</button>本文", ["目次", "本文"], 2),
        ("<p>本文<p hidden>隠す<p style='visibility: hidden'>隠す", ["本文", "隠す", "隠す"], 4),
        ("<div id=comments>いいね</div><footer>奥付</footer>", ["いいね", "奥付"], 5),
        ("<noscript><p title=abc>代わりMap<img alt=b></noscript>後", ["代わりMap後"], 6),
        ("<svg><text>図</text></svg><select><option>一</select><script>x</script>", [], 0),
    ],
)
def test_the_whole_page_has_what_is_left_out_but_not_what_is_no_text(html: str, texts: list[str], left_out: int) -> None:
    assert read_page(html, is_whole=True).texts == texts
    assert read_page(html).letters_left_out == left_out
    assert read_page(html, is_whole=True).letters_left_out == 0


def test_a_page_is_read_as_far_as_its_most_blocks() -> None:
    texts = read_page("<title>題</title>" + "<p>a" * (MOST_BLOCKS - 1) + "<p>b<p>c").texts
    assert len(texts) == MOST_BLOCKS
    assert texts[-1] == "b"


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
    page = read_page("<div>前<svg><text>図</text></svg>後<a href=/>リ<script>x</script>ンク</a>末</div>")
    assert page.texts == ["前後リンク末"]
    assert page.link_characters == [3]


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ("<p>前<a href=/>中 の</a>後", 3),
        ("<p><a href=/> 前 </a><a href=/>後</a>", 2),
        ("<p><a name=top>印", 0),
        ("<p><a href=/>閉じない<p>次も</a>終", 4),
        ("<p><a href=/>一<!-- -->二</a>", 2),
        ("<p>註<a href=#>#<!-- --></a>", 0),
    ],
)
def test_characters_of_links_are_counted_without_the_spaces_around_them(html: str, links: int) -> None:
    assert read_page(html).link_characters[0] == links


def test_a_link_left_open_goes_on_in_the_next_block_and_in_no_other_cell() -> None:
    assert read_page("<div><p><a href=/>甲<p>乙<p>丙</a><p>丁").link_characters == [1, 1, 1, 0]
    assert read_page("<table><tr><td><a href=/>甲<tr><td>乙</table>").link_characters == [1, 0]


def chain(page: Page, block: int) -> list[str]:
    """The tags of the elements around a block, innermost first, only those in TAGS."""
    tags, element = [], page.holders[block]
    while element >= 0:
        tags.append(TAGS[page.tags[element]])
        element = page.parents[element]
    return [tag for tag in tags if tag]


def restated_chains(html: str) -> dict[str, list[str]]:
    """The same by letter, from the tree that lexbor builds."""
    found = {}
    body = HTMLTree.parse(html).body
    assert body is not None
    for node in body:
        if node.type == NodeType.TEXT:
            above, parent = [], node.parent
            while parent is not None:
                above.append(parent.tag)
                parent = parent.parent
            if "pre" in above:  # of which the lines are no blocks
                above = above[len(above) - 1 - above[::-1].index("pre") :]
            found.update({letter: [tag for tag in above if tag in TAGS] for letter in node.text or ""})
    return found


def test_an_end_tag_of_an_item_does_not_reach_out_of_the_list_inside_it() -> None:
    assert chain(read_page("<ul><li>甲<ul></li>乙"), 1) == ["ul", "li", "ul", "body"]


NESTED = ("div", "p", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "section", "span", "pre", "button", "x-y")


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from([*(f"<{name}>" for name in NESTED), *(f"</{name}>" for name in NESTED)]), max_size=20))
def test_elements_nest_as_in_a_browser_however_their_tags_are_left_out(tags: list[str]) -> None:
    html = "".join(tag + chr(0x4E00 + number) for number, tag in enumerate(tags))
    page, chains = read_page(html), restated_chains(html)
    for block, text in enumerate(page.texts):
        for letter in text.replace("\n", ""):
            assert chain(page, block) == chains[letter]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from(["<div>", "</div>", "<p>", "<a href=b>", "</a>", "<br>", "<td>", "<pre>", "</pre>", "字", " ", "\n"])
    )
)
def test_parents_come_before_children_and_no_letter_is_lost(pieces: list[str]) -> None:
    page = read_page("".join(pieces))
    assert all(parent < number for number, parent in enumerate(page.parents))
    assert page.parents[:1] in ([], [-1])
    assert sum(text.count("字") for text in page.texts) == pieces.count("字")
    assert all(0 <= links <= len(text) for links, text in zip(page.link_characters, page.texts, strict=True))


@settings(max_examples=300, deadline=None)
@given(SOUPS, st.booleans())
def test_blocks_of_any_markup_are_those_of_the_restatement(html: str, is_whole: bool) -> None:
    assert read_page(html, is_whole) == page_of(html, is_whole)


@pytest.mark.parametrize("is_whole", [False, True])
def test_blocks_of_real_pages_are_those_of_the_restatement(is_whole: bool) -> None:
    for html in sample_pages():
        assert read_page(html, is_whole) == page_of(html, is_whole)
