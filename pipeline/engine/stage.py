"""What a stage of the flow is, and what the order of the stages says about each of them.

A stage's folder declares it (`STAGE`), `pipeline.flow` puts the stages in order, and everything else about them is derived
here: which of them judge, which change texts, whose survivors reach a stage, how work is counted.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from pipeline.engine.task import Perform, Upstream

Scope = Literal["input", "part", "corpus", "shard"]


@dataclass(frozen=True)
class Stage:
    """A stage: what its units do, what they read and write, and which settings they obey.

    scope: what a unit works on: `input` one input of the run, `part` one part of the corpus, `corpus` all of it, `shard` one
    token shard.

    reads: names of what the result depends on. In them `{part}` is the unit's part, or every part for a unit of the whole corpus
    or a shard; `{shard}` the unit's shard; `{judge}` the stage whose survivors reach this one; `{editor}` each stage before it
    that changes texts; `{removal}` each stage before it that `leaves_room`.

    writes: the files, with the columns of those in Parquet. A stage that writes `verdicts/` judges documents; one that writes
    `edits/` changes texts, and its verdicts have the columns n_chars, n_bytes and n_tokens. keeps: files of the corpus
    that belong to the stage and that no unit writes.

    settings: the section of the manifest that a unit gets. obeys: what of the section, when that is not all of it; the unit gets
    this alone, and it is in the unit's key. outside: a digest, as plain JSON, of what lies outside the manifest (lists, models,
    earlier corpora) from the corpus folder and what the stage obeys; it is in the key too.

    libraries: distributions that decide results and that no module of the stage imports.

    counted_as: the row of the yields that the stage's seconds belong to, by default its own. leaves_room: documents that it
    drops are left out when a shard is written, so that no boundary between shards moves. seconds_at_a_record: computing time
    that one record may take, from what the stage obeys. shards: the names of the units of scope `shard`, from the corpus folder.
    """

    name: str
    scope: Scope
    perform: Perform
    reads: tuple[str, ...]
    writes: Mapping[str, pa.Schema | None] = field(default_factory=dict)
    keeps: Mapping[str, pa.Schema] = field(default_factory=dict)
    settings: str | None = None
    obeys: Callable[[Any], Any] = lambda section: section
    outside: Callable[[Path, Any], Any] = lambda root, obeyed: None
    libraries: tuple[str, ...] = ()
    counted_as: str = ""
    leaves_room: bool = False
    seconds_at_a_record: Callable[[Any], float] = lambda obeyed: math.inf
    shards: Callable[[Path], list[str]] = lambda root: []

    @property
    def judges(self) -> bool:
        """Whether the stage writes verdicts."""
        return any(name.startswith("verdicts/") for name in self.writes)

    @property
    def changes_texts(self) -> bool:
        """Whether the stage writes edits."""
        return any(name.startswith("edits/") for name in self.writes)


def upstream_of(stage: Stage, flow: Sequence[Stage]) -> Upstream:
    """What the stages before `stage` leave for it."""
    before = flow[: flow.index(stage)]
    judges = [each.name for each in before if each.judges and not each.leaves_room]
    return Upstream(
        judge=judges[-1] if judges else "",
        editors=tuple(each.name for each in before if each.changes_texts),
        removals=tuple(each.name for each in before if each.leaves_room),
    )


def judging(flow: Sequence[Stage]) -> tuple[str, ...]:
    """The names of the stages that judge, in their order."""
    return tuple(stage.name for stage in flow if stage.judges)


def editing(flow: Sequence[Stage]) -> tuple[str, ...]:
    """The names of the stages that change texts, in their order."""
    return tuple(stage.name for stage in flow if stage.changes_texts)


def counted(flow: Sequence[Stage]) -> dict[str, tuple[str, ...]]:
    """The rows of the yields in their order, each with the stages whose seconds it sums: the judging stages, then the rest."""
    rows = [*judging(flow), *(stage.counted_as for stage in flow if stage.counted_as)]
    return {row: tuple(stage.name for stage in flow if (stage.counted_as or stage.name) == row) for row in dict.fromkeys(rows)}
