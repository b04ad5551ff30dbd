"""Rules are data: a name, a column and bounds. One function judges a table of measured numbers by them.

A *measured number* is a column; a *rule* bounds one column; a *verdict* is what a stage says about one document. The numbers are
stored, so documents are judged by a changed threshold without reading a page.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

VERDICT_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("rule", pa.string()),  # the first rule that failed, in the order of the rules; null if kept
        pa.field("value", pa.float64()),  # the measured number
        pa.field("threshold", pa.float64()),  # the bound that it broke
        pa.field("failed", pa.list_(pa.string()), nullable=False),  # every rule that failed, in the order of the rules
    ]
)

# Per kind of bound, the comparison of value and bound that keeps the value.
HOLDS: dict[str, Callable[[Any, float], Any]] = {
    "minimum": operator.ge,
    "above": operator.gt,
    "maximum": operator.le,
    "below": operator.lt,
}


@dataclass(frozen=True)
class Rule:
    """Bounds on one measured number.

    `minimum` and `maximum` keep a value equal to the bound; `above` and `below` drop it. (Swallow's code and paper differ in
    exactly this for three rules.) A NaN fails every bound, so that a document that could not be measured is not kept silently.
    `source` names the origin of the number: a paper and its section, or a public file.
    """

    name: str
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    column: str | None = None
    source: str = ""

    @property
    def measured(self) -> str:
        """The column that the rule judges; by default, the column with the name of the rule."""
        return self.column or self.name

    def bounds(self) -> list[tuple[str, float]]:
        """The bounds that are set, as (kind, threshold), lower bounds first."""
        named = [("minimum", self.minimum), ("above", self.above), ("maximum", self.maximum), ("below", self.below)]
        return [(kind, float(threshold)) for kind, threshold in named if threshold is not None]

    def failures(self, values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        """Which of `values` (any numeric dtype, shape (N,)) break the rule, and the first threshold that each breaks.

        Returns (failed: bool (N,), threshold: float64 (N,), NaN if the rule holds).
        """
        values = np.asarray(values, dtype=np.float64)
        threshold = np.full(len(values), np.nan)
        failed = np.zeros(len(values), dtype=bool)
        for kind, bound in self.bounds():
            holds = HOLDS[kind](values, bound)
            newly = ~holds & ~failed
            threshold[newly] = bound
            failed |= ~holds
        return failed, threshold

    def broken_bound(self, value: float) -> float | None:
        """The threshold that one value breaks, None if the rule holds: `failures` for a single value, without arrays."""
        return next((bound for kind, bound in self.bounds() if not HOLDS[kind](value, bound)), None)


def judge(
    rules: Sequence[Rule], doc_ids: Sequence[str] | pa.Array | pa.ChunkedArray, columns: Mapping[str, npt.NDArray[Any]]
) -> pa.Table:
    """One verdict per document, which is kept if every rule holds.

    `columns` maps the names of measured numbers to arrays of shape (N,), one value per document. The result has `VERDICT_SCHEMA`
    and the order of `doc_ids`. Raises KeyError if a rule judges a column that was not measured.
    """
    count = len(doc_ids)
    first = np.full(count, -1, dtype=np.int64)
    value = np.full(count, np.nan)
    threshold = np.full(count, np.nan)
    failed_by_rule = np.zeros((len(rules), count), dtype=bool)
    for index, rule in enumerate(rules):
        measured = np.asarray(columns[rule.measured], dtype=np.float64)
        failed, broken = rule.failures(measured)
        failed_by_rule[index] = failed
        newly = failed & (first < 0)
        first[newly] = index
        value[newly] = measured[newly]
        threshold[newly] = broken[newly]

    kept = first < 0
    names = pa.array([rule.name for rule in rules], pa.string())
    # Transposed, so that the failed rules come document by document, in the order of the rules.
    _, rule_index = np.nonzero(failed_by_rule.T)
    offsets = np.concatenate([[0], np.cumsum(failed_by_rule.sum(axis=0))]).astype(np.int32)
    failed_names = names.take(pa.array(rule_index))
    return pa.table(
        [
            doc_ids if isinstance(doc_ids, pa.Array | pa.ChunkedArray) else pa.array(doc_ids, pa.string()),
            pa.array(kept),
            names.take(pa.array(first, mask=kept)),
            pa.array(value, mask=kept),
            pa.array(threshold, mask=kept),
            pa.ListArray.from_arrays(pa.array(offsets), failed_names),
        ],
        schema=VERDICT_SCHEMA,
    )
