"""Copies of the sample's corpus, built again under other settings."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.engine.executor import Outcome
from pipeline.engine.runner import Listener
from pipeline.engine.task import Perform
from pipeline.manifest import read_manifest
from pipeline.operations.run import run


class InThisProcess:
    """An executor without processes: starting them would take longer than the work on the sample."""

    name = "in this process"
    workers = 1

    def run(self, perform: Perform, tasks: Iterable[Any], patience: float) -> Iterator[Outcome]:
        """Do the tasks in order."""
        for task in tasks:
            yield Outcome(task, perform(task, lambda position: None))

    def close(self) -> None:
        """There is nothing to release."""


def copy_of(corpus: Path, target: Path, *changes: str) -> Path:
    """A copy of a corpus in the folder `target`. If there are `changes`, its manifest is run again with them."""
    shutil.copytree(corpus, target)
    if changes:
        manifest = read_manifest(str(target / "manifest.yaml"), changes, output=str(target))
        assert run(manifest, Listener(), InThisProcess()).failed == []
    return target
