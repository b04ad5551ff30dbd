"""Pages to read in the report: of each rule a dozen that it dropped, and a dozen that it nearly dropped.

Chosen by content alone, so that a report made twice is the same: of the dropped those with the smallest ids, which are hashes, of
the kept those nearest to the bound. Excerpts are masked as the shards are, since a report is sent around.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from pipeline import edits, pii
from pipeline.ledger import Ledger
from pipeline.pii import PiiConfig
from pipeline.rules import Rule

PAGES = 12
# What is read of a text: an address or a card number that begins in the excerpt must be seen whole to be masked.
_READ, _SHOWN = 900, 600


def pages(
    ledger: Ledger, dropping: Iterable[tuple[str, str]], quality: Sequence[Rule], config: PiiConfig
) -> list[dict[str, Any]]:
    """For each (stage, rule) of `dropping`: the pages that it was the first to drop, and, for the rules of quality, kept ones."""
    bounded = {rule.name: rule for rule in quality}
    found: list[dict[str, Any]] = []
    for stage, rule in dropping:
        nearly = _nearly(ledger, bounded[rule]) if stage == "quality" and rule in bounded else []
        found.append({"stage": stage, "rule": rule, "dropped": _dropped(ledger, stage, rule), "nearly": nearly})
    _add_excerpts(ledger, [page for each in found for page in (*each["dropped"], *each["nearly"])], config)
    return found


def _dropped(ledger: Ledger, stage: str, rule: str) -> list[dict[str, Any]]:
    if stage == "extract":
        query = (
            "SELECT part, doc_id, url, value, threshold, detail FROM records WHERE rule = ? ORDER BY doc_id, warc_offset LIMIT ?"
        )
        parameters: list[Any] = [rule, PAGES]
    else:
        query = """
            SELECT v.part, v.doc_id, d.url, v.value, v.threshold, s.survivor_url AS detail
            FROM stage_verdicts v JOIN (SELECT part, doc_id, url FROM documents) d USING (part, doc_id)
            LEFT JOIN (SELECT u.doc_id, max(o.url) AS survivor_url FROM duplicates u JOIN documents o ON o.doc_id = u.survivor_id
                       WHERE u.doc_id <> u.survivor_id GROUP BY ALL) s ON s.doc_id = v.doc_id AND v.stage = 'dedup'
            WHERE v.stage = ? AND v.rule = ? ORDER BY v.doc_id LIMIT ?
        """
        parameters = [stage, rule, PAGES]
    return _mappings(ledger, query, parameters)


def _nearly(ledger: Ledger, rule: Rule) -> list[dict[str, Any]]:
    """The kept pages whose number is nearest to a bound of the rule, in the width of that bound."""
    nearest = "least(" + ", ".join(f"abs(f.{rule.measured} - {threshold!r})" for _, threshold in rule.bounds()) + ")"
    query = f"""
        SELECT f.part, f.doc_id, d.url, f.{rule.measured}::DOUBLE AS value, NULL AS threshold, NULL AS detail
        FROM (SELECT part, doc_id FROM stage_verdicts WHERE stage = 'quality' AND kept) v
        JOIN measured f USING (part, doc_id) JOIN (SELECT part, doc_id, url FROM documents) d USING (part, doc_id)
        ORDER BY {nearest}, f.doc_id LIMIT ?
    """
    return _mappings(ledger, query, [PAGES])


def _add_excerpts(ledger: Ledger, chosen: Sequence[dict[str, Any]], config: PiiConfig) -> None:
    wanted = sorted({page["doc_id"] for page in chosen if page["doc_id"]})
    query = f"SELECT part, doc_id, title, left(text, {_READ}) FROM documents WHERE list_contains(?, doc_id)"
    texts = {(part, doc_id): (title, text) for part, doc_id, title, text in ledger.rows(query, wanted)}
    masking = config.model_copy(update={"policy": "mask"})
    for page in chosen:
        title, text = texts.get((page.pop("part"), page["doc_id"]), ("", ""))
        masked = edits.apply(text, edits.merge(pii.find_personal_data(text, masking)))
        page["title"] = title or ""
        page["text"] = masked[:_SHOWN] + ("…" if len(masked) > _SHOWN else "")


def _mappings(ledger: Ledger, query: str, parameters: Sequence[Any]) -> list[dict[str, Any]]:
    result = ledger.connection.execute(query, parameters)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
