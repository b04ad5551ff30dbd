"""The story of one page, from its WARC record to its shard, from the ledger alone."""

from typing import Any

from pipeline.corpus.ledger import Ledger
from pipeline.corpus.views import columns_of
from pipeline.flow import JUDGING

# Characters shown on each side of an edit: enough to recognise the place.
_CONTEXT = 15


def stories(ledger: Ledger, url_or_doc_id: str) -> list[dict[str, Any]]:
    """One mapping per record with this URL or document id, or else this source_id; by date, file and offset. [] for none."""
    columns = ["doc_id" if _is_doc_id(url_or_doc_id) else "url"]
    columns += ["source_id"] if "source_id" in columns_of(ledger, "records") else []
    records: list[dict[str, Any]] = []
    for column in columns:
        query = f"SELECT * FROM records WHERE {column} = ? ORDER BY date, warc_file, warc_offset"
        records = records or _mappings(ledger, query, url_or_doc_id)
    return [_story(ledger, record) for record in records]


def _is_doc_id(text: str) -> bool:
    return len(text) == 32 and not text.strip("0123456789abcdef")


def _story(ledger: Ledger, record: dict[str, Any]) -> dict[str, Any]:
    names = ("doc_id", "url", "date", "record_type", "warc_file", "warc_offset", "part", "source_id")
    place = {name: record[name] for name in names if name in record}
    verdict = {name: record[name] for name in ("kept", "rule", "value", "threshold", "failed", "detail")}
    story: dict[str, Any] = {"record": place, "verdicts": [{"stage": JUDGING[0], **verdict}]}
    if not record["kept"]:
        return story
    here = (record["part"], record["doc_id"])
    documents = _mappings(ledger, "SELECT * EXCLUDE (part) FROM documents WHERE part = ? AND doc_id = ?", *here)
    text = documents[0].pop("text") if documents else ""
    story["document"] = documents[0] if documents else {}
    story["measured"] = _first(ledger, "SELECT * EXCLUDE (part, doc_id) FROM features WHERE part = ? AND doc_id = ?", *here)
    story["verdicts"] += _mappings(
        ledger,
        "SELECT stage, kept, rule, value, threshold, failed FROM stage_verdicts WHERE part = ? AND doc_id = ? "
        "ORDER BY list_position(?, stage)",
        *(*here, list(JUDGING)),
    )
    story["duplicates"] = _first(ledger, "SELECT * FROM duplicates WHERE doc_id = ?", record["doc_id"])
    edits = _mappings(
        ledger,
        'SELECT stage, kind, start, "end", replacement FROM edits WHERE part = ? AND doc_id = ? ORDER BY start, stage',
        *here,
    )
    story["edits"] = [{**edit, "context": _context(text, edit)} for edit in edits]
    story["shard"] = _first(
        ledger,
        "SELECT file, split FROM token_shards WHERE ? BETWEEN first_doc_id AND last_doc_id AND split = ?",
        *(record["doc_id"], _split_of(ledger, record["doc_id"])),
    )
    if not all(verdict["kept"] for verdict in story["verdicts"]):
        story["shard"] = {}
    return story


def _split_of(ledger: Ledger, doc_id: str) -> str:
    """The split of a document, by the validation share that the corpus was built with."""
    from pipeline.tokenize.order import split_of

    return split_of(ledger.root, doc_id)


def _context(text: str, edit: dict[str, Any]) -> str:
    start, end = edit["start"], edit["end"]
    return f"{text[max(0, start - _CONTEXT) : start]}⟦{text[start:end]}⟧{text[end : end + _CONTEXT]}".replace("\n", "⏎")


def _mappings(ledger: Ledger, query: str, *parameters: object) -> list[dict[str, Any]]:
    result = ledger.connection.execute(query, list(parameters))
    columns = [column[0] for column in result.description]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def _first(ledger: Ledger, query: str, *parameters: object) -> dict[str, Any]:
    found = _mappings(ledger, query, *parameters)
    return found[0] if found else {}


def story_text(story: dict[str, Any]) -> str:
    """A story as text for people, one line per fact."""
    record = story["record"]
    last = story["verdicts"][-1]
    fate = "kept" if last["kept"] else f"dropped by {last['stage']}: {last['rule']}"
    lines = [f"{record['url'] or record['record_type']}  {record['date']}", f"  {fate}", ""]
    lines += _section("record", {**record, **story.get("document", {})})
    lines.append("verdicts")
    for verdict in story["verdicts"]:
        lines.append(f"  {verdict['stage']:<10} {_verdict_text(verdict)}")
    if story.get("measured"):
        lines += ["", *_section("measured", story["measured"])]
    if story.get("duplicates"):
        lines += ["", *_section("duplicates", story["duplicates"])]
    if story.get("edits"):
        lines += ["", "edits"]
        lines += [f"  {e['stage']:<6} {e['kind']:<20} {e['context']}  ->  {e['replacement']!r}" for e in story["edits"]]
    if story.get("shard"):
        lines += ["", f"shard  {story['shard']['file']} ({story['shard']['split']})"]
    return "\n".join(lines) + "\n"


def _verdict_text(verdict: dict[str, Any]) -> str:
    if verdict["kept"]:
        return "kept"
    measured = "" if verdict["value"] is None else f" = {verdict['value']:g}"
    bound = "" if verdict["threshold"] is None else f", threshold {verdict['threshold']:g}"
    others = [rule for rule in verdict["failed"] if rule != verdict["rule"]]
    also = f"; also {', '.join(others)}" if others else ""
    detail = f" ({verdict['detail']})" if verdict.get("detail") else ""
    return f"dropped by {verdict['rule']}{measured}{bound}{detail}{also}"


def _section(name: str, values: dict[str, Any]) -> list[str]:
    shown = (f"  {key:<42} {value:.6g}" if isinstance(value, float) else f"  {key:<42} {value}" for key, value in values.items())
    return [name, *shown]
