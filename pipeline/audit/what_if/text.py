"""The answers of `what-if` as text for people and as plain data for JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipeline.audit.what_if.answer import Outcome, StageFigures
from pipeline.audit.what_if.sample import SamplePage
from pipeline.corpus.ledger import Size
from pipeline.terminal import aligned_text, printable

_UNITS = ("documents", "characters", "tokens")


def what_if_text(outcome: Outcome, sample: Sequence[SamplePage]) -> str:
    """Figures after each stage today, under the change, and their difference; rules that differ; basis of estimates; pages."""
    header = ["stage", *(f"{unit}{column}" for unit in _UNITS for column in (" now", " then", " change")), "figures"]
    rows = [[stage.stage, *_comparison(stage.now, stage.then), _figures(stage)] for stage in outcome.stages]
    text = [aligned_text(header, rows)]
    differing = [rule for rule in outcome.rules if rule.now != rule.then or rule.bounds_now != rule.bounds_then]
    if differing:
        header = ["stage", "dropped first by", "passes now", "passes then", "documents now", "then", "change", "tokens change"]
        table = [
            [
                *(rule.stage, rule.rule, rule.bounds_now or "all", rule.bounds_then or "all"),
                *(f"{rule.now.documents:,}", f"{rule.then.documents:,}"),
                *(f"{rule.then.documents - rule.now.documents:+,}", f"{rule.then.tokens - rule.now.tokens:+,}"),
            ]
            for rule in differing
        ]
        text += ["", aligned_text(header, table)]
    if outcome.basis:
        text += ["", "estimates", *(f"  {line}" for line in outcome.basis)]
    return "\n".join([*text, *(_page_text(page) for page in sample)])


def sweep_text(settings: Sequence[str], outcomes: Sequence[Outcome]) -> str:
    """A row per value: what quality would keep and what the shards would hold, with the change from today."""
    by_stage = [{stage.stage: stage for stage in outcome.stages} for outcome in outcomes]
    columns = ("documents", "change", "tokens", "change")
    header = [
        "setting",
        *(f"quality {column}" for column in columns),
        *(f"final {column}" for column in columns),
        "final figures",
    ]
    first = by_stage[0]
    rows = [["now", *_ends(first["quality"].now, first["quality"].now), *_ends(first["tokenize"].now, first["tokenize"].now), ""]]
    for setting, stages in zip(settings, by_stage, strict=True):
        quality, final = stages["quality"], stages["tokenize"]
        rows.append([setting, *_ends(quality.now, quality.then), *_ends(final.now, final.then), _figures(final)])
    basis = [f"  {setting}: {line}" for setting, outcome in zip(settings, outcomes, strict=True) for line in outcome.basis]
    return "\n".join([aligned_text(header, rows), *(["", "estimates"] if basis else []), *basis])


def what_if_data(settings: Sequence[str], outcome: Outcome, sample: Sequence[SamplePage]) -> dict[str, Any]:
    """One alternative as a mapping of JSON types: set, stages, rules, basis, sample."""
    return {
        "set": list(settings),
        "stages": [
            {"stage": stage.stage, "now": stage.now._asdict(), "then": stage.then._asdict(), "estimated": stage.estimated}
            for stage in outcome.stages
        ],
        "rules": [{**vars(rule), "now": rule.now._asdict(), "then": rule.then._asdict()} for rule in outcome.rules],
        "basis": list(outcome.basis),
        "sample": [asdict(page) for page in sample],
    }


def _comparison(now: Size, then: Size) -> list[str]:
    return [cell for old, new in zip(now, then, strict=True) for cell in (f"{old:,}", f"{new:,}", f"{new - old:+,}")]


def _ends(now: Size, then: Size) -> list[str]:
    pairs = ((now.documents, then.documents), (now.tokens, then.tokens))
    return [cell for old, new in pairs for cell in (f"{new:,}", f"{new - old:+,}" if now is not then else "")]


def _figures(stage: StageFigures) -> str:
    return "estimate" if stage.estimated else "exact"


def _page_text(page: SamplePage) -> str:
    value = "" if page.value is None else f" = {page.value:g}, threshold {page.threshold:g}"
    when = "comes in; dropped now" if page.change == "in" else "goes out; dropped then"
    unknown = "; whether it repeats another page is not known" if page.is_duplicate_unknown else ""
    head = f"\n{printable(page.url)}  {page.doc_id}\n  {when} by {page.stage}: {page.rule}{value}{unknown}"
    return "\n".join([head, *(f"  | {line}" for line in page.lines)])
