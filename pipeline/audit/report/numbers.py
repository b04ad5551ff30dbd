"""Histograms of the measured numbers, and what the corpus would yield at other thresholds, for the sliders of the report.

A curve belongs to one bound, with all other bounds unchanged: how many documents and tokens pass the stage `quality` at each of
about fifty thresholds. It is exact, because each stop of the slider is counted by the rule's own comparison, not read off the
bars.

Above SAMPLED_FROM documents a sample is used: the documents whose id, a hash, is below a bound. The report says so.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.corpus.ledger import Ledger
from pipeline.measure.table import MEASURES
from pipeline.rules import Rule

SAMPLED_FROM = 200_000
# Bars of a histogram, and stops of a slider: about the most that can be told apart on a phone.
BARS = 50
# Values beyond these quantiles go into the first and last bar, because a long tail would squeeze the rest into one bar. The upper
# quantile cuts more: lengths and shares of repetition have long upper tails, and rules mostly decide below these.
_FIRST_BAR, _LAST_BAR = 0.01, 0.9
# From this factor between the ends, and from this lowest value on, bars are logarithmic: 50 even bars would leave the lower
# twentieth in two or three of them. Shares are below it and begin at 0.
_SPREAD, _SMALLEST = 20.0, 1.0
_SIDES = {"minimum": "min", "above": "above", "maximum": "max", "below": "below"}  # as the manifest names them


class Sampled(NamedTuple):
    """Numbers of N documents that quality judged: the share `share` (in [0, 1]) of all, those with the smallest ids."""

    share: float
    doc_ids: npt.NDArray[np.object_]  # str objects (N,), ascending
    parts: npt.NDArray[np.object_]  # str objects (N,)
    columns: dict[str, npt.NDArray[np.float64]]
    n_tokens: npt.NDArray[np.int64]
    failures: npt.NDArray[np.int64]  # int64 (N,), how many rules each document fails
    first_rule: npt.NDArray[np.object_]  # str objects (N,), the first rule that it fails, "" if it is kept


def read_numbers(ledger: Ledger) -> Sampled:
    """The measured numbers of all documents, or of a sample of about SAMPLED_FROM."""
    count = ledger.rows("SELECT count(*) FROM stage_verdicts WHERE stage = 'quality'")[0][0]
    share = min(1.0, SAMPLED_FROM / max(1, count))
    # The first 8 of 32 hex digits, which are uniform over all documents. Every id is below "g".
    below = f"{int(share * 2**32):08x}" if share < 1 else "g"
    names = [measure.name for measure in MEASURES]
    query = f"""
        SELECT part, doc_id, {", ".join(f"f.{name}::DOUBLE AS {name}" for name in names)}, coalesce(f.n_tokens, 0) AS n_tokens,
               len(v.failed) AS failures, coalesce(v.rule, '') AS first_rule
        FROM (SELECT * FROM stage_verdicts WHERE stage = 'quality' AND doc_id < '{below}') v
        JOIN (SELECT * FROM features WHERE doc_id < '{below}') f USING (part, doc_id)
        ORDER BY doc_id, part
    """
    found = ledger.connection.execute(query).fetchnumpy()
    columns = {name: np.ma.filled(found[name], np.nan) for name in names}
    return Sampled(share, found["doc_id"], found["part"], columns, found["n_tokens"], found["failures"], found["first_rule"])


def histograms(sampled: Sampled, rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """A histogram per measured number, those with a rule first and in the order of the rules, with a curve per bound; [] if no
    document was judged."""
    by_name = {rule.measured: rule for rule in rules}
    names = [*by_name, *(name for name in sampled.columns if name not in by_name)]
    return [_histogram(sampled, name, by_name.get(name)) for name in names if len(sampled.n_tokens)]


def _histogram(sampled: Sampled, name: str, rule: Rule | None) -> dict[str, Any]:
    values = sampled.columns[name]
    bounds = [threshold for _, threshold in rule.bounds()] if rule else []
    edges, is_logarithmic = _edges(values, bounds)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BARS - 1)
    is_known = ~np.isnan(values)
    kept = sampled.failures == 0
    by_this = np.zeros(len(values), bool) if rule is None else _fails(rule, values)
    series = {"kept": kept, "dropped_by_this": by_this & ~kept, "dropped_by_others": ~kept & ~by_this}
    bars = {
        label: np.bincount(place[chosen & is_known].astype(np.int64), minlength=BARS).tolist() for label, chosen in series.items()
    }
    curves = [_curve(sampled, rule, kind, threshold, edges) for kind, threshold in rule.bounds()] if rule else []
    return {
        "name": name,
        "unit": _unit(name),
        "edges": edges.tolist(),
        "is_logarithmic": is_logarithmic,
        "bars": bars,
        "unknown": int((~is_known).sum()),
        "curves": curves,
    }


def _unit(name: str) -> str:
    """The unit of a measured number: characters, bytes, count (of sentences, lines or URLs), share or flag."""
    if name == "n_bytes":
        return "bytes"
    if name.startswith("has_"):
        return "flag"
    if name == "n_chars" or "letters" in name or name.endswith("_length") or name in ("num_kuten", "num_toten"):
        return "characters"
    return "count" if name.startswith("num_") else "share"


def _fails(rule: Rule, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return rule.failures(values)[0]


def _edges(values: npt.NDArray[np.float64], bounds: Sequence[float]) -> tuple[npt.NDArray[np.float64], bool]:
    """Where the bars begin and end, float64 (BARS + 1,) ascending, and whether they are logarithmic.

    Even bars are 1, 2 or 5 times a power of ten wide, so that thresholds are round. Bars are logarithmic if values and bounds
    spread over a factor of _SPREAD, since most would be empty otherwise.
    """
    known = values[np.isfinite(values)]
    ends = [*np.quantile(known, [_FIRST_BAR, _LAST_BAR]), *bounds, *(2 * bound for bound in bounds)] if len(known) else [0.0, 1.0]
    low, high = float(min(ends)), float(max(ends))
    if low >= _SMALLEST and high >= _SPREAD * low:
        # Three digits are round enough to read, and with a ratio above 1.06 between neighbours they keep the edges apart.
        return np.array([float(f"{edge:.3g}") for edge in np.geomspace(low, high, BARS + 1)]), True
    wanted = (high - low) / (BARS - 2) or 1.0
    power = 10.0 ** math.floor(math.log10(wanted))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= wanted * (1 - 1e-9))
    first = math.floor(low / step + 1e-9) * step
    return np.round(first + step * np.arange(BARS + 1), 10), False


def _curve(sampled: Sampled, rule: Rule, kind: str, threshold: float, edges: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Documents and tokens that pass quality at each stop of a slider for one bound, all other bounds unchanged."""
    values = sampled.columns[rule.measured]
    lower = kind in ("minimum", "above")
    others = replace(rule, minimum=None, above=None) if lower else replace(rule, maximum=None, below=None)
    # This bound alone decides a document that fails no other rule and keeps the other bound of this rule.
    decided = (sampled.failures == 0) | ((sampled.failures == 1) & (sampled.first_rule == rule.name))
    decided &= ~_fails(others, values) & ~np.isnan(values)
    order = np.argsort(values[decided], kind="stable")
    ordered, tokens = values[decided][order], np.concatenate([[0], np.cumsum(sampled.n_tokens[decided][order])])
    stops = sorted({*edges.tolist(), threshold})
    # `minimum` and `below` split at values less than the threshold, `above` and `maximum` at values up to and including it.
    cut = np.searchsorted(ordered, stops, side="left" if kind in ("minimum", "below") else "right")
    documents = len(ordered) - cut if lower else cut
    n_tokens = tokens[-1] - tokens[cut] if lower else tokens[cut]
    return {
        "rule": rule.name,
        "key": f"quality.{rule.measured}.{_SIDES[kind]}",
        "kind": kind,
        "threshold": threshold,
        "stops": stops,
        "documents": documents.tolist(),
        "tokens": n_tokens.tolist(),
    }
