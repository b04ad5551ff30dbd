"""The story of one page, from its WARC record to its shard, from the ledger and the files of the corpus alone."""

from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.audit.rules_of_corpus import rules_of
from pipeline.corpus.layout import MANIFEST
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.views import columns_of, read_ledger
from pipeline.flow import EDITING, JUDGING
from pipeline.manifest import Manifest, ManifestError, read_manifest
from pipeline.removals.log import Place, requests_for
from pipeline.text import edits as text_edits
from pipeline.text.edits import Edit
from pipeline.tokenize.order import split_of


def stories(ledger: Ledger, url_or_id: str) -> list[dict[str, Any]]:
    """One mapping per record with this URL or document id, or else this source_id; by date, file and offset. [] for none."""
    columns = ["doc_id" if is_doc_id(url_or_id) else "url"]
    columns += ["source_id"] if "source_id" in columns_of(ledger, "records") else []
    records: list[dict[str, Any]] = []
    for column in columns:
        query = f"SELECT * FROM records WHERE {column} = ? ORDER BY date, warc_file, warc_offset"
        records = records or _mappings(ledger, query, url_or_id)
    if not records:
        return []
    manifest, unread = _manifest(ledger.root)
    return [{**_story(ledger, record, manifest), **unread} for record in records]


def is_doc_id(text: str) -> bool:
    """Whether `text` has the form of a doc_id."""
    return len(text) == 32 and not text.strip("0123456789abcdef")


def _manifest(root: Path) -> tuple[Manifest | None, dict[str, str]]:
    """The corpus's manifest; if an earlier version wrote it in a form that is not read now, None and what is wrong with it."""
    try:
        return read_manifest(str(root / MANIFEST)), {}
    except ManifestError as error:
        return None, {"manifest_error": str(error)}


def _story(ledger: Ledger, record: dict[str, Any], manifest: Manifest | None) -> dict[str, Any]:
    names = ("doc_id", "url", "date", "record_type", "warc_file", "warc_offset", "part", "source_id")
    place = {name: record[name] for name in names if name in record}
    verdict = {name: record[name] for name in ("kept", "rule", "value", "threshold", "failed", "detail")}
    story: dict[str, Any] = {"record": place, "verdicts": [{"stage": JUDGING[0], **verdict}]}
    if not record["kept"]:
        return story
    here = (record["part"], record["doc_id"])
    documents = _mappings(ledger, "SELECT * EXCLUDE (part) FROM documents WHERE part = ? AND doc_id = ?", *here)
    extracted = documents[0].pop("text") if documents else ""
    story["document"] = documents[0] if documents else {}
    story["measured"] = _first(ledger, "SELECT * EXCLUDE (part, doc_id) FROM features WHERE part = ? AND doc_id = ?", *here)
    if manifest is not None:
        rules = [rule for (stage, _), rule in rules_of(manifest).items() if stage == "quality"]
        story["bounds"] = {rule.measured: dict(rule.bounds()) for rule in rules}
    story["verdicts"] += _mappings(
        ledger,
        "SELECT stage, kept, rule, value, threshold, failed FROM stage_verdicts WHERE part = ? AND doc_id = ? "
        "ORDER BY list_position(?, stage)",
        *(*here, list(JUDGING)),
    )
    story["duplicates"] = _duplicates(ledger, record["doc_id"], manifest)
    # A page that dedup dropped may be the one that a request names, so this does not depend on the verdicts.
    story["take_down"] = _take_down(ledger, {**record, **story["document"]})
    edits = _edits(ledger, here)
    story["edits"] = [{"stage": stage, **edit._asdict()} for stage, edit in edits]
    story["diff"] = diff(extracted, edits)
    story["text"] = _final(extracted, edits)
    story["shard"] = _first(
        ledger,
        "SELECT file, split FROM token_shards WHERE ? BETWEEN first_doc_id AND last_doc_id AND split = ?",
        *(record["doc_id"], split_of(ledger.root, record["doc_id"])),
    )
    if not all(verdict["kept"] for verdict in story["verdicts"]):
        story["shard"] = {}
    return story


def _duplicates(ledger: Ledger, doc_id: str, manifest: Manifest | None) -> dict[str, Any]:
    """The page's cluster, and the URL of the page that dedup kept of it, with the earlier corpus that holds it if one does."""
    found = _first(ledger, "SELECT * FROM duplicates WHERE doc_id = ?", doc_id)
    if not found:
        return {}
    url = _name(ledger, found["survivor_id"])
    for folder in manifest.dedup.against if manifest is not None and url is None else ():
        with read_ledger(Path(folder)) as earlier:
            url = _name(earlier, found["survivor_id"])
        if url is not None:
            return {**found, "survivor": url, "survivor_corpus": folder}
    return {**found, "survivor": url}


def _name(ledger: Ledger, doc_id: str) -> str | None:
    """The URL of a document, or else the id that it came with; None if the corpus lacks it."""
    own_id = "source_id" if "source_id" in columns_of(ledger, "records") else "''"
    found = ledger.rows(f"SELECT coalesce(nullif(url, ''), nullif({own_id}, '')) FROM records WHERE doc_id = ? AND kept", doc_id)
    return found[0][0] if found else None


def _take_down(ledger: Ledger, page: dict[str, Any]) -> dict[str, Any]:
    """The request that keeps the page out, or {}: what it names, why, who asked, when, and the page that it is a copy of."""
    copy = _first(ledger, "SELECT named_id, similarity FROM removed_copies WHERE doc_id = ?", page["doc_id"])
    (request,) = requests_for(ledger.root, [_place(page)])
    if request is None and copy:
        named = _first(ledger, "SELECT * EXCLUDE (text) FROM documents WHERE doc_id = ?", copy["named_id"])
        (request,) = requests_for(ledger.root, [_place(named)]) if named else (None,)
        copy = {"copy_of": named.get("url") or copy["named_id"], "similarity": copy["similarity"]}
    else:
        copy = {}
    if request is None:
        return copy
    asked = {"names": f"{request.entry.kind} {request.entry.name}", "reason": request.reason, "who": request.who}
    return {**asked, "when": f"{request.requested:%Y-%m-%d %H:%M} UTC", **copy}


def _place(page: dict[str, Any]) -> Place:
    return Place(page["doc_id"], page.get("url"), page.get("host"), page.get("source_id"))


def _edits(ledger: Ledger, here: tuple[str, str]) -> list[tuple[str, Edit]]:
    """The edits of a document with their stages, in the order of the text."""
    query = (
        'SELECT stage, start, "end", kind, replacement FROM edits WHERE part = ? AND doc_id = ? '
        "ORDER BY start, list_position(?, stage)"
    )
    return [(stage, Edit(*edit)) for stage, *edit in ledger.rows(query, *here, list(EDITING))]


def _final(extracted: str, edits: list[tuple[str, Edit]]) -> str:
    """The text after the edits of all stages, as it is encoded."""
    groups = [[edit for stage, edit in edits if stage == editor] for editor in EDITING]
    return text_edits.apply(extracted, text_edits.merge(*groups))


def diff(text: str, edits: list[tuple[str, Edit]]) -> list[dict[str, Any]]:
    """The lines that edits change, edits of the same lines together.

    edits: with their stages, in the order of the text. Each mapping has `before` and `after`, lists of lines, and `kinds`, the
    number of edits by stage and kind.
    """
    hunks: list[tuple[int, int, list[tuple[str, Edit]]]] = []
    for stage, edit in edits:
        start, end = _lines_of(text, edit)
        if hunks and start < hunks[-1][1] + 1:
            first, last, together = hunks.pop()
            hunks.append((first, max(last, end), [*together, (stage, edit)]))
        else:
            hunks.append((start, end, [(stage, edit)]))
    return [_hunk(text[start:end], start, together) for start, end, together in hunks]


def _lines_of(text: str, edit: Edit) -> tuple[int, int]:
    """Start and end of the lines that an edit touches, without the last line end."""
    start = text.rfind("\n", 0, edit.start) + 1
    end = text.find("\n", edit.end)
    return start, len(text) if end < 0 else end


def _hunk(lines: str, start: int, edits: list[tuple[str, Edit]]) -> dict[str, Any]:
    moved = [(stage, edit._replace(start=edit.start - start, end=edit.end - start)) for stage, edit in edits]
    before, after = lines.split("\n"), _final(lines, moved).split("\n")
    while before and after and before[0] == after[0]:
        before, after = before[1:], after[1:]
    while before and after and before[-1] == after[-1]:
        before, after = before[:-1], after[:-1]
    return {"kinds": dict(Counter(f"{stage}: {edit.kind}" for stage, edit in edits)), "before": before, "after": after}


def _mappings(ledger: Ledger, query: str, *parameters: object) -> list[dict[str, Any]]:
    result = ledger.connection.execute(query, list(parameters))
    columns = [column[0] for column in result.description]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def _first(ledger: Ledger, query: str, *parameters: object) -> dict[str, Any]:
    found = _mappings(ledger, query, *parameters)
    return found[0] if found else {}
