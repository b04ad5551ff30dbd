"""What a stage of the flow is, and what follows from the order of the stages.

A stage's folder declares it (`STAGE`), and `pipeline.flow` puts the stages in order. This module derives the rest: which stages
judge, which change texts, whose survivors reach a stage, and in which row of the yields its work is counted.
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

    reads: names of what the result depends on. `{part}` is the unit's part, or every part if the unit works on the whole corpus
    or a shard. `{shard}` is the unit's shard, `{judge}` the stage whose survivors reach this one, `{editor}` each earlier stage
    that changes texts, `{removal}` each earlier stage that `leaves_room`.

    writes: the files, with a schema for each Parquet file. A stage that writes `verdicts/` judges documents. A stage that writes
    `edits/` changes texts, and its verdicts have the columns n_chars, n_bytes and n_tokens. keeps: files of the corpus that
    belong to the stage but are written by no unit.

    settings: the manifest section that the stage reads, or several, separated by spaces. obeys: makes of them what a unit gets,
    by default all of the one section; it is in the unit's key. outside: from the corpus folder and what the stage obeys, a digest
    as plain JSON of what is outside the manifest (lists, models, earlier corpora); it is in the key too.

    libraries: distributions that affect results but that no module of the stage imports.

    counted_as: the row of the yields that the stage's seconds count in, by default its own. leaves_room: documents that it drops
    are left out only when a shard is written, so that no boundary between shards moves. seconds_at_a_record: seconds of computing
    time that one record may take, from what the stage obeys. shards: names of the units of scope `shard`, from the corpus folder.
    """

    name: str
    scope: Scope
    perform: Perform
    reads: tuple[str, ...]
    writes: Mapping[str, pa.Schema | None] = field(default_factory=dict)
    keeps: Mapping[str, pa.Schema] = field(default_factory=dict)
    settings: str | None = None
    obeys: Callable[..., Any] = lambda section: section
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
    """Which stages before `stage` decide what reaches it. Raises ValueError if `stage` is not in the flow."""
    before = flow[: flow.index(stage)]
    judges = [each.name for each in before if each.judges and not each.leaves_room]
    return Upstream(
        judge=judges[-1] if judges else "",
        editors=tuple(each.name for each in before if each.changes_texts),
        removals=tuple(each.name for each in before if each.leaves_room),
    )


def judging(flow: Sequence[Stage]) -> tuple[str, ...]:
    """The names of the judging stages, in flow order."""
    return tuple(stage.name for stage in flow if stage.judges)


def editing(flow: Sequence[Stage]) -> tuple[str, ...]:
    """The names of the stages that change texts, in flow order."""
    return tuple(stage.name for stage in flow if stage.changes_texts)


def counted(flow: Sequence[Stage]) -> dict[str, tuple[str, ...]]:
    """The rows of the yields in order (judging stages first), each with the stages whose seconds it sums."""
    rows = [*judging(flow), *(stage.counted_as for stage in flow if stage.counted_as)]
    return {row: tuple(stage.name for stage in flow if (stage.counted_as or stage.name) == row) for row in dict.fromkeys(rows)}
