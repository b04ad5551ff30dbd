"""documents/, signatures/ → verdicts/removals/, removed_copies.parquet: what someone asked to take down, and copies of it.

A unit works on the whole corpus, since a copy may be in any part.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.corpus import layout
from pipeline.corpus.columns import read_known, survivors
from pipeline.corpus.writer import TableWriter
from pipeline.dedup.columns import Group, group_of_part
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.copies import COPIES_SCHEMA, find_copies
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task
from pipeline.removals.log import REMOVAL_SCHEMA, InForce, Place, digest_in_force, in_force
from pipeline.rules import VERDICT_SCHEMA, Rule, judge

TAKEN_DOWN, COPY = "taken_down", "copy_of_taken_down"
_PLACES = pa.schema([pa.field(name, pa.string()) for name in Place._fields])


def rules_of(config: DedupConfig) -> tuple[Rule, ...]:
    """The rules of the stage."""
    return (
        Rule(TAKEN_DOWN, maximum=0, source="the requests in removals.parquet"),
        Rule(COPY, below=config.minimum_similarity, source="dedup.minimum_similarity of the manifest"),
    )


def judge_removals(task: Task[DedupConfig], mark: Mark) -> Result:
    """Judge the documents of all parts by the requests in force."""
    root, rules = task.folder, rules_of(task.settings)
    copies = copies_of(root, task.parts, in_force(root, with_copies=True), task.settings)
    similarity = dict(zip(copies["doc_id"].to_pylist(), copies["similarity"].to_pylist(), strict=True))
    asked = in_force(root)
    outputs, digests, rows = [], {}, 0
    for part in task.parts:
        doc_ids = survivors(root, task.upstream.judge, part)
        measured = {name: np.zeros(len(doc_ids)) for name in (TAKEN_DOWN, COPY)}
        if asked:
            named = set(_named(root, part, asked))
            measured[TAKEN_DOWN] = np.array([doc_id in named for doc_id in doc_ids.to_pylist()], dtype=np.float64)
            measured[COPY] = np.array([similarity.get(doc_id, 0.0) for doc_id in doc_ids.to_pylist()])
        with TableWriter(root, layout.verdicts(task.stage, part), VERDICT_SCHEMA) as verdicts:
            verdicts.write(judge(rules, doc_ids, measured))
            outputs.append(verdicts.finish())
            digests[layout.survivors_name(task.stage, part)] = verdicts.survivors()
        rows += len(doc_ids)
    with TableWriter(root, layout.REMOVED_COPIES, COPIES_SCHEMA) as writer:
        writer.write(copies)
        outputs.append(writer.finish())
    return Result(rows, tuple(outputs), digests)


def copies_of(root: Path, parts: Sequence[str], asked: InForce, config: DedupConfig) -> pa.Table:
    """The copies, among what dedup keeps, of the pages that `asked` names in any state: COPIES_SCHEMA."""
    given = {part: named for part in parts if asked and (named := _named(root, part, asked))}
    return find_copies(root, given, _kept_by_dedup(root, parts), config)


def _kept_by_dedup(root: Path, parts: Sequence[str]) -> Iterator[Group]:
    for part in parts:
        yield group_of_part(root, part, survivors(root, "dedup", part))


def _named(root: Path, part: str, asked: InForce) -> list[str]:
    """The doc_ids of the documents of a part that `asked` names, dropped ones included."""
    places = read_known(root, layout.documents(part), _PLACES)  # an older corpus has no source_id
    rows: Iterator[tuple[str, ...]] = zip(*(column.to_pylist() for column in places.columns), strict=True)
    named: npt.NDArray[np.bool_] = asked.match(Place(*row) for row in rows)
    chosen: list[str] = places["doc_id"].filter(pa.array(named)).to_pylist()
    return chosen


STAGE = Stage(
    "removals",
    "corpus",
    judge_removals,
    reads=(layout.documents(), layout.signatures(), layout.survivors_name("dedup"), layout.survivors_name("{judge}")),
    writes={layout.verdicts("removals"): VERDICT_SCHEMA, layout.REMOVED_COPIES: COPIES_SCHEMA},
    keeps={layout.REMOVALS: REMOVAL_SCHEMA},
    settings="dedup",
    outside=lambda root, settings: digest_in_force(root),
    leaves_room=True,
)
