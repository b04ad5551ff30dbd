"""Builds corpora for tests, and records the units done and the problems reported."""

import json
from pathlib import Path

from pipeline.engine.executor import Executor
from pipeline.engine.runner import Listener
from pipeline.manifest import Manifest
from pipeline.operations.run import run
from tests.conftest import SAMPLE
from tests.pipeline.corpora import InThisProcess

FILES = sorted(str(path) for path in SAMPLE.glob("*.warc.gz"))


class Recorder(Listener):
    """Records what a run reports: the units done, by stage, and the problems."""

    def __init__(self) -> None:
        self.units: list[tuple[str, str]] = []
        self.problems: list[str] = []
        self.notes: list[str] = []

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        self.units.append((name, part))

    def note(self, message: str) -> None:
        self.notes.append(message)

    def problem(self, message: str) -> None:
        self.problems.append(message)


def build(manifest: Manifest, executor: Executor | None = None) -> tuple[str | None, Recorder]:
    """Build a corpus without failures; in this process unless given an executor, because workers start slowly."""
    recorder = Recorder()
    report = run(manifest, recorder, executor or InThisProcess())
    assert report.failed == []
    return report.fingerprint, recorder


def fingerprint_of(output: Path) -> str:
    return str(json.loads((output / "tokens" / "dataset.json").read_text())["fingerprint"])
