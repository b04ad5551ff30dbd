"""The stages for one text at a time: the same code and the same results as in a run, without files.

Every function checks its arguments: TypeError for the wrong type, such as bytes instead of a text; UserError for an empty text, a
text that UTF-8 cannot encode, or an unknown name. Positions and lengths are in code points, as in Python.
"""

import functools
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from pipeline.clean.config import CleanConfig
from pipeline.clean.stage import find_edits
from pipeline.config import Config, explained
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.minhash import has_signature, signatures, similarity
from pipeline.dedup.signatures import texts_as_compared
from pipeline.errors import UserError
from pipeline.extract.charset import Decoded, decode
from pipeline.extract.config import PRECISE_RULE, ExtractConfig
from pipeline.extract.language import measure_language
from pipeline.extract.main_text.extractors import MainText, extract_main_text
from pipeline.extract.stage import extract
from pipeline.inputs.warc import read_warc
from pipeline.measure.config import MeasureConfig
from pipeline.measure.expression_lists import ExpressionLists, read_lists
from pipeline.measure.stage import measure_stored
from pipeline.pii.config import PiiConfig
from pipeline.pii.stage import find_personal_data as find_in_text
from pipeline.quality.config import QualityConfig, rules_of
from pipeline.text.edits import Edit, apply
from pipeline.text.normal_form import normal_form

Signature = npt.NDArray[np.uint8]
Bounds = Mapping[str, Mapping[str, float | None] | None]
_Section = TypeVar("_Section", bound=Config)

# Records per table: enough that the cost of a table does not matter, few enough that the first page comes at once.
_BATCH_RECORDS = 16


@dataclass(frozen=True)
class ExtractedRecord:
    """The fate of one WARC record.

    rule, value, threshold, detail: why it was dropped, as in the verdicts of a corpus; None, None, None and "" if it was kept.
    title, text, charset, language: of the page; "" if it was dropped. offset: byte of the WARC file at which the record begins.
    """

    doc_id: str
    url: str
    date: str
    record_type: str
    offset: int
    kept: bool
    rule: str | None
    value: float | None
    threshold: float | None
    detail: str
    title: str
    text: str
    charset: str
    language: str


@dataclass(frozen=True)
class Language:
    """The language of a text.

    language: ISO 639 code, `und` for a text without letters. score: probability that the text is Japanese, in [0, 1].
    kana_share: kana among all letters; japanese_share: kana and kanji among all letters; both in [0, 1].
    """

    is_japanese: bool
    language: str
    score: float
    kana_share: float
    japanese_share: float


@dataclass(frozen=True)
class Failure:
    """A rule that a text breaks: the measured number, and the bound that it breaks."""

    rule: str
    value: float
    threshold: float


@dataclass(frozen=True)
class Verdict:
    """The verdict of a profile on a text. failures: every broken rule, in the order of the profile; a run reports the first."""

    kept: bool
    failures: tuple[Failure, ...]


def decode_bytes(content: bytes, http_charset: str | None = None) -> Decoded:
    """Decode the bytes of a page: text, charset, the origin of the charset, and the share of U+FFFD in the text, in [0, 1].

    http_charset: the `charset` of the Content-Type header, if there was one. Raises TypeError, UserError.

    >>> decode_bytes("こんにちは、世界。".encode("shift_jis")).charset
    'shift_jis'
    """
    return decode(_bytes(content, "content"), http_charset)


def extract_html(page: str) -> MainText:
    """The title and the main text of an HTML page in any language, without menus, advertisements and footers.

    For bytes: `extract_html(decode_bytes(content).text)`. The text is as a run stores it, one line per paragraph; it is "" if the
    page has no main text. Raises TypeError, UserError.

    >>> extract_html("<title>猫</title><p>吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。</p>").title
    '猫'
    """
    return extract_main_text(_text(page, "page"), "auto")


def extract_warc(content: bytes) -> Iterator[ExtractedRecord]:
    """Every record of a WARC file, compressed or not, with its page or the rule that dropped it, in the order of the file.

    Raises TypeError, UserError (also if the bytes hold no WARC record).

    >>> from pathlib import Path
    >>> records = extract_warc(Path("data/sample/sample-00000.warc.gz").read_bytes())
    >>> next(record.title for record in records if record.kept)
    '膠と新しい接着剤 | 木工の集い 過去ログ'
    """
    return _extracted(_bytes(content, "content"))


def _extracted(content: bytes) -> Iterator[ExtractedRecord]:
    config = ExtractConfig()
    records = read_warc(io.BytesIO(content), "content", 0, -1, config.max_page_bytes)
    for documents, verdicts in extract(records, "content", config, {}, lambda ordinal: None, _BATCH_RECORDS):
        pages = iter(documents.to_pylist())
        for verdict in verdicts.to_pylist():
            page = next(pages) if verdict["kept"] else {"title": "", "text": "", "charset": "", "lang": ""}
            same = ("doc_id", "url", "date", "record_type", "kept", "rule", "value", "threshold", "detail")
            yield ExtractedRecord(
                **{name: verdict[name] for name in same},
                offset=verdict["warc_offset"],
                title=page["title"],
                text=page["text"],
                charset=page["charset"],
                language=page["lang"],
            )


def identify_language(text: str, title: str = "") -> Language:
    """Whether a text is Japanese, and its language if not; the check that `extract` applies to main texts.

    title: of the page, judged together with the text. Raises TypeError, UserError.

    >>> identify_language("吾輩は猫である。名前はまだ無い。").is_japanese
    True
    >>> identify_language("This is a sentence in English.").language
    'en'
    """
    numbers = measure_language(normal_form(_text(text), came_as_text=True), title)
    is_japanese = PRECISE_RULE.broken_bound(numbers.lang_score) is None
    return Language(is_japanese, numbers.lang, numbers.lang_score, numbers.kana_share, numbers.japanese_share)


def measure_text(text: str) -> dict[str, float | bool]:
    """Every number that a quality rule may judge, by name; `docs/quality.md` explains each one.

    Counts are of code points or lines, fractions are in [0, 1], lengths of sentences and lines are in code points. All but
    `n_chars` and `n_bytes` are of the text without blank lines and invisible characters. Raises TypeError, UserError.

    >>> measure_text("猫です。")["hiragana_fraction"]
    0.5
    """
    measured = measure_stored([_text(text)], [True], _expressions())
    return {name: values[0].item() for name, values in measured.items()}


@functools.cache
def _expressions() -> ExpressionLists:
    return read_lists(MeasureConfig())


def judge_text(text: str, profile: str = "swallow_code", bounds: Bounds | None = None) -> Verdict:
    """Whether a profile keeps a text: `judge_measures` applied to `measure_text`. Raises TypeError, UserError.

    >>> judge_text("短い。").failures[0]
    Failure(rule='num_letters', value=3.0, threshold=400.0)
    """
    return judge_measures(measure_text(text), profile, bounds)


def judge_measures(measures: Mapping[str, float | bool], profile: str = "swallow_code", bounds: Bounds | None = None) -> Verdict:
    """Whether a profile keeps a text with these numbers; measure once, judge many times.

    profile: `swallow_code` or `swallow_paper`. bounds: changes to the profile, as in the manifest's section `quality`. Raises
    UserError for an unknown profile, measure or bound, and for a rule whose number is missing from `measures`.

    >>> measures = measure_text("猫" * 300)
    >>> judge_measures(measures).failures[0].rule
    'num_letters'
    >>> judge_measures(measures, bounds={"num_letters": {"min": 100}}).failures[0].rule
    'top_2gram_character_fraction'
    """
    if "profile" in (bounds or {}):
        raise UserError("bounds are of measures; name the profile by the argument `profile`")
    failures = []
    for rule in rules_of(_section(QualityConfig, profile=profile, **dict(bounds or {}))):
        if rule.measured not in measures:
            raise UserError(f"the rule {rule.name} judges {rule.measured!r}, which was not measured; give all of measure_text")
        value = float(measures[rule.measured])
        threshold = rule.broken_bound(value)
        if threshold is not None:
            failures.append(Failure(rule.name, value, threshold))
    return Verdict(not failures, tuple(failures))


def find_personal_data(text: str, kinds: Sequence[str] | None = None, *, personal_only: bool = False) -> list[Edit]:
    """The personal data in a text: spans with their kind and mask, ordered, without overlaps.

    kinds: the kinds to look for, by default all. personal_only: whether to leave out public contact data of firms and offices.
    Raises TypeError, UserError.

    >>> find_personal_data("連絡先は taro@mail.example.jp です。")
    [Edit(start=5, end=25, kind='email', replacement='［メールアドレス］')]
    """
    wanted = {} if kinds is None else {"kinds": _names(kinds)}
    config = _section(PiiConfig, policy="mask_personal_only" if personal_only else "mask", **wanted)
    return find_in_text(_text(text), config)


def mask_personal_data(text: str, kinds: Sequence[str] | None = None, *, personal_only: bool = False) -> str:
    """The text with masks in place of what `find_personal_data` finds. Raises TypeError, UserError.

    >>> mask_personal_data("連絡先は taro@mail.example.jp です。")
    '連絡先は ［メールアドレス］ です。'
    """
    return apply(text, find_personal_data(text, kinds, personal_only=personal_only))


def cleaning_edits(text: str, steps: Sequence[str] | None = None, *, of_page: bool = False) -> list[Edit]:
    r"""The edits that cleaning makes in a text: spans with step and replacement, ordered, without overlaps.

    steps: the steps to apply, by default all; `docs/quality.md` describes them. of_page: whether the text is the main text of a
    page; white space is removed in these alone. Raises TypeError, UserError.

    >>> cleaning_edits("猫\u200bです。")
    [Edit(start=1, end=2, kind='invisible', replacement='')]
    """
    wanted = {} if steps is None else {"steps": _names(steps)}
    return find_edits(_text(text), _section(CleanConfig, **wanted), came_as_text=not of_page)


def clean_text(text: str, steps: Sequence[str] | None = None, *, of_page: bool = False) -> str:
    """The text after `cleaning_edits`; "" if nothing is left. Raises TypeError, UserError.

    >>> clean_text("今日は晴れ．明日は雨．")
    '今日は晴れ。明日は雨。'
    """
    return apply(text, cleaning_edits(text, steps, of_page=of_page))


def sign_text(text: str) -> Signature:
    """The MinHash signature of a text: uint8 of shape (400,). Texts that cleaning makes equal have equal signatures, everywhere.

    Raises TypeError, and UserError for a text of fewer than 5 characters (white space aside), which has no signature.

    >>> sign_text("吾輩は猫である。").shape
    (400,)
    """
    config = DedupConfig()
    compared = texts_as_compared([_text(text)], [True], CleanConfig())
    signed = signatures(compared, shingle=config.shingle, values=config.values)
    if not has_signature(signed)[0]:
        raise UserError(f"a text of fewer than {config.shingle} characters, white space aside, has no signature")
    return np.asarray(signed[0])


def compare_signatures(a: Signature, b: Signature) -> float:
    """The estimated Jaccard similarity, in [0, 1], of the shingles of two signed texts; duplicates have at least 0.77.

    Its standard error is at most 0.025, that of a share of 400 values. Raises UserError for signatures of different lengths.

    >>> signature = sign_text("吾輩は猫である。")
    >>> compare_signatures(signature, signature)
    1.0
    """
    if a.shape != b.shape or a.ndim != 1:
        raise UserError(f"signatures have one shape, such as (400,), not {a.shape} and {b.shape}; make both with sign_text")
    return float(similarity(int(np.count_nonzero(a == b)), len(a)))


def compare_texts(a: str, b: str) -> float:
    """`compare_signatures` for the signatures of two texts. Raises TypeError, UserError.

    >>> compare_texts("吾輩は猫である。", "吾輩は　猫である。")
    1.0
    """
    return compare_signatures(sign_text(a), sign_text(b))


def _text(text: object, name: str = "text") -> str:
    """Return `text`. Raises TypeError if it is no str, UserError if it is empty or UTF-8 cannot encode it."""
    if not isinstance(text, str):
        remedy = "; decode_bytes(...).text makes one of bytes" if isinstance(text, bytes | bytearray | memoryview) else ""
        raise TypeError(f"{name} must be a str, not {type(text).__name__}{remedy}")
    if not text:
        raise UserError(f"{name} is empty; leave empty ones out before the call")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(
            f"{name} has a lone surrogate at position {error.start}, which UTF-8 cannot hold; replace it by U+FFFD"
        ) from error
    return text


def _bytes(content: object, name: str) -> bytes:
    if not isinstance(content, bytes):
        raise TypeError(f"{name} must be bytes, not {type(content).__name__}; a file's are Path(...).read_bytes()")
    if not content:
        raise UserError(f"{name} is empty; leave empty ones out before the call")
    return content


def _names(names: Sequence[str]) -> Sequence[str]:
    """Wrap a single string: it is one name, not a sequence of letters."""
    return [names] if isinstance(names, str) else names


def _section(kind: type[_Section], **content: Any) -> _Section:
    """A section of the manifest. Raises UserError, which names the nearest valid key or value."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise UserError(explained(error, kind)) from error
