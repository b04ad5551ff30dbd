"""Pages to read in the report: of each rule a dozen that it dropped, and a dozen that it nearly dropped.

Chosen by content alone, so that a report made twice is the same: of the dropped those with the smallest ids, which are hashes, of
the kept those nearest to the bound. Excerpts are masked as the shards are, since a report is sent around.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from pipeline import edits, pii
from pipeline.ledger import Ledger
from pipeline.pii import PiiConfig
from pipeline.rules import Rule

PAGES = 12
# What is read of a text: an address or a card number that begins in the excerpt must be seen whole to be masked.
_READ, _SHOWN = 900, 600
# What is told of a page besides its verdict.
_LOOKED_UP = {"url": None, "detail": None}


def pages(
    ledger: Ledger, dropping: Iterable[tuple[str, str]], quality: Sequence[Rule], config: PiiConfig, below: str
) -> list[dict[str, Any]]:
    """For each (stage, rule) of `dropping`: the pages that it was the first to drop, and, for the rules of quality, kept ones.

    Kept ones are looked for among documents whose ids are less than `below`.
    """
    dropped = {("extract", rule): chosen for rule, chosen in _dropped_records(ledger).items()} | _dropped_pages(ledger)
    nearly = _nearly(ledger, quality, below)
    found: list[dict[str, Any]] = [
        {
            "stage": stage,
            "rule": rule,
            "dropped": dropped.get((stage, rule), []),
            "nearly": nearly.get(rule, []) if stage == "quality" else [],
        }
        for stage, rule in dropping
    ]
    chosen = [page for each in found for page in (*each["dropped"], *each["nearly"])]
    _add_survivors(ledger, [page for each in found if each["stage"] == "dedup" for page in each["dropped"]])
    _add_texts(ledger, chosen, config)
    return found


# Each of these goes through the verdicts once for all rules and holds a dozen rows a rule; what else is told of a page is
# looked up when it is chosen. Rows are compared field by field, so the first fields are the order.


def _dropped_records(ledger: Ledger) -> dict[str, list[dict[str, Any]]]:
    row = "{doc_id: doc_id, warc_offset: warc_offset, part: part, url: url, value: value, threshold: threshold, detail: detail}"
    found = {}
    for rule, chosen in ledger.rows(f"SELECT rule, min({row}, {PAGES}) FROM records WHERE NOT kept GROUP BY rule"):
        found[rule] = [{name: value for name, value in page.items() if name != "warc_offset"} for page in chosen]
    return found


def _dropped_pages(ledger: Ledger) -> dict[tuple[str, str], list[dict[str, Any]]]:
    row = "{doc_id: doc_id, part: part, value: value, threshold: threshold}"
    query = f"SELECT stage, rule, min({row}, {PAGES}) FROM stage_verdicts WHERE NOT kept GROUP BY ALL"
    return {
        (stage, rule): [{**page, "url": None, "detail": None} for page in chosen] for stage, rule, chosen in ledger.rows(query)
    }


def _nearly(ledger: Ledger, quality: Sequence[Rule], below: str) -> dict[str, list[dict[str, Any]]]:
    """By rule the kept pages whose number is nearest to a bound of the rule, in the width of that bound."""
    chosen = ", ".join(
        f"min({{distance: {_distance(rule)}, doc_id: f.doc_id, part: f.part, value: f.{rule.measured}::DOUBLE}}, {PAGES})"
        for rule in quality
    )
    if not chosen:
        return {}
    query = f"""
        SELECT {chosen} FROM (SELECT part, doc_id FROM stage_verdicts WHERE stage = 'quality' AND kept AND doc_id < '{below}') v
        JOIN (SELECT * FROM measured WHERE doc_id < '{below}') f USING (part, doc_id)
    """
    return {
        rule.name: [
            {
                "doc_id": page["doc_id"],
                "part": page["part"],
                "value": page["value"],
                "threshold": None,
                "url": None,
                "detail": None,
            }
            for page in nearest or ()
        ]
        for rule, nearest in zip(quality, ledger.rows(query)[0], strict=True)
    }


def _distance(rule: Rule) -> str:
    return "least(" + ", ".join(f"abs(f.{rule.measured} - {threshold!r})" for _, threshold in rule.bounds()) + ")"


def _add_survivors(ledger: Ledger, chosen: Sequence[dict[str, Any]]) -> None:
    """Say of pages that dedup dropped which page was kept instead."""
    query = "SELECT doc_id, survivor_id FROM duplicates WHERE list_contains(?, doc_id) AND doc_id <> survivor_id"
    survivors = dict(ledger.rows(query, [page["doc_id"] for page in chosen]))
    query = "SELECT doc_id, max(url) FROM documents WHERE list_contains(?, doc_id) GROUP BY doc_id"
    urls = dict(ledger.rows(query, sorted(set(survivors.values())))) if survivors else {}
    for page in chosen:
        page["detail"] = urls.get(survivors.get(page["doc_id"]))


def _add_texts(ledger: Ledger, chosen: Sequence[dict[str, Any]], config: PiiConfig) -> None:
    """Give pages their URL, title and excerpt; a record that became no document keeps its own URL."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for page in chosen:
        if page["doc_id"]:
            wanted[page["part"]].add(page["doc_id"])
    query = f"SELECT part, doc_id, url, title, left(text, {_READ}) FROM documents WHERE part = $1 AND list_contains($2, doc_id)"
    found = [row for part, doc_ids in sorted(wanted.items()) for row in ledger.rows(query, part, sorted(doc_ids))]
    texts = {(part, doc_id): page for part, doc_id, *page in found}
    masking = config.model_copy(update={"policy": "mask"})
    for page in chosen:
        url, title, text = texts.get((page.pop("part"), page["doc_id"]), ("", "", ""))
        masked = edits.apply(text, edits.merge(pii.find_personal_data(text, masking)))
        page["url"] = page["url"] or url
        page["title"] = title or ""
        page["text"] = masked[:_SHOWN] + ("…" if len(masked) > _SHOWN else "")
