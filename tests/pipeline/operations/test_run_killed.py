"""After drivers and workers are killed mid-run, nothing is lost and no half-written file is visible."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

from pipeline.engine.executor import Outcome
from pipeline.engine.task import Perform, Task
from pipeline.operations.run import run
from tests.conftest import ROOT, SAMPLE, sample_manifest
from tests.pipeline.operations.runs import FILES, Recorder, build, fingerprint_of


def run_in_a_process(output: Path) -> subprocess.Popen[str]:
    sets = [f"--set={change}" for change in SETTINGS]
    command = [sys.executable, "-m", "pipeline", "run", "manifests/sample.yaml", "--output", str(output), "--json", *sets]
    return subprocess.Popen(
        [*command, "--input", str(SAMPLE / "*.warc.gz"), "--workers", "2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


SETTINGS = ("tokenize.shard_tokens=20000", "tokenize.validation_share=0.1")


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]


def test_killed_drivers_lose_nothing_and_show_no_half_written_file(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    # Units after which each run is killed; together the runs pass through all stages.
    for units in (1, 14, 24):
        process = run_in_a_process(output)
        assert process.stdout is not None
        for line in process.stdout:
            units -= json.loads(line).get("event") == "unit"
            if units < 0:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in output.rglob("*.parquet"):
            if not path.name.startswith("."):
                pq.read_metadata(path)
    fingerprint, _ = build(sample_manifest(output))
    assert fingerprint == fingerprint_of(corpus)
    assert not list(output.rglob(".*.tmp"))


def test_killed_workers_lose_nothing(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = run_in_a_process(output)
    assert process.stdout is not None
    killed = 0
    for line in process.stdout:
        if killed < 3 and json.loads(line).get("event") == "unit":
            for worker in workers_of(process)[:1]:
                os.kill(worker, signal.SIGKILL)
                killed += 1
    assert process.wait() == 0
    assert killed == 3
    assert fingerprint_of(output) == fingerprint_of(corpus)


class Dying:
    """An executor in this process that simulates deaths of workers; `deaths` has how and how often, by record."""

    name, workers = "local", 1

    def __init__(self, deaths: dict[int, tuple[Literal["crash", "killed", "timeout"], int]]) -> None:
        self.deaths = deaths

    def run(self, perform: Perform, tasks: Iterable[Task[Any]], patience: float) -> Iterator[Outcome]:
        """One outcome per task; deaths come in the order of records, and none at a skipped record."""
        for task in tasks:
            coming = [at for at, (_, times) in self.deaths.items() if task.stage == "extract" and times and at not in task.skip]
            if coming:
                died, times = self.deaths[coming[0]]
                self.deaths[coming[0]] = (died, times - 1)
                yield Outcome(task, died=died, position=coming[0])
            else:
                yield Outcome(task, perform(task, lambda position: None))

    def close(self) -> None:
        """There is nothing to release."""


def test_a_record_is_dropped_that_ended_more_workers_than_chance_would(tmp_path: Path) -> None:
    recorder = Recorder()
    dying = Dying({2: ("crash", 1), 4: ("crash", 3), 6: ("killed", 3), 8: ("killed", 4), 10: ("timeout", 2)})
    report = run(sample_manifest(tmp_path / "out", inputs=FILES[:1]), recorder, dying)
    assert report.failed == []
    assert {at: times for at, (_, times) in dying.deaths.items()} == {2: 0, 4: 1, 6: 0, 8: 0, 10: 0}
    rules = pq.read_table(tmp_path / "out" / "verdicts" / "extract" / "part-00000.parquet", columns=["rule"])["rule"].to_pylist()
    dropped = {index: rule for index, rule in enumerate(rules) if rule in ("parser_crash", "timeout")}
    assert dropped == {4: "parser_crash", 8: "parser_crash", 10: "timeout"}
