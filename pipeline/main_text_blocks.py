"""The blocks of an HTML page: its paragraphs, headings, list items, rows of tables and lines of code, in the order of the page.

One walk over the tree that libxml2 builds. A block is a run of text that no element other than inline ones interrupts; it
knows the element that holds it, and each element its parent, its tag and the kinds of words in its class and id. What is
never shown, what only controls the page (buttons, fields, navigation) and line numbers beside code give no text. A walk over
the tree of resiliparse in Python costs three times as much, since each of its nodes is made anew.
"""

import functools
import re
from typing import NamedTuple

from lxml import etree

# Elements whose content is not shown, or is no text; `rt` and `rp` would put the reading of a word into its sentence. Not
# `head`: libxml2 leaves it open before an element that HTML 4 did not know.
_WITHOUT_TEXT = frozenset((
    "title", "script", "style", "noscript", "template", "svg", "iframe", "object", "embed", "canvas", "audio", "video", "select",
    "option", "datalist", "textarea", "button", "input", "annotation", "rt", "rp", "map", "area", "applet", "frameset",
    "nav", "footer",
))  # fmt: skip
# Elements that do not end a line; of all others the browser's own style sheet, or no one, says that they do.
_INLINE = frozenset((
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "blink", "br", "cite", "code", "data", "del", "dfn", "em", "font", "i",
    "img", "ins", "kbd", "label", "mark", "math", "nobr", "output", "picture", "q", "rb", "ruby", "s", "samp", "slot", "small",
    "source", "span", "strike", "strong", "sub", "sup", "td", "th", "time", "tt", "u", "var", "wbr",
))  # fmt: skip
# The tags that tell main text from the rest; the position in this list is the tag's number, 0 any other.
TAGS = (
    "", "p", "li", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "dd", "dt", "pre", "blockquote", "div", "figcaption", "td",
    "article", "main", "aside", "header", "form", "section", "ul", "ol", "dl", "table", "body", "figure",
    "address", "details", "center",
)  # fmt: skip
_TAG_NUMBER = {tag: number for number, tag in enumerate(TAGS)}

# Kinds of words in `class`, `id`, `role` and `itemprop`: what authors and publishing systems call the parts of a page.
WORD_KINDS = {
    "content": "article|body|content|entry|main|post|text|story|markdown|prose|document|blog",
    "article_body": "article-?_?body|articlebody|entry-?_?content|post-?_?(content|body)|main-?_?(content|text)|story-?_?body|"
    "markdown-body|article-?_?(content|text)|blog-?_?body|\\brst-content|\\bprose\\b|article__body|entry-body|\\bhonbun",
    "navigation": "nav|menu|breadcrumb|crumb|pankuzu|topicpath|gnav|skip|sitemap",
    "side": "side|aside|sub-?_?column|rail|widget|\\bleft\\b|\\bright\\b|secondary|complementary",
    "foot": "foot|copyright|bottom|colophon|contentinfo",
    "head": "head|masthead|banner|logo|\\btop\\b",
    "comment": "comment|disqus|respond|reply|discuss|trackback|pingback",
    "related": "relat|recommend|similar|popular|ranking|recent|latest|more|read-?_?next|teaser|outbrain|taboola|see-?_?also|"
    "suggest|trending|kanren|osusume|card",
    "share": "share|sharing|social|sns|tweet|twitter|facebook|follow|bookmark|hatena|like",
    "advertisement": "\\bad\\b|\\bads\\b|advert|sponsor|promo|\\bpr\\b|affiliate|newsletter|subscri|signup|sign-up|campaign|cta|"
    "paywall",
    "meta": "meta|date|time|author|byline|posted|publish|info|credit|profile|bio\\b|avatar|user",
    "tag": "tag|categor|label|topic|keyword|genre",
    "pages": "pag(er|ination|e-?nav)|prev|next|older|newer|neighbor",
    "contents": "toc|table-?of-?contents|index|mokuji",
    "notice": "cookie|consent|modal|popup|overlay|alert|notice|gdpr|banner|toast|privacy",
    "list": "list|archive|items|grid|feed|loop|carousel|slider|gallery",
    "caption": "caption|figure|image|photo|media|wp-caption|thumb|video",
    "title": "title|headline|heading|subject|lead|excerpt|summary|abstract|intro|dek",
    "code": "highlight|code|source|syntax|hljs|prettyprint|console",
    "hidden": "hidden|hide|collapse|sr-only|screen-reader|visually|invisible|print|d-none",
    "form": "form|search|login|input|button|btn|contact|register",
    "message": "message|thread|topic|forum|postbody|post_body|bbs|question|answer|\\bres\\b|review",
}  # fmt: skip
# Classes and ids of what is no main text wherever it stands: line numbers and anchors beside code and headings in Pygments,
# Rouge, Chroma, Hexo and Sphinx; landmarks of ARIA; questions about cookies; readers' comments in WordPress, Movable Type and
# Disqus, which are remarks in code where a `span` bears the class.
_LEFT_OUT = re.compile(
    r"gutter|rouge-gutter|linenos?|linenodiv|lnt|ln|line-numbers?|headerlink|navigation|contentinfo"
    r"|cookie([-_]?(bar|banner|consent|notice|law|policy|popup|message|box|modal))*|(gdpr|consent)[-_]?(bar|banner|notice|popup|modal)"
)
_COMMENTS = frozenset((
    "comments", "comment", "commentlist", "comment-respond", "respond", "disqus_thread", "dsq-brlink",
))  # fmt: skip
_CODE = frozenset(["pre", "listing", "xmp"])
_TOP = frozenset(["html", "body"])  # hidden by style sheets until scripts show them
_HIDING_STYLE = re.compile(r"display:\s*none|visibility:\s*hidden", re.IGNORECASE)
_KIND_PATTERNS = [re.compile(pattern) for pattern in WORD_KINDS.values()]
_SKIP = -1  # in place of an element's bits: it and all in it give no text
# Links to a heading or back from a footnote.
_ANCHOR_SIGNS = frozenset(["#", "¶", "§", "🔗", "^", "↑", "↩", "↩︎", "[編集]", "[edit]"])

_SPACES = re.compile(r"[ \t\r\n\f]+")
_CJK = "\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
# A line break of the source between two characters of a script without spaces is no space.
_BREAK_IN_CJK = re.compile(rf"(?<=[{_CJK}])[ \t\r\f]*\n[ \t\r\n\f]*(?=[{_CJK}])")


class Page(NamedTuple):
    """The blocks of a page, each with its text (lines separated by "\\n"), the number of the element that holds it and how many
    of its characters are links'; and of each element the number of its parent, which is smaller (-1 for the first), of its tag
    in TAGS, and the bits of its WORD_KINDS."""

    title: str  # on one line, "" without one
    texts: list[str]
    holders: list[int]
    link_characters: list[int]
    parents: list[int]
    tags: list[int]
    words: list[int]


def read_page(html: str) -> Page:
    """The blocks of a page and the elements that hold them. Never fails; a page without text has no blocks."""
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    parser.feed(html.encode("utf-8", "replace"))
    try:
        root = parser.close()
    except etree.XMLSyntaxError:  # there is nothing in it
        root = None
    if root is None:
        return Page("", [], [], [], [], [], [])
    title = next(root.iter("title"), None)
    reader = _Reader("" if title is None else " ".join("".join(title.itertext()).split()))
    reader.read(root)
    return reader.page


def _bits_of(element: etree._Element) -> int:
    attributes = element.attrib
    if not attributes:
        return 0
    style = attributes.get("style")
    if "hidden" in attributes or (style is not None and _HIDING_STYLE.search(style)):
        return _SKIP
    bits = 0
    for name in ("class", "id", "role", "itemprop"):
        value = attributes.get(name)
        if value:
            for word in value.split():
                if word in _COMMENTS and element.tag != "span":
                    return _SKIP
                bits |= _word_bits(word)
    return _SKIP if bits < 0 else bits


@functools.lru_cache(maxsize=50_000)
def _word_bits(word: str) -> int:
    word = word.lower()
    if _LEFT_OUT.fullmatch(word):
        return _SKIP
    return sum(1 << bit for bit, pattern in enumerate(_KIND_PATTERNS) if pattern.search(word))


class _Reader:
    """The walk: the elements that are open, and the pieces of text since the last block ended."""

    def __init__(self, title: str) -> None:
        self.page = Page(title, [], [], [], [], [], [])
        self.pieces: list[str] = []
        self.links = 0
        self.holder = -1

    def read(self, root: etree._Element) -> None:
        page = self.page
        walk = etree.iterwalk(root, events=("start", "end"))
        open_elements: list[tuple[int, int]] = []  # of each: its parent, and the element that holds its parent's text
        current = holder = -1
        link_depth = code_depth = 0
        is_skipped = False
        for event, element in walk:
            tag = element.tag
            if event == "start":
                bits = _SKIP if tag in _WITHOUT_TEXT else _bits_of(element)
                if tag in _TOP:
                    bits = max(0, bits)
                if bits == _SKIP:
                    walk.skip_subtree()
                    is_skipped = True
                    continue
                is_inline = tag in _INLINE
                if not is_inline:
                    self._end_block(code_depth > 0)
                open_elements.append((current, holder))
                page.parents.append(current)
                page.tags.append(_TAG_NUMBER.get(tag, 0))
                page.words.append(bits)
                current = len(page.parents) - 1
                if not is_inline:
                    holder = current
                link_depth += tag == "a"
                code_depth += tag in _CODE
                if self.pieces and tag == "br":
                    self.pieces.append("\n" if code_depth else "\0")
                elif self.pieces and tag in ("td", "th"):
                    self.pieces.append(" ")
                text = element.text
            else:
                if is_skipped:
                    is_skipped = False
                else:
                    if tag not in _INLINE:
                        self._end_block(code_depth > 0)
                    current, holder = open_elements.pop()
                    link_depth -= tag == "a"
                    code_depth -= tag in _CODE
                text = element.tail
            if text:
                self._add(text, holder, link_depth > 0)
        self._end_block(False)

    def _add(self, text: str, holder: int, is_link: bool) -> None:
        if is_link:
            bare = text.strip()
            if bare in _ANCHOR_SIGNS:
                return
            self.links += len(bare)
        if not self.pieces:
            self.holder = holder
        self.pieces.append(text)

    def _end_block(self, is_code: bool) -> None:
        if not self.pieces:
            return
        text = "".join(self.pieces)
        if is_code:
            text = text.strip("\r\n").rstrip()
        else:
            if "\n" in text:
                text = _BREAK_IN_CJK.sub("", text)
            text = _SPACES.sub(" ", text).strip()
            if "\0" in text:
                text = "\n".join(line for line in map(str.strip, text.split("\0")) if line)
        if text and not text.isspace():
            self.page.texts.append(text)
            self.page.holders.append(self.holder)
            self.page.link_characters.append(self.links)
        self.pieces.clear()
        self.links = 0
