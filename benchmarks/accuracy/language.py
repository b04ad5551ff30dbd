"""Language: which pages of the corpus each program takes for Japanese, compared with the labels that are certain.

Recall is over Japanese pages, precision over the pages taken. The cost of a test before extraction is the share of pages in
other languages that it lets through. The final decision is the pipeline's, on a page that passes the rapid check and has a
main text or only a title. Pages without a main text are dropped by another rule and counted separately.

The labels partly come from lid.176 (the corpus's README says how), which favours the rows that use it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.accuracy.table import Row, is_installed, not_installed, pages_of
from pipeline.extract.charset import decode
from pipeline.extract.config import PRECISE_RULE, RAPID_RULE
from pipeline.extract.language import find_language_model, measure_language, rapid_check
from pipeline.extract.main_text.extractors import extract_main_text
from pipeline.rules import Rule
from pipeline.text.normal_form import normal_form

SUBJECT = "2 language"
DECLARED = re.compile(rb"<html[^>]*\slang\s*=\s*[\"']?ja", re.IGNORECASE)
TITLE = re.compile(rb"<title[^>]*>([^<]*)</title>", re.IGNORECASE)


class Decisions(NamedTuple):
    """What each test says about one page; None if there is no such test."""

    is_japanese: bool
    rapid: bool
    final: bool
    kept: bool
    swallow: bool | None
    fasttext_main_text: bool | None


def passes(rule: Rule, value: float) -> bool:
    """Whether a page with this number is kept."""
    return not bool(rule.failures(np.array([value]))[0][0])


def fasttext_says_japanese(text: str) -> bool:
    """Whether Japanese is lid.176's most likely language."""
    find_language_model()
    from ftlangdetect import detect  # reads FTLANG_CACHE, which is set by now

    flat = " ".join(text.split())
    return bool(flat) and detect(flat, low_memory=True)["lang"] == "ja"


def swallow_test(body: bytes) -> bool:
    """The rapid check of Swallow (NLP2024 A6-1, section 3): `lang="ja"`, or a title in Japanese, read as UTF-8, else as
    Shift_JIS, else as EUC-JP. lid.176 replaces Swallow's own model for titles."""
    if DECLARED.search(body):
        return True
    title = TITLE.search(body)
    if title is None:
        return False
    for charset in ("utf-8", "shift_jis", "euc_jp"):
        try:
            return fasttext_says_japanese(title.group(1).decode(charset))
        except UnicodeDecodeError:
            continue
    return False


def decide(body: bytes, http_charset: str | None, is_japanese: bool, asks_fasttext: bool) -> Decisions:
    """Run all tests on one page."""
    evidence = rapid_check(body, http_charset)
    rapid = passes(RAPID_RULE, evidence.score)
    final = kept = False
    swallow = fasttext = None
    if rapid or asks_fasttext:
        main = extract_main_text(decode(body, http_charset).text, "auto")
        text = normal_form(main.text, came_as_text=False)
        if rapid:
            numbers = measure_language(text, main.title, evidence.letters)
            final = passes(PRECISE_RULE, numbers.lang_score)
            kept = final and bool(text)
        if asks_fasttext:
            swallow, fasttext = swallow_test(body), fasttext_says_japanese(text)
    return Decisions(is_japanese, rapid, final, kept, swallow, fasttext)


def figures(taken: list[bool], wanted: list[bool]) -> str:
    """Recall, precision, and the share of other pages that are let through."""
    right = sum(a and b for a, b in zip(taken, wanted, strict=True))
    wrong = sum(taken) - right
    others = len(wanted) - sum(wanted)
    return f"recall {right / sum(wanted):.4f}, precision {right / sum(taken):.4f}, lets through {wrong / others:.2%} of others"


def rows(shared: Path) -> Iterator[Row]:
    """Recall and precision of each test on the pages with certain labels."""
    asks_fasttext = is_installed("ftlangdetect")
    decisions = [
        decide(page.body, page.http_charset, page.label["lang"] == "ja", asks_fasttext)
        for page in pages_of(shared / "corpus")
        if page.label["lang_certain"]
    ]
    wanted = [decision.is_japanese for decision in decisions]
    without_text = sum(decision.final and not decision.kept for decision in decisions)
    pages = f"{sum(wanted):,} Japanese and {len(wanted) - sum(wanted):,} other pages\n"
    yield Row(SUBJECT, "kotokura, rapid check", pages + figures([decision.rapid for decision in decisions], wanted))
    yield Row(
        SUBJECT,
        "kotokura, final decision",
        f"{figures([decision.final for decision in decisions], wanted)}; {without_text} of these pages have no main text",
    )
    yield Row(SUBJECT, "kotokura, with a main text", figures([decision.kept for decision in decisions], wanted))
    for program, column in (
        ("Swallow's lang or title (title by lid.176)", [decision.swallow for decision in decisions]),
        ("fastText lid.176 on the main text", [decision.fasttext_main_text for decision in decisions]),
    ):
        taken = [answer for answer in column if answer is not None]
        yield Row(SUBJECT, program, figures(taken, wanted)) if asks_fasttext else not_installed(SUBJECT, program)
