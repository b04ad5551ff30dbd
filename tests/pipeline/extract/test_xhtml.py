"""Pages in XHTML, rewritten as HTML."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.xhtml import as_html


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ('<script src="a.js"/>x', '<script src="a.js"></script>x'),
        ("<title/><style /><iframe\n/>", "<title></title><style ></style><iframe\n></iframe>"),
        ('<a id="x"/>x<div class="clear"/>y', '<a id="x"></a>x<div class="clear"></div>y'),
        ("<SELECT/><textarea/><object/>", "<SELECT></SELECT><textarea></textarea><object></object>"),
        ('<br/><img src="a" /><HR/>', '<br/><img src="a" /><HR/>'),
        ("<p title='a/>b'>c</p>", "<p title='a/>b'>c</p>"),
        ("<a href=b/>c</a>", "<a href=b/>c</a>"),
        ("<p>a<![CDATA[b < c & <i>]]>d</p>", "<p>ab &lt; c &amp; &lt;i&gt;d</p>"),
        ("<script>//<![CDATA[\na('</script>');\n//]]></script>x", "<script></script>x"),
        ("<script>if (a<b && c) x = '<p/>';</script>x", "<script></script>x"),
        ("<?xml version='1.0'?><?php echo '<p>' ?>x", "x"),
        ('<!DOCTYPE html [ <!ENTITY a "<b>"> ]>x', "<!DOCTYPE html >x"),
        ('<!DOCTYPE html PUBLIC "-//W3C" "http://a">x', '<!DOCTYPE html PUBLIC "-//W3C" "http://a">x'),
        ("<!-- <p/> -->x", "<!-- <p/> -->x"),
        ("1 < 2 <3 </ p>", "1 < 2 <3 </ p>"),
        (
            '<h:html xmlns:h="http://www.w3.org/1999/xhtml"><h:p>a</h:p><h:br/><h:div/></h:html>',
            '<html xmlns:h="http://www.w3.org/1999/xhtml"><p>a</p><br/><div></div></html>',
        ),
        ("<svg:path/>", "<svg:path></svg:path>"),
        ("<p>a</p", "<p>a</p"),
        ("<!-- a", "<!-- a"),
        ("<![CDATA[a", "a"),
        ("<script>a", "<script>"),
    ],
)
def test_each_difference_between_the_two(page: str, expected: str) -> None:
    assert as_html(page) == expected


@given(st.text(alphabet="<>/!?-[]CDATA\"'= abscript:") | st.text())
def test_any_text_is_rewritten(page: str) -> None:
    assert as_html(as_html(page)) is not None


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<a b='", '<a b="', "<!", "<!DOCTYPE a [", "<?", "<![CDATA[", "<script>", "<a =", "<!--"]
)
def test_any_markup_takes_linear_time(piece: str) -> None:
    began = time.process_time()
    as_html(piece * 200_000)
    assert time.process_time() - began < 5  # quadratic time would be minutes
