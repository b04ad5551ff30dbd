"""What the driver sends to a worker (`Task`) and gets back (`Result`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.corpus.layout import survivors_name, verdicts
from pipeline.corpus.writer import Output, TableWriter
from pipeline.inputs.record import Source
from pipeline.rules import VERDICT_SCHEMA

# A worker calls it with the record it is at; -1 means between records.
Mark = Callable[[int], None]
Settings = TypeVar("Settings")


class Upstream(NamedTuple):
    """Names of stages before a given stage: the one whose survivors reach it, those that change texts, and those whose drops are
    left out when a shard is written."""

    judge: str = ""
    editors: tuple[str, ...] = ()
    removals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task(Generic[Settings]):
    """A unit of work: a stage on one part (or `all`), and what it may read.

    settings: what the stage obeys of the manifest, all of it in the unit's key. parts: all parts of the corpus, only for units of
    scope `corpus` and `shard`. source: the input, only for units of scope `input`. code: the hash of the code that the unit runs.
    skip: records at which earlier workers died, as record number -> rule.
    """

    root: str
    stage: str
    part: str
    parts: tuple[str, ...]
    settings: Settings
    upstream: Upstream = field(default_factory=Upstream)
    source: Source | None = None
    code: str = ""
    skip: Mapping[int, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The corpus folder."""
        return Path(self.root)


@dataclass(frozen=True)
class Result:
    """What a unit made: its number of rows, files under temporary names, and digests of outputs that are not files."""

    rows: int
    outputs: tuple[Output, ...]
    digests: Mapping[str, str] = field(default_factory=dict)


Perform = Callable[[Task[Any], Mark], Result]


class _Writer(Protocol):
    def finish(self) -> Output: ...


def finished(task: Task[Any], *writers: _Writer) -> Result:
    """Finish the files of a unit of one part: the result has the rows of the first file, and a digest of the survivors."""
    outputs = tuple(writer.finish() for writer in writers)
    digests = {
        survivors_name(task.stage, task.part): writer.survivors()
        for writer in writers
        if isinstance(writer, TableWriter) and writer.judges
    }
    return Result(outputs[0].rows, outputs, digests)


def write_verdicts_by_part(
    task: Task[Any], table: pa.Table, rows: npt.NDArray[np.int64], counts: Sequence[int]
) -> tuple[list[Output], dict[str, str]]:
    """Write the verdicts of a unit of the whole corpus as one file per part, in the order of the part.

    rows: int64 (N,), the rows of `table` in the order of the parts. counts: the number of documents of each of the task's parts,
    N in total. Returns the files, and the digests of the survivors by name. Raises ValueError if counts and parts differ in
    length.
    """
    outputs, digests = [], {}
    for part, of_part in zip(task.parts, np.split(rows, np.cumsum(counts)[:-1]), strict=True):
        with TableWriter(task.folder, verdicts(task.stage, part), VERDICT_SCHEMA) as writer:
            writer.write(table.take(pa.array(of_part)))
            outputs.append(writer.finish())
            digests[survivors_name(task.stage, part)] = writer.survivors()
    return outputs, digests
