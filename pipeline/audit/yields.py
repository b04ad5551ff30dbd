"""The yield table: what each stage let through, laid out like the one that Swallow published (NLP2024 A6-1, table 1)."""

from typing import Any

from pipeline.audit.meanings import meaning
from pipeline.audit.rules_of_corpus import bound_text, read_rules
from pipeline.corpus.ledger import Ledger
from pipeline.manifest import ManifestError
from pipeline.rules import Rule
from pipeline.terminal import aligned_text

_COUNTS = "stage, docs_in, docs_out, chars_in, chars_out, bytes_in, bytes_out, tokens_in, tokens_out, seconds"
_DROPS_HEADER = ["stage", "dropped by", "threshold", "documents", "of stage", "what it judges"]


def yield_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """One mapping per counted stage: the ledger's counts, seconds, shares in [0, 1] of its own input and of the extracted
    documents (None if unknown), and `rules` with what each rule dropped, most first. [] if nothing was counted."""
    names = _COUNTS.split(", ")
    stages = [dict(zip(names, row, strict=True)) for row in ledger.rows(f"SELECT {_COUNTS} FROM stage_counts ORDER BY ordinal")]
    extracted = next((stage["docs_out"] for stage in stages if stage["stage"] == "extract"), 0)
    for stage in stages:
        stage["share_of_stage"] = _share(stage["docs_out"], stage["docs_in"])
        stage["share_of_extracted"] = _share(stage["docs_out"], extracted)
        rules = ledger.rows(
            "SELECT rule, threshold, docs, chars, tokens FROM rule_counts WHERE stage = ? ORDER BY docs DESC, rule",
            stage["stage"],
        )
        stage["rules"] = [dict(zip(("rule", "threshold", "docs", "chars", "tokens"), rule, strict=True)) for rule in rules]
    return stages


def yield_table(ledger: Ledger) -> str:
    """The tables as text: what is left after each stage, then what each rule was the first to drop, the values that it keeps (two
    bounds of a rule have a line each), and what it judges. At most 120 columns wide for counts up to a hundred million."""
    stages = yield_rows(ledger)
    if not stages:
        return "nothing is counted yet"
    header = ["stage", "documents in", "left", "of stage", "of extracted", "characters", "bytes", "tokens", "seconds"]
    rows: list[list[str]] = []
    for stage in stages:
        sizes = [_count(stage[f"{unit}_out"]) for unit in ("chars", "bytes", "tokens")]
        shares = [_percent(stage["share_of_stage"]), _percent(stage["share_of_extracted"])]
        counts = [_count(stage["docs_in"]), _count(stage["docs_out"])]
        rows.append([stage["stage"], *counts, *shares, *sizes, f"{stage['seconds']:.1f}"])
    rules = _rules(ledger)
    drops = [
        [
            stage["stage"],
            rule["rule"],
            bound_text(rules.get((stage["stage"], rule["rule"])), rule["threshold"]),
            _count(rule["docs"]),
            _percent(_share(rule["docs"], stage["docs_in"])),
            meaning(rule["rule"]).en,
        ]
        for stage in stages
        for rule in stage["rules"]
    ]
    return f"{aligned_text(header, rows)}\n\n{aligned_text(_DROPS_HEADER, drops)}"


def _rules(ledger: Ledger) -> dict[tuple[str, str], Rule]:
    """The rules of the corpus; none if its manifest is not readable any more, and the bounds are then numbers without a sign."""
    try:
        return read_rules(ledger.root)
    except ManifestError:
        return {}


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
