"""Extractors of main text that the project does not use, each as a function from HTML to text, with its default settings.

They are installed in an environment of their own, since some pin older libraries: pip install -e . -r
benchmarks/requirements/main_text.txt.
"""

import importlib.util
from collections.abc import Callable
from typing import NamedTuple

Extract = Callable[[str], str]


class Peer(NamedTuple):
    """An extractor, and the module that it needs."""

    name: str
    module: str
    extract: Extract


def _readability(html: str) -> str:
    import lxml.html
    from readability import Document

    return str(lxml.html.fromstring(Document(html).summary()).text_content())


def _justext(html: str) -> str:
    import justext

    # It has no Japanese stop words; without any, and with these bounds, it is independent of the language (its README).
    paragraphs = justext.justext(html.encode(), frozenset(), stopwords_low=0, stopwords_high=0, encoding="utf-8")
    return "\n".join(paragraph.text for paragraph in paragraphs if not paragraph.is_boilerplate)


def _goose(html: str) -> str:
    from goose3 import Goose

    return str(Goose().extract(raw_html=html).cleaned_text)


def _newspaper(html: str) -> str:
    import newspaper

    article = newspaper.Article("https://example.jp/", fetch_images=False)  # otherwise it would use the network
    try:
        article.download(input_html=html)
        article.parse()
    except ValueError:  # raised for one page of the ground truth; a crawl has such pages, too
        return ""
    return str(article.text)


def _boilerpy(html: str) -> str:
    from boilerpy3.extractors import ArticleExtractor

    return str(ArticleExtractor(raise_on_failure=False).get_content(html))


def _html_text(html: str) -> str:
    import html_text

    return str(html_text.extract_text(html))


def _inscriptis(html: str) -> str:
    import inscriptis

    return str(inscriptis.get_text(html))


PEERS = (
    Peer("readability-lxml", "readability", _readability),
    Peer("jusText", "justext", _justext),
    Peer("newspaper4k", "newspaper", _newspaper),
    Peer("goose3", "goose3", _goose),
    Peer("boilerpy3, article", "boilerpy3", _boilerpy),
    Peer("html-text, the whole page", "html_text", _html_text),
    Peer("inscriptis, the whole page", "inscriptis", _inscriptis),
)


def installed(peer: Peer) -> bool:
    """Whether the module that a peer needs is installed."""
    return importlib.util.find_spec(peer.module) is not None
