"""Pages to read in the report: per rule, a dozen that it dropped and a dozen that it nearly dropped.

The choice depends on content alone, so a report made twice is the same: dropped pages with the smallest ids, which are hashes,
and kept pages nearest to the bound. Titles, URLs and excerpts are masked like the shards, because reports are passed on.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipeline.audit.report.numbers import Sampled
from pipeline.corpus import layout
from pipeline.corpus.columns import rows_of
from pipeline.corpus.ledger import Ledger
from pipeline.pii.config import PiiConfig
from pipeline.pii.fields import masked, masked_urls
from pipeline.rules import Rule

PAGES = 12
# Characters that are read and shown of a text. More is read, because an address or a card number that begins in the excerpt
# can only be masked if it is read whole.
_READ, _SHOWN = 900, 600
# Filled in after a page is chosen.
_LOOKED_UP = {"url": None, "detail": None}


def pages(
    ledger: Ledger, dropping: Iterable[tuple[str, str]], quality: Sequence[Rule], config: PiiConfig, sampled: Sampled
) -> list[dict[str, Any]]:
    """One mapping per (stage, rule) of `dropping`: up to PAGES pages that the rule was the first to drop (`dropped`), and, for
    rules of quality, up to PAGES kept pages of the sample nearest to a bound (`nearly`)."""
    dropped = {("extract", rule): chosen for rule, chosen in _dropped_records(ledger).items()} | _dropped_pages(ledger)
    nearly = {rule.name: _nearly(rule, sampled) for rule in quality}
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
    survivors = _add_survivors(ledger, [page for each in found if each["stage"] == "dedup" for page in each["dropped"]])
    _add_texts(ledger, [*chosen, *survivors], config)
    for page in chosen:
        if "survivor" in page:
            page["detail"] = page["survivor"]["url"]
    return found


# Each of these scans the verdicts once for all rules and holds a dozen rows per rule; everything else about a page is looked up
# after it is chosen. DuckDB compares rows field by field, so the first fields give the order.


def _dropped_records(ledger: Ledger) -> dict[str, list[dict[str, Any]]]:
    row = "{doc_id: doc_id, warc_offset: warc_offset, part: part, url: url, value: value, threshold: threshold, detail: detail}"
    found = {}
    for rule, chosen in ledger.rows(f"SELECT rule, min({row}, {PAGES}) FROM records WHERE NOT kept GROUP BY rule"):
        found[rule] = [{name: value for name, value in page.items() if name != "warc_offset"} for page in chosen]
    return found


def _dropped_pages(ledger: Ledger) -> dict[tuple[str, str], list[dict[str, Any]]]:
    row = "{doc_id: doc_id, part: part, value: value, threshold: threshold}"
    query = f"SELECT stage, rule, min({row}, {PAGES}) FROM stage_verdicts WHERE NOT kept GROUP BY ALL"
    return {(stage, rule): [{**page, **_LOOKED_UP} for page in chosen] for stage, rule, chosen in ledger.rows(query)}


def _nearly(rule: Rule, sampled: Sampled) -> list[dict[str, Any]]:
    """The kept pages of the sample whose value is nearest to a bound of the rule."""
    values = sampled.columns[rule.measured]
    distances = np.min([np.abs(values - threshold) for _, threshold in rule.bounds()], axis=0)
    candidates = np.flatnonzero((sampled.failures == 0) & ~np.isnan(distances))
    # Stable, so that equally near pages stay in the order of their ids.
    nearest = candidates[np.argsort(distances[candidates], kind="stable")[:PAGES]]
    return [
        {"doc_id": sampled.doc_ids[row], "part": sampled.parts[row], "value": float(values[row]), "threshold": None, **_LOOKED_UP}
        for row in nearest.tolist()
    ]


def _add_survivors(ledger: Ledger, chosen: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add `survivor`, the page kept in its place, to pages that dedup dropped, and return the survivors. Those of an
    earlier corpus are left out."""
    query = "SELECT doc_id, survivor_id FROM duplicates WHERE list_contains(?, doc_id) AND doc_id <> survivor_id"
    survivors = dict(ledger.rows(query, [page["doc_id"] for page in chosen]))
    query = "SELECT doc_id, max({url: url, part: part}) FROM documents WHERE list_contains(?, doc_id) GROUP BY doc_id"
    places = dict(ledger.rows(query, sorted(set(survivors.values())))) if survivors else {}
    found = []
    for page in chosen:
        survivor_id = survivors.get(page["doc_id"])
        if survivor_id in places:
            page["survivor"] = {"doc_id": survivor_id, **places[survivor_id]}
            found.append(page["survivor"])
    return found


def _add_texts(ledger: Ledger, chosen: Sequence[dict[str, Any]], config: PiiConfig) -> None:
    """Add URL, title and excerpt to pages; a record that became no document keeps its own URL."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for page in chosen:
        if page["doc_id"]:
            wanted[page["part"]].add(page["doc_id"])
    texts = {
        (part, row["doc_id"]): row
        for part, doc_ids in wanted.items()
        for row in rows_of(ledger.root, layout.documents(part), doc_ids, ["doc_id", "url", "title", "text"])
    }
    masking = config.model_copy(update={"policy": "mask"})
    for page in chosen:
        found = texts.get((page.pop("part"), page["doc_id"]), {})
        text = (found.get("text") or "")[:_READ]
        safe, page["title"] = masked([text, found.get("title") or ""], masking)
        (page["url"],) = masked_urls([page["url"] or found.get("url") or ""], masking)
        page["text"] = safe[:_SHOWN] + ("…" if len(safe) > _SHOWN else "")
