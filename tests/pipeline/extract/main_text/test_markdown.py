"""Main text as Markdown."""

import pytest

from pipeline.extract.main_text.blocks import read_source
from pipeline.extract.main_text.markdown import write_markdown


def markdown_of(html: str) -> str:
    """All blocks of a page as Markdown."""
    page, source = read_source(html, is_whole=False)
    return write_markdown(page, source, [True] * len(page.texts))


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<h1>題</h1><p>一つめ</p><p>二つめ<br>の行</p><h3>節</h3>", "# 題\n\n一つめ\n\n二つめ\nの行\n\n### 節"),
        ("<p>前</p><ul><li>甲<li>乙<ul><li>丙</ul></ul><p>後", "前\n\n- 甲\n- 乙\n  - 丙\n\n後"),
        ("<ol><li>甲</li><li><p>乙</p><p>続き</p></li></ol>", "1. 甲\n2. 乙\n   続き"),
        ("<blockquote><p>引用<p>文</blockquote>地", "> 引用\n\n> 文\n\n地"),
        (
            "<table><tr><th>項<th>値<tr><td>a|b<td>1<tr><td><td>2</table>",
            "| 項 | 値 |\n| --- | --- |\n| a\\|b | 1 |\n|  | 2 |",
        ),
        ("<table><tr><td>一列<tr><td>だけ</table>", "一列\n\nだけ"),
        ("<pre><code class=language-python>def f():\n\n    pass</code></pre>", "```python\ndef f():\n\n    pass\n```"),
        ("<div class='highlight-default'><pre>a `b` ```</pre></div>", "````\na `b` ```\n````"),
        ("<li>手順<pre class='code lang-sh'>ls\n  -l</pre>", "- 手順\n\n  ```sh\n  ls\n    -l\n  ```"),
        ("<p><a href=/>リンク</a>と<b>太字</b>", "リンクと太字"),
        ("<p># 番号<br>1. 一<br>- 線<br>a*b_c &lt;b> &amp;amp; `d` [x](y)", None),
        ("", ""),
    ],
)
def test_the_form_of_blocks_is_kept(html: str, markdown: str | None) -> None:
    expected = "\\# 番号\n1\\. 一\n\\- 線\na\\*b\\_c \\<b> \\&amp; \\`d\\` \\[x](y)"
    assert markdown_of(html) == (expected if markdown is None else markdown)


def test_blocks_that_are_no_main_text_are_left_out() -> None:
    page, source = read_source("<h2>題</h2><p>本文<ul><li>甲<li>乙</ul>", is_whole=False)
    assert write_markdown(page, source, [True, True, False, True]) == "## 題\n\n本文\n\n- 乙"
