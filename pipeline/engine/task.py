"""What the driver hands to a worker, and what it gets back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.engine.local import Mark
from pipeline.files import Output
from pipeline.inputs.sources import Source
from pipeline.manifest import Manifest


@dataclass(frozen=True)
class Task:
    """A unit of work: a stage on one part (or `all`), and what it may read.

    parts: the parts of the corpus, for stages that read all of them. source and skip: for extract alone, the input and the
    records that ended earlier workers (ordinal number -> rule).
    """

    root: str
    stage: str
    part: str
    parts: tuple[str, ...]
    manifest: Manifest
    source: Source | None = None
    skip: Mapping[int, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The corpus."""
        return Path(self.root)


@dataclass(frozen=True)
class Result:
    """What a unit made: files under temporary names, and digests of things that are no file of their own."""

    rows: int
    outputs: tuple[Output, ...]
    digests: Mapping[str, str] = field(default_factory=dict)


Perform = Callable[[Task, Mark], Result]
