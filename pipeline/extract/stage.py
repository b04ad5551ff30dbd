"""Stage 1, extract: turns the records of an input into documents.

It keeps Japanese pages that have a main text. Rules drop, each with its value: records that are not pages (requests, redirects,
PDFs, revisits, damaged or truncated records), bodies that cannot be unpacked or decoded, pages that the rapid check finds to be
in another language before they are parsed (Swallow's idea, NLP2024 A6-1 section 3), pages that would overload the parser, and
pages that the precise check finds not to be Japanese. Every record gets a verdict, even if it was never a page.
"""

import hashlib
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

import pyarrow as pa

from pipeline.engine.task import Mark
from pipeline.extract.charset import decode
from pipeline.extract.config import (
    DOCUMENT_SCHEMA,
    NESTING_RULES,
    PRECISE_RULE,
    RAPID_RULE,
    RECORD_VERDICT_SCHEMA,
    RULE_BY_NAME,
    TREE_BUILDING,
    ExtractConfig,
)
from pipeline.extract.content_type import PAGE_TYPES, declared_type, sniffed_kind
from pipeline.extract.html.parser_cost import measure_nesting
from pipeline.extract.http_body import BodyError, BodyTooLargeError, decode_body
from pipeline.extract.language import measure_language, rapid_check
from pipeline.extract.main_text.extractors import MainText, extract_main_text
from pipeline.extract.visible_letters import VisibleLetters
from pipeline.extract.xhtml import as_html
from pipeline.inputs.record import Record
from pipeline.rules import Rule
from pipeline.text.normal_form import normal_form, one_line_a_paragraph
from pipeline.text.urls import host_of


class Dropped(Exception):
    """Raised when `rule` drops a record; `value` is what the rule measured."""

    def __init__(self, rule: str, value: float | None = None, threshold: float | None = None, detail: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.value = value
        self.threshold = threshold
        self.detail = detail


class OutOfTimeError(Exception):
    """Raised inside the parser when a page has used up its time."""


class Extracted(NamedTuple):
    """A batch of records: their documents (DOCUMENT_SCHEMA) and verdicts (RECORD_VERDICT_SCHEMA)."""

    documents: pa.Table
    verdicts: pa.Table


def document_id(record: Record) -> str:
    """32 hex digits: BLAKE2b-128 of URL, date, record id and text, or of the body if the record has neither of the last two.

    Only the id of a WARC record names one record in the world. What a table calls an id may be a row number, the name of a split
    or the number of a page, so that the same id with another text is another document.
    """
    own = "\0".join(filter(None, (record.record_id, record.text))) or hashlib.blake2b(record.body, digest_size=16).hexdigest()
    identity = "\0".join((record.url, record.date, own))
    return hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def extract(
    records: Iterable[Record],
    name: str,
    config: ExtractConfig,
    skip: Mapping[int, str],
    mark: Mark,
    batch_rows: int,
) -> Iterator[Extracted]:
    """Documents and verdicts of `records`, in their order, in batches of `batch_rows` records.

    name: the input's URI. skip: ordinals of records that killed earlier workers, with the rule that drops them.
    mark: called with the ordinal of each record before the record is processed, and with -1 after it.
    """
    seen: set[str] = set()
    documents: list[dict[str, object]] = []
    verdicts: list[dict[str, object]] = []
    for ordinal, record in enumerate(records):
        doc_id = document_id(record)
        place = f"{name}#{record.inside}" if record.inside else name
        if record.problem and not (record.url or record.record_id):
            doc_id = hashlib.blake2b(f"{place}\0{record.offset}\0{ordinal}".encode(), digest_size=16).hexdigest()
        mark(ordinal)
        verdict: dict[str, object] = {"kept": True, "rule": None, "value": None, "threshold": None, "detail": ""}
        try:
            if ordinal in skip:
                raise Dropped(skip[ordinal])
            document = extract_record(record, config, repeated=doc_id in seen)
            documents.append({"doc_id": doc_id, "warc_file": place, "warc_offset": record.offset, **document})
            seen.add(doc_id)
        except Dropped as drop:
            bound = [limit for _, limit in RULE_BY_NAME[drop.rule].bounds()]
            threshold = drop.threshold if drop.threshold is not None else bound[0] if bound else None
            verdict = {"kept": False, "rule": drop.rule, "value": drop.value, "threshold": threshold, "detail": drop.detail}
        mark(-1)
        verdicts.append(
            {
                **verdict,
                "doc_id": doc_id,
                "failed": [verdict["rule"]] if verdict["rule"] else [],
                "url": _encodable(record.url),
                "date": _encodable(record.date),
                "record_type": record.kind,
                "record_bytes": record.length,
                "warc_file": place,
                "warc_offset": record.offset,
                "source_id": _encodable(record.record_id),
            }
        )
        if len(verdicts) >= batch_rows:
            yield _tables(documents, verdicts)
            documents, verdicts = [], []
    yield _tables(documents, verdicts)


def extract_record(record: Record, config: ExtractConfig, repeated: bool) -> dict[str, object]:
    """The document that a record holds, without its place in the input; raises Dropped."""
    if record.problem:
        limit = {"oversized_page": config.max_page_bytes, "oversized_text": config.max_text_bytes}.get(record.problem)
        raise Dropped(record.problem, None if limit is None else float(record.length), limit, record.detail)
    if record.truncated:
        raise Dropped("truncated", detail=record.truncated)
    if record.kind == "revisit":
        raise Dropped("revisit")
    if record.kind not in ("response", "resource", "conversion", "text"):
        raise Dropped("not_a_page", detail=record.kind)
    if record.http_status is not None and not 200 <= record.http_status <= 299:
        raise Dropped("http_status", record.http_status, 200 if record.http_status < 200 else 299)
    visible = None
    if record.kind in ("text", "conversion"):
        page = _text_page(record, repeated)
    else:
        page, visible = _html_page(record, config, repeated)
    text = str(page["text"])
    if config.text == "one_line_a_paragraph":
        text = one_line_a_paragraph(text)
    seen = normal_form(text, came_as_text=not page["extractor"])
    if not seen:
        raise Dropped("no_text", 0)
    numbers = measure_language(seen, str(page["title"]), visible)
    _require(PRECISE_RULE, getattr(numbers, PRECISE_RULE.measured), detail=numbers.lang)
    return {
        "url": _encodable(record.url),
        "host": host_of(record.url),
        "date": _encodable(record.date),
        "source_id": _encodable(record.record_id),
        "metadata": record.metadata,
        **page,
        "text": text,
        **numbers._asdict(),
    }


def _text_page(record: Record, repeated: bool) -> dict[str, object]:
    """The document of a record that already is text: a WET conversion, a line of JSON, a row of Parquet."""
    if repeated:
        raise Dropped("same_record")
    text, charset, source, replacement_share = record.text, "utf-8", "input", 0.0
    if record.body:
        text, charset, source, replacement_share = decode(record.body, record.http_charset)
    return {
        "title": _encodable(record.title),
        "text": _encodable(text),
        "charset": charset,
        "charset_source": source,
        "replacement_share": replacement_share,
        "extractor": "",
    }


def _html_page(record: Record, config: ExtractConfig, repeated: bool) -> tuple[dict[str, object], VisibleLetters | None]:
    """The document of an HTML page (unpack, rapid check, decode, find the main text), and the letters that the page shows."""
    declared = declared_type(record.content_type)
    if declared is not None and declared not in PAGE_TYPES:
        raise Dropped("not_html", detail=declared)
    try:
        body = decode_body(record.body, record.transfer_encoding, record.content_encoding, config.max_page_bytes)
    except BodyTooLargeError as error:
        raise Dropped("oversized_page", error.size, config.max_page_bytes, "unpacked") from error
    except BodyError as error:
        raise Dropped("undecodable_body", detail=str(error)) from error
    kind = sniffed_kind(body) if declared is None else PAGE_TYPES[declared]
    if kind is None:
        raise Dropped("not_html", detail=record.content_type)
    if repeated:
        raise Dropped("same_record")
    if kind == "html":
        evidence = rapid_check(body, record.http_charset)
        _require(RAPID_RULE, evidence.score, detail=evidence.evidence)
        decoded = decode(body, record.http_charset)
    else:
        decoded = decode(body, record.http_charset)
        decoded = decoded._replace(text=as_html(decoded.text))
        evidence = rapid_check(decoded.text.encode(), None)
        _require(RAPID_RULE, evidence.score, detail=evidence.evidence)
    _require(RULE_BY_NAME["undecodable_text"], decoded.replacement_share, detail=decoded.charset)
    main = _main_text(decoded.text, config)
    page = {
        "title": main.title,
        "text": main.text,
        "charset": decoded.charset,
        "charset_source": decoded.source,
        "replacement_share": decoded.replacement_share,
        "extractor": main.extractor,
    }
    return page, evidence.letters


def _main_text(page: str, config: ExtractConfig) -> MainText:
    """The main text of a page. Extractors that build a tree run only on pages within NESTING_RULES, and under a time limit.

    The project's own extractor is linear in the page and needs neither. It must not be interrupted: an exception raised by a
    signal while compiled code returns its arrays to the interpreter is lost, or kills the process.
    """
    if config.extractor not in TREE_BUILDING:
        return extract_main_text(page, config.extractor, config.markup)
    nesting = measure_nesting(page)
    for rule in NESTING_RULES:
        _require(rule, getattr(nesting, rule.measured))
    try:
        with time_limit(config.max_seconds):
            return extract_main_text(page, config.extractor)
    except OutOfTimeError as error:
        raise Dropped("timeout", config.max_seconds, config.max_seconds) from error


def _require(rule: Rule, value: float, detail: str = "") -> None:
    threshold = rule.broken_bound(value)
    if threshold is not None:
        raise Dropped(rule.name, float(value), threshold, detail)


def _encodable(text: str) -> str:
    """`text` without lone surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError inside the `with` block after `seconds` of CPU time.

    CPU time, so that a busy machine drops no page. A parser that never returns to the interpreter is not interrupted; the
    executor kills such a worker. An error that is raised inside a callback of the interpreter, such as a finalizer, is lost, so
    it is raised again after every tenth of a second until the block ends.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTimeError

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


def _tables(documents: list[dict[str, object]], verdicts: list[dict[str, object]]) -> Extracted:
    return Extracted(
        pa.Table.from_pylist(documents, schema=DOCUMENT_SCHEMA),
        pa.Table.from_pylist(verdicts, schema=RECORD_VERDICT_SCHEMA),
    )
