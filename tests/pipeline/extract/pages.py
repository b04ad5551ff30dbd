"""Pages for tests: those of the bundled sample, and soups of tags and texts."""

import contextlib
import functools

from hypothesis import strategies as st

from pipeline.extract.charset import decode
from pipeline.extract.http_body import BodyError, decode_body
from pipeline.inputs.formats import read_records
from pipeline.inputs.sources import resolve_inputs
from tests.conftest import SAMPLE

_MOST_BYTES = 10_000_000  # as the default manifest has it
NAMES = (
    *(
        "div",
        "p",
        "ul",
        "li",
        "dl",
        "dd",
        "section",
        "span",
        "pre",
        "button",
        "x-y",
        "a",
        "b",
        "i",
        "table",
        "tr",
        "td",
        "th",
        "tbody",
    ),
    *(
        "svg",
        "math",
        "foreignobject",
        "select",
        "option",
        "nav",
        "form",
        "br",
        "img",
        "html",
        "body",
        "rt",
        "ruby",
        "template",
        "h1",
    ),
    *("title", "xmp", "noscript", "script", "img", "annotation", "rb", "rtc", "mi", "dt", "summary", "o:p", "code"),
)
ATTRIBUTES = (
    "",
    " href=a",
    " class=comment",
    " class='gutter x'",
    " hidden",
    " style='display:none'",
    " id=side",
    "/",
    " alt=式",
    " class=emoji",
    " class=blob-code",
    " class='card collapse'",
    " class=faq",
    " style='white-space:pre'",
    " aria-expanded=x",
    " class=line-numbers",
    " hidden=until-found",
    " display=block",
    " encoding=x-tex",
    " class=katex-html",
)
TEXTS = (
    *("字", "か な", "\n", "  ", "a b", "\xa0", "\u3000", "、\n", "#", "¶", "&amp;", "🔗", "[編集]", "\r\n", "\r", "<!-- c -->"),
    *("<!--", "x\ty", "</", "<", "A1. ", "：", "か。", "式が", "です？", "»", "𠮷", "½"),
)
TAGS = st.builds("<{}{}>".format, st.sampled_from(NAMES), st.just("") | st.sampled_from(ATTRIBUTES))
SOUPS = st.lists(TAGS | st.sampled_from([f"</{name}>" for name in NAMES]) | st.sampled_from(TEXTS), max_size=30).map("".join)


@functools.cache
def sample_pages() -> tuple[str, ...]:
    """The HTML of all pages of the bundled sample whose bodies can be unpacked."""
    pages = []
    for source in resolve_inputs([str(SAMPLE / "*.warc.gz")]):
        for record in read_records(source, _MOST_BYTES):
            if record.kind == "response" and "html" in record.content_type:
                with contextlib.suppress(BodyError):
                    body = decode_body(record.body, record.transfer_encoding, record.content_encoding, _MOST_BYTES)
                    pages.append(decode(body, record.http_charset).text)
    return tuple(pages)
