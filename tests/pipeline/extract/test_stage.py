"""Each record becomes a document, or a verdict with the rule that dropped it and the value."""

import gc
import gzip
import time
from typing import Any

import pytest

from pipeline.extract.config import DOCUMENT_SCHEMA, RECORD_VERDICT_SCHEMA, RULES, TREE_BUILDING, ExtractConfig
from pipeline.extract.stage import OutOfTimeError, document_id, extract, time_limit
from pipeline.inputs.record import Record
from pipeline.text.urls import host_of

SENTENCE = "川沿いの道を歩いていると、春の花がたくさん咲いていました。"
PAGE = f"<!doctype html><html lang=ja><title>散歩</title><body><p>{SENTENCE}</p><p>{SENTENCE}とてもきれいでした。</p>"
DEEP = f"{PAGE}{'<div>' * 2_000}<p>{SENTENCE}"
WORK = f"{PAGE}{'<div>' * 400}{'<p>のに</p>' * 50_000}"
ATTRIBUTES = f"{PAGE}<p {' '.join(f'a{number}=1' for number in range(2_001))}>{SENTENCE}"


def record(html: str | bytes = PAGE, **fields: Any) -> Record:
    """A response record with a page."""
    body = html.encode() if isinstance(html, str) else html
    page = Record("response", 7, length=len(body), url="https://a.example/b", date="2026-01-01T00:00:00Z", record_id="<urn:x>")
    return page._replace(**{"http_status": 200, "content_type": "text/html", "http_charset": "utf-8", "body": body, **fields})


def verdicts(*records: Record, skip: dict[int, str] | None = None, **settings: Any) -> list[dict[str, Any]]:
    """The verdicts of `records`, read from one input."""
    found = extract(records, "crawl.warc.gz", ExtractConfig(**settings), skip or {}, lambda position: None, batch_rows=2)
    return [verdict for batch in found for verdict in batch.verdicts.to_pylist()]


@pytest.mark.parametrize(
    ("dropped", "rule"),
    [
        (record(problem="corrupt_record"), "corrupt_record"),
        (record(truncated="length"), "truncated"),
        (record(kind="request"), "not_a_page"),
        (record(kind="revisit"), "revisit"),
        (record(http_status=404), "http_status"),
        (record(http_status=101), "http_status"),
        (record(content_type="application/pdf"), "not_html"),
        (record(b"%PDF-1.7", content_type=""), "not_html"),
        (record(problem="oversized_page"), "oversized_page"),
        (record(b"\x1f\x8b\x08 and no gzip", content_encoding="gzip"), "undecodable_body"),
        (record("<p>An English page about a walk along the river and all the flowers that were out."), "rapid_check"),
        (record(PAGE.encode() + b"\xff\xfe" * 400), "undecodable_text"),
        (record(f"<html lang=ja><select>{'<option>おおさか' * 20}</select>"), "no_text"),
        (record(f"<nav>{SENTENCE * 3}</nav><p>{'A walk along the river, with all the flowers. ' * 20}"), "not_japanese"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_reason_drops_a_record(dropped: Record, rule: str) -> None:
    assert [(row["kept"], row["rule"], row["failed"]) for row in verdicts(dropped)] == [(False, rule, [rule])]


LONG = SENTENCE * 3


@pytest.mark.parametrize(
    "kept",
    [
        record(content_type="text/plain, text/html"),
        record(content_type='"text/html"'),
        record(f"<br />\n<b>Warning</b>: x{PAGE}", content_type=""),
        record(gzip.compress(PAGE.encode()), content_type="*/*"),
        record(gzip.compress(PAGE.encode()), content_type="", content_encoding="none"),
        record(content_encoding="utf-8"),
        record(f"<html><title/><script src='a.js'/><style/><p>{LONG}</p></html>", content_type="application/xhtml+xml"),
        record(
            f"<?xml version='1.0' encoding='Shift_JIS'?><html><title/><p><![CDATA[{LONG}]]></p></html>".encode("cp932"),
            content_type="application/vnd.wap.xhtml+xml",
            http_charset=None,
        ),
        record(f"<html><script>draw()</script><noscript><article><p>{LONG}</p></article></noscript></html>"),
        record(f"<html><style>{'.a{} ' * 50_000}</style><script>{'a(); ' * 50_000}</script><p>{LONG}</p></html>"),
        record(f"{PAGE}<p>&#{'1' * 100_000};</p>{''.join(f'&#{ord(character)};' for character in SENTENCE)}"),
    ],
)
def test_a_page_is_kept_as_browsers_show_it(kept: Record) -> None:
    assert [row["rule"] for row in verdicts(kept)] == [None]


@pytest.mark.parametrize(
    "dropped",
    [
        record(content_type="text/html, text/plain"),
        record(content_type="application/octet-stream"),
        record("plain text <html>" + LONG, content_type=""),
    ],
)
def test_a_good_type_is_believed_and_a_body_that_begins_like_no_page_is_none(dropped: Record) -> None:
    assert [row["rule"] for row in verdicts(dropped)] == ["not_html"]


@pytest.mark.parametrize(("html", "rule"), [(DEEP, "nesting"), (WORK, "parser_work"), (ATTRIBUTES, "attributes")])
@pytest.mark.parametrize("extractor", ["auto", "blocks", *sorted(TREE_BUILDING)])
def test_markup_that_chokes_a_parser_drops_a_page_where_one_is_asked(html: str, rule: str, extractor: str) -> None:
    (row,) = verdicts(record(html), extractor=extractor)
    assert (row["kept"], row["rule"]) == ((False, rule) if extractor in TREE_BUILDING else (True, None))


# The first of the errors that end the page can fall into a callback of the garbage collector, which reports it and goes on.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_page_that_computes_too_long_is_dropped_and_the_next_one_kept() -> None:
    long, short = record(f"{PAGE}{f'<p>{SENTENCE}' * 20_000}"), record(record_id="<urn:y>")
    assert verdicts(short, extractor="trafilatura")[0]["kept"]  # what is imported at the first page is not counted
    first, second = verdicts(long, short, extractor="trafilatura", max_seconds=0.3)
    assert (first["rule"], first["value"], first["threshold"]) == ("timeout", 0.3, 0.3)
    assert second["kept"]
    # Compiled code must not be interrupted, and its time grows with the page alone.
    assert [row["kept"] for row in verdicts(long, short, max_seconds=1e-6)] == [True, True]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_end_that_is_lost_in_a_callback_comes_again() -> None:
    def compute(seconds: float) -> None:
        ends = time.process_time() + seconds
        while time.process_time() < ends:
            pass

    def callback(phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            compute(0.05)

    def page() -> None:
        gc.collect()  # what is raised inside the callback is reported and lost
        gc.callbacks.remove(callback)
        compute(5)

    gc.callbacks.append(callback)
    try:
        with pytest.raises(OutOfTimeError), time_limit(0.02):
            page()
    finally:
        if callback in gc.callbacks:
            gc.callbacks.remove(callback)


def test_a_page_that_ended_workers_is_not_touched_again() -> None:
    first, second = verdicts(record(), record(record_id="<urn:y>"), skip={0: "parser_crash"})
    assert (first["kept"], first["rule"], second["kept"]) == (False, "parser_crash", True)


def test_the_same_record_is_kept_once_and_the_same_page_at_another_time_again() -> None:
    rows = verdicts(record(), record(), record(date="2026-01-02T00:00:00Z"))
    assert [row["rule"] for row in rows] == [None, "same_record", None]
    assert rows[0]["doc_id"] == rows[1]["doc_id"] != rows[2]["doc_id"]


def text_record(text: str, **fields: Any) -> Record:
    """A record that came as text."""
    return Record("text", 7, text=text, **fields)


def texts_of(*records: Record, **settings: Any) -> list[str]:
    (batch,) = extract(records, "texts.jsonl", ExtractConfig(**settings), {}, lambda position: None, batch_rows=9)
    return [str(text) for text in batch.documents["text"].to_pylist()]


def test_a_text_is_stored_as_it_came_to_the_character() -> None:
    text = f"\n  {SENTENCE}  \r\n\n\n\t{SENTENCE}\u200b\x0c\n\n"
    conversion = Record("conversion", 7, body=text.encode(), url="https://a.example/b")
    assert texts_of(text_record(text), conversion) == [text, text]
    assert texts_of(text_record(f"{SENTENCE} \n\n{SENTENCE}\n"), text="one_line_a_paragraph") == [f"{SENTENCE}\n{SENTENCE}"]


@pytest.mark.parametrize("text", ["", " \n\n\t", "\u200b\n\ufeff"])
def test_a_text_that_shows_nothing_is_no_document(text: str) -> None:
    assert [row["rule"] for row in verdicts(text_record(text))] == ["no_text"]


def test_the_language_is_of_the_letters_that_are_seen() -> None:
    assert [row["rule"] for row in verdicts(text_record("\u200b".join(SENTENCE)))] == [None]


@pytest.mark.parametrize("record_id", ["0", "1.0", "train", "doc-1", ""])
def test_rows_with_one_id_and_other_texts_are_other_documents(record_id: str) -> None:
    rows = verdicts(*(text_record(text, record_id=record_id) for text in (SENTENCE, f"{SENTENCE}。", SENTENCE)))
    assert [row["rule"] for row in rows] == [None, None, "same_record"]
    assert rows[0]["doc_id"] == rows[2]["doc_id"] != rows[1]["doc_id"]


def test_the_id_of_a_warc_record_is_its_identity() -> None:
    assert document_id(record()) == document_id(record(PAGE + "<p>別の文。"))


def test_a_verdict_has_the_value_the_bound_and_the_place() -> None:
    (row,) = verdicts(record(http_status=503))
    assert (row["value"], row["threshold"]) == (503, 299)
    assert (row["warc_file"], row["warc_offset"], row["url"]) == ("crawl.warc.gz", 7, "https://a.example/b")


def test_a_document_holds_text_and_how_it_was_read() -> None:
    (batch,) = extract([record()], "crawl.warc.gz", ExtractConfig(), {}, lambda position: None, batch_rows=2)
    assert (batch.documents.schema, batch.verdicts.schema) == (DOCUMENT_SCHEMA, RECORD_VERDICT_SCHEMA)
    (document,) = batch.documents.to_pylist()
    assert document["doc_id"] == document_id(record())
    assert (document["title"], document["host"], document["charset"], document["lang"]) == ("散歩", "a.example", "utf-8", "ja")
    assert document["text"] == f"{SENTENCE}\n{SENTENCE}とてもきれいでした。"


def test_an_input_is_marked_record_by_record_and_left_unmarked() -> None:
    marks: list[int] = []
    list(extract([record(), record(kind="request")], "crawl.warc.gz", ExtractConfig(), {}, marks.append, batch_rows=2))
    assert marks == [0, -1, 1, -1]


@pytest.mark.parametrize(
    ("url", "host"), [("https://A.Example.:8080/x", "a.example"), ("no url", ""), ("https://[broken/x", ""), ("", "")]
)
def test_the_host_of_an_address(url: str, host: str) -> None:
    assert host_of(url) == host


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
