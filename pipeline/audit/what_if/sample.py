"""Pages that other thresholds would add or drop, to read before deciding.

The sample is the pages with the smallest ids. Ids are hashes, so it is as good as random, and the same every time.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.audit.what_if.answer import Fates, Present
from pipeline.audit.what_if.columns import Pages
from pipeline.corpus import layout
from pipeline.corpus.columns import read
from pipeline.dedup import config as dedup_config
from pipeline.hosts import config as hosts_config
from pipeline.manifest import Manifest
from pipeline.quality import config as quality
from pipeline.rules import Rule
from pipeline.terminal import printable

# Enough to recognise a page, and few enough that many pages fit on a screen.
_LINES, _LINE_CHARACTERS = 3, 80


@dataclass(frozen=True)
class SamplePage:
    """A page whose fate differs, and the rule that drops it: today if it comes in, under the change if it goes out.

    value and threshold: None if the rule does not judge a number of this page alone (a share of a host, a similarity).
    """

    change: Literal["in", "out"]
    doc_id: str
    url: str
    stage: str
    rule: str
    value: float | None
    threshold: float | None
    is_duplicate_unknown: bool
    lines: tuple[str, ...]


def sample_pages(present: Present, pages: Pages, fates: Fates, manifest: Manifest, count: int) -> list[SamplePage]:
    """Up to `count` pages that come in under `manifest`, and up to `count` that go out, those with the smallest ids.

    A page without a signature comes in if quality keeps it; whether it repeats another page is unknown.
    """
    last = len(present.stages)
    kept_now, kept_then = pages.passed == last, fates.passed == last
    found = []
    for index, part, row in _smallest_ids(pages, kept_then & ~kept_now, count):
        stage = present.stages[pages.passed[index]]
        found.append(_page(present.root, part, row, "in", stage, bool(fates.unsigned[index]), None))
    rules = {
        "quality": quality.all_rules_of(manifest.quality),
        "dedup": dedup_config.rules_of(manifest.dedup),
        "hosts": hosts_config.rules_of(manifest.hosts),
    }
    for index, part, row in _smallest_ids(pages, kept_now & ~kept_then, count):
        stage = present.stages[fates.passed[index]]
        found.append(_page(present.root, part, row, "out", stage, False, rules[stage][fates.rule[index]]))
    return found


def _smallest_ids(pages: Pages, chosen: npt.NDArray[np.bool_], count: int) -> list[tuple[int, str, int]]:
    """(index among the pages, part, row in the part) of the chosen pages (bool (N,)) with the smallest ids."""
    indices = np.flatnonzero(chosen)
    smallest = pc.array_sort_indices(pages.doc_id.take(pa.array(indices)))[:count].to_numpy()
    found = []
    for index in indices[smallest].tolist():
        number = int(np.searchsorted(pages.starts, index, side="right")) - 1
        found.append((index, pages.parts[number], int(pages.row[index])))
    return found


def _page(
    root: Path, part: str, row: int, change: Literal["in", "out"], stage: str, is_duplicate_unknown: bool, rule: Rule | None
) -> SamplePage:
    """One page of the sample; `rule` drops it under the change, None takes the rule of its verdict today."""
    document = _row(root / layout.documents(part), row, ["doc_id", "url", "text"])
    name, value, threshold = "", None, None
    if rule is None:
        verdicts = read(root, layout.verdicts(stage, part), ["doc_id", "rule", "value", "threshold"])
        verdict = verdicts.filter(pc.equal(verdicts["doc_id"], document["doc_id"])).to_pylist()[0]
        name, value, threshold = verdict["rule"], verdict["value"], verdict["threshold"]
    elif stage == "quality":
        value = float(_row(root / layout.features(part), row, [rule.measured])[rule.measured])
        name, threshold = rule.name, float(rule.failures(np.array([value]))[1][0])
    else:
        name = rule.name
    lines = tuple(printable(line[:_LINE_CHARACTERS]) for line in document["text"].split("\n", _LINES)[:_LINES])
    return SamplePage(change, document["doc_id"], document["url"], stage, name, value, threshold, is_duplicate_unknown, lines)


def _row(path: Path, row: int, columns: list[str]) -> dict[str, str]:
    """One row of a Parquet file; only its row group is read."""
    with pq.ParquetFile(path) as parquet:
        group = 0
        while row >= parquet.metadata.row_group(group).num_rows:
            row -= parquet.metadata.row_group(group).num_rows
            group += 1
        found: dict[str, str] = parquet.read_row_group(group, columns=columns).slice(row, 1).to_pylist()[0]
        return found
