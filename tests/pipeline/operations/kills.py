"""Kills runs at random moments and holds what the last one makes against what an undisturbed run makes.

    python -m tests.pipeline.operations.kills --kills 200 --seed 1 --scratch /tmp/kills

A trial is a way to run (fresh, forgetting inputs, from another corpus, with a new tokenizer, with changed thresholds), which is
killed several times and then left to end. Moments are drawn by the seed between the start and the time that an undisturbed run
took, so that some hit publishing and the time after it; each kill hits the driver, a worker, or asks as Ctrl-C does. It prints a
line per trial and ends with status 1 at the first difference.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from tests.conftest import ROOT, SAMPLE

FILES = sorted(map(str, SAMPLE.glob("*.warc.gz")))
KILLS_A_TRIAL = 4
SETTINGS = ("tokenize.shard_tokens=20000", "tokenize.validation_share=0.1")


class Way(NamedTuple):
    """A way to run. begins_with: whether the output is at first a copy of the corpus of the sample."""

    name: str
    inputs: Sequence[str]
    options: Sequence[str]
    begins_with: bool


def ways(corpus: Path) -> list[Way]:
    """All of them; `corpus` is that of the sample."""
    return [
        Way("fresh", FILES, (), False),
        Way("forget", FILES[:3], ("--forget",), True),
        Way("from", FILES, ("--from", str(corpus), "--set", "quality.num_letters.min=800"), False),
        Way("retrain", FILES, ("--retrain-tokenizer", "--set", "tokenizer.vocabulary=3000"), True),
        Way("threshold", FILES, ("--set", "quality.num_letters.min=800"), True),
    ]


def start(way: Way, output: Path) -> subprocess.Popen[bytes]:
    """Start the run in a process group of its own, so that nothing of it outlives a trial unseen."""
    command = [sys.executable, "-m", "pipeline", "run", "ja_web", "--output", str(output), "--workers", "2", *way.options]
    command += [f"--set={setting}" for setting in SETTINGS] + [f"--input={path}" for path in way.inputs]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(way: Way, output: Path) -> tuple[str, float]:
    """Run to the end; the fingerprint, and the seconds it took. Raises RuntimeError if the run fails."""
    began = time.monotonic()
    process = start(way, output)
    _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{way.name}: exit status {process.returncode}: {said.decode(errors='replace')}")
    fingerprint = json.loads((output / "tokens" / "dataset.json").read_text())["fingerprint"]
    return str(fingerprint), time.monotonic() - began


def kill_at(process: subprocess.Popen[bytes], moment: float, how: str) -> bool:
    """Kill the run `moment` seconds after its start; whether it was still running."""
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if how == "worker" and children:
            os.kill(int(children[-1]), signal.SIGKILL)  # the run goes on with another worker
            process.communicate()
        else:
            process.send_signal(signal.SIGINT if how == "interrupt" else signal.SIGKILL)
            process.communicate()
        return True
    process.communicate()
    return False


def faults(output: Path, expected: str, made: str) -> list[str]:
    """What is wrong with a corpus after its last run."""
    found = [] if made == expected else [f"fingerprint {made}, not {expected}"]
    found += [f"{path} is left behind" for path in output.rglob(".*.tmp")]
    for path in output.rglob("*.parquet"):
        pq.read_metadata(path)
    return found


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scratch", type=Path, required=True, help="a folder for the corpora")
    arguments = parser.parse_args()
    scratch = arguments.scratch.resolve()
    corpus = scratch / "corpus"
    finish(Way("sample", FILES, (), False), corpus)
    expected = {way.name: reference(way, corpus, scratch / f"reference-{way.name}") for way in ways(corpus)}
    draw = random.Random(arguments.seed)
    kills = trial = 0
    while kills < arguments.kills:
        trial += 1
        way = draw.choice(ways(corpus))
        output = scratch / "trial"
        shutil.rmtree(output, ignore_errors=True)
        if way.begins_with:
            shutil.copytree(corpus, output)
        fingerprint, seconds = expected[way.name]
        hits = 0
        for _ in range(KILLS_A_TRIAL):
            how = draw.choice(["driver", "driver", "worker", "interrupt"])
            hits += kill_at(start(way, output), draw.uniform(0, seconds), how)
        kills += hits
        wrong = faults(output, fingerprint, finish(way, output)[0])
        print(f"trial {trial}: {way.name}, {hits} kills, {kills} in all: {'; '.join(wrong) or 'the same'}", flush=True)  # noqa: T201
        if wrong:
            return 1
    return 0


def reference(way: Way, corpus: Path, output: Path) -> tuple[str, float]:
    """The fingerprint and the seconds of an undisturbed run."""
    if way.begins_with:
        shutil.copytree(corpus, output)
    return finish(way, output)


if __name__ == "__main__":
    sys.exit(main())
