r"""What the words in an element's `class`, `id`, `role` and `itemprop` say about it: names that authors give to parts of a page.

Each start tag is checked against two dozen groups of words. Searching for one group after the other took longer than reading the
page, and a cache helps little, because many elements have their own id. So one automaton for all words reads each byte of an
attribute once.

The tables are alternatives of Python's `re` that use four signs: `?` for an optional letter, `\b` for the edge of a run of
letters, digits and underscores, `^` and `$` for the edges of the word. Case is ignored.
"""

import functools
from itertools import product

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.html.tokens import HIDDEN_VALUE, STYLE, Tokens
from pipeline.text.word_automaton import automaton_of

WORD_KINDS = {
    "content": r"article|body|content|entry|main|post|text|story|markdown|prose|document|blog",
    "article_body": r"article-?_?body|entry-?_?content|post-?_?content|post-?_?body|main-?_?content|main-?_?text|story-?_?body"
    r"|article-?_?content|article-?_?text|blog-?_?body|article__body|entry-body|markdown-body|\brst-content|\bprose\b|\bhonbun",
    "navigation": r"nav|menu|breadcrumb|crumb|pankuzu|topicpath|gnav|skip|sitemap",
    "side": r"side|aside|sub-?_?column|rail|widget|\bleft\b|\bright\b|secondary|complementary",
    "foot": r"foot|copyright|bottom|colophon|contentinfo",
    "head": r"head|masthead|banner|logo|\btop\b",
    "comment": r"comment|disqus|respond|reply|discuss|trackback|pingback",
    "related": r"relat|recommend|similar|popular|ranking|recent|latest|more|read-?_?next|teaser|outbrain|taboola|see-?_?also"
    r"|suggest|trending|kanren|osusume|card",
    "share": r"share|sharing|social|sns|tweet|twitter|facebook|follow|bookmark|hatena|like",
    "advertisement": r"\bad\b|\bads\b|advert|sponsor|promo|\bpr\b|affiliate|newsletter|subscri|signup|sign-up|campaign|cta"
    r"|paywall",
    "meta": r"meta|date|time|author|byline|posted|publish|info|credit|profile|bio\b|avatar|user",
    "tag": r"tag|categor|label|topic|keyword|genre",
    "pages": r"pager|pagination|page-?nav|prev|next|older|newer|neighbor",
    "contents": r"toc|table-?of-?contents|index|mokuji",
    "notice": r"cookie|consent|modal|popup|overlay|alert|notice|gdpr|banner|toast|privacy",
    "list": r"list|archive|items|grid|feed|loop|carousel|slider|gallery",
    "caption": r"caption|figure|image|photo|media|wp-caption|thumb|video",
    "title": r"title|headline|heading|subject|lead|excerpt|summary|abstract|intro|dek",
    "code": r"highlight|code|source|syntax|hljs|prettyprint|console",
    "hidden": r"hidden|hide|collapse|sr-only|screen-reader|visually|invisible|print|d-none",
    "form": r"form|search|login|input|button|btn|contact|register",
    "message": r"message|thread|topic|forum|postbody|post_body|bbs|question|answer|\bres\b|review",
}
# Whole words for parts that are never main text. First line numbers and anchors beside code and headings in Pygments,
# Rouge, Chroma, Hexo and Sphinx, landmarks of ARIA, and questions about cookies, whose parts are joined in every way.
_QUESTIONS = product(
    ("cookie", "cookie-", "cookie_", "gdpr", "gdpr-", "gdpr_", "consent", "consent-", "consent_"),
    ("bar", "banner", "consent", "notice", "law", "policy", "popup", "message", "box", "modal"),
)
LEFT_OUT_WORDS = "|".join(
    rf"^{word}$"
    for word in (
        *("gutter", "rouge-gutter", "linenos?", "linenodiv", "lnt", "ln", "headerlink"),
        # GitHub's gist, react-syntax-highlighter, Crayon, highlightjs-line-numbers, VuePress, Prism, Enlighter, editors
        *("blob-num", "js-line-number", "linenumber", "react-syntax-highlighter-line-number", "line-numbers-wrapper"),
        *("crayon-nums?", "crayon-nums-content", "hljs-ln-numbers", "hljs-ln-n", "line-numbers-rows", "line-num", "line-no"),
        *("codemirror-linenumber", "codemirror-gutters", "codemirror-gutter-wrapper", "cm-gutters", "ace_gutter", "linenr"),
        *("diff-line-num", "enlighter-toolbar", "crayon-toolbar", "code-copy", "copy-code-button", "copy-to-clipboard-button"),
        *("navigation", "contentinfo", "cookie", *map("".join, _QUESTIONS)),
    )
)
# Readers' comments in WordPress, Movable Type and Disqus. On a `span` these classes mark comments in code.
COMMENT_WORDS = "^comments?$|^commentlist$|^comment-respond$|^respond$|^disqus_thread$|^dsq-brlink$"
# Words that say how to read an element, and tell the trees nothing. Prism writes `line-numbers` on the code and on parts of the
# page that hold code, Rouge and VuePress on the numbers.
READING_WORDS = {
    "accordion": r"accordion|accordian|\bfaqs?\b|\bfaq_|^panel-group$",
    "collapse": "^collapse$",  # Bootstrap: what a click shows
    "line_numbers": "^line-numbers?$",
    # highlighters that build code of other elements than `pre`: Crayon, SyntaxHighlighter 2 and 3, Enlighter, editors
    "code": "^crayon-pre$|^syntaxhighlighter$|^dp-highlighter$|^enlighter$|^codemirror-code$|^view-lines$|^ace_text-layer$",
    "code_line": "^blob-code$|^blob-code-inner$|^js-file-line$|^hljs-ln-code$",  # a cell per line: GitHub, highlight.js
    # images of characters and formulas: Aozora Bunko, MediaWiki, WordPress, GitHub; and TeX as an annotation of MathML
    "characters": r"gaiji|mwe-math|\bmath|latex|x-tex\b|\btex\b|\bkatex|\bequation|\bformula|emoji|smiley",
    "formula_again": "^katex-html$",  # KaTeX draws again what its MathML says
    "displayed": "^block$|^true$",  # the attribute `display` of MathML and MathJax: a line of its own
}
LEFT_OUT, COMMENTS = 1 << len(WORD_KINDS), 1 << len(WORD_KINDS) + 1
ACCORDION, COLLAPSE, LINE_NUMBERS, CODE_CLASS, CODE_LINE, CHARACTERS, FORMULA_AGAIN, DISPLAYED = (
    COMMENTS << number for number in range(1, len(READING_WORDS) + 1)
)
HIDING_STYLE = DISPLAYED << 1
OF_THE_TREES = ACCORDION - 1  # the bits that features are made of

# Symbols of the automaton: a letter, a digit or byte beyond ASCII, an underscore, a hyphen, any other byte; and, between bytes,
# the edge of a run of letters and the edge of the word.
_OTHER_LETTER, _UNDERSCORE, _HYPHEN, _OTHER, _RUN_EDGE, _WORD_EDGE, SYMBOLS = range(26, 33)


def words_of(page: np.ndarray, tokens: Tokens) -> np.ndarray:
    """By token the bits of the WORD_KINDS, LEFT_OUT, COMMENTS and READING_WORDS in its attributes, int64.

    A style that hides sets LEFT_OUT and HIDING_STYLE, "white-space: pre" CODE_CLASS, and `hidden=until-found`, which a browser
    shows once the reader searches for it, COLLAPSE.
    """
    owned = (tokens.owners, tokens.attributes, tokens.value_starts, tokens.value_ends)
    words: np.ndarray = _read_attributes(page, len(tokens.kinds), *owned, *_tables())
    return words


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The next states and the bits of the automaton's states, and the symbol of every byte."""
    symbols = np.full(256, _OTHER, dtype=np.uint8)
    symbols[0x80:] = symbols[0x30:0x3A] = _OTHER_LETTER
    symbols[0x41:0x5B] = symbols[0x61:0x7B] = np.arange(26)
    symbols[ord("_")], symbols[ord("-")] = _UNDERSCORE, _HYPHEN
    spellings = (
        {spelling for alternative in words.split("|") for spelling in _spellings(alternative)}
        for words in (*WORD_KINDS.values(), LEFT_OUT_WORDS, COMMENT_WORDS, *READING_WORDS.values())
    )
    automaton = automaton_of(([_symbols_of(word, symbols) for word in words] for words in spellings), SYMBOLS)
    return automaton.next_SA, automaton.bits_S, symbols


def _spellings(word: str) -> list[str]:
    """All spellings of a word with optional letters."""
    head, mark, rest = word.partition("?")
    return [start + end for start in (head, head[:-1]) for end in _spellings(rest)] if mark else [word]


def _symbols_of(word: str, symbols: np.ndarray) -> list[int]:
    """The symbols that the automaton reads for `word`."""
    found = []
    was_letter = None  # unknown at the start, where the word may continue to the left
    for character in word.replace("\\b", "|").replace("^", "^|").replace("$", "|$"):
        if character in "|^$":
            found.append(_RUN_EDGE if character == "|" else _WORD_EDGE)
            was_letter = None
            continue
        symbol = int(symbols[ord(character)])
        is_letter = symbol <= _UNDERSCORE
        if was_letter is not None and is_letter != was_letter:
            found.append(_RUN_EDGE)
        found.append(symbol)
        was_letter = is_letter
    return found


@njit(nogil=True)
def _style_bits(page: np.ndarray, start: int, end: int) -> int:
    """The bits of a style that contains "display: none", "visibility: hidden" or "white-space: pre"."""
    found = 0
    for colon in range(start, end):
        if page[colon] != 0x3A:
            continue
        for name, value, bits in (
            (b"display", b"none", LEFT_OUT | HIDING_STYLE),
            (b"visibility", b"hidden", LEFT_OUT | HIDING_STYLE),
            (b"white-space", b"pre", CODE_CLASS),
        ):
            position = colon + 1
            while position < end and page[position] <= 0x20:
                position += 1
            if colon - len(name) < start or position + len(value) > end:
                continue
            is_it = True
            for index in range(len(name)):
                is_it &= (page[colon - len(name) + index] | 0x20) == name[index]
            for index in range(len(value)):
                is_it &= (page[position + index] | 0x20) == value[index]
            after = position + len(value)
            if is_it and not (bits == CODE_CLASS and after < end and page[after] == 0x2D):  # "pre-wrap" is for prose
                found |= bits
    return found


@njit(nogil=True)
def _read_attributes(
    page: np.ndarray,
    tokens: int,
    owners: np.ndarray,
    attributes: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    next_SA: np.ndarray,
    bits_S: np.ndarray,
    symbols: np.ndarray,
) -> np.ndarray:
    """The bits by token.

    for each attribute:
        a style: what it says of the element
        `hidden`: COLLAPSE if its value is "until-found", the only one with a hyphen
        others:  for each word between white space: the bits of all states that the automaton passes on reading the edge of the
                 word, its symbols with an edge wherever a run of letters begins or ends, and the edge again
    """
    words = np.zeros(tokens, dtype=np.int64)
    for attribute in range(len(owners)):
        start, end = starts[attribute], ends[attribute]
        if attributes[attribute] == STYLE:
            words[owners[attribute]] |= _style_bits(page, start, end)
            continue
        if attributes[attribute] == HIDDEN_VALUE:
            for position in range(start, end):
                if page[position] == 0x2D:
                    words[owners[attribute]] |= COLLAPSE
            continue
        found = 0
        state = 0
        in_word = False
        was_letter = False
        for position in range(start, end + 1):
            byte = page[position] if position < end else 0x20
            if byte <= 0x20:
                if in_word:
                    if was_letter:
                        state = next_SA[state, _RUN_EDGE]
                        found |= bits_S[state]
                    found |= bits_S[next_SA[state, _WORD_EDGE]]
                in_word = was_letter = False
                continue
            if not in_word:
                state = next_SA[0, _WORD_EDGE]
                in_word = True
            symbol = symbols[byte]
            is_letter = symbol <= _UNDERSCORE
            if is_letter != was_letter:
                state = next_SA[state, _RUN_EDGE]
                found |= bits_S[state]
            state = next_SA[state, symbol]
            found |= bits_S[state]
            was_letter = is_letter
        words[owners[attribute]] |= found
    return words
