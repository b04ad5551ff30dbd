"""`python -m tests.fuzz --inputs 5000 --seed 0`: damaged inputs of every format, and what reading and extracting makes of them.

Input number N of seed S is made from the number S + N, so that one that fails can be made again: `--inputs 1 --seed NUMBER`.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests.fuzz.check import Found, check_input

_MANIFEST = Path(__file__).parents[2] / "manifests" / "ja_web.yaml"


def main() -> int:
    """Check the inputs; the exit status is 1 if there is a complaint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=1_000_000, help="bytes of what an adversary would write")
    parser.add_argument("--run", type=int, default=50, help="how many of the inputs go through `pipeline run` as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found: list[Found] = []
        for number in range(arguments.inputs):
            found.append(_told(check_input(Path(folder), arguments.seed + number, arguments.size)))
            if len(found) % 500 == 0:
                click.echo(f"{len(found)} inputs", err=True)
        failed = sum(bool(each.complaints) for each in found)
        slowest = max(found, key=lambda each: each.seconds)
        records, documents = sum(each.records for each in found), sum(each.documents for each in found)
        seconds = sum(each.seconds for each in found)
        click.echo(f"{len(found)} inputs, {records} records, {documents} documents")
        click.echo(f"{seconds:.0f} s; the slowest {slowest.seconds:.1f} s ({slowest.path.name}); {failed} failed")
        if arguments.run:
            failed += _run([each.path for each in found[: arguments.run]], Path(folder))
    return 1 if failed else 0


def _told(found: Found) -> Found:
    for complaint in found.complaints:
        click.echo(f"{found.path.name}: {complaint}")
    return found


def _run(paths: list[Path], folder: Path) -> int:
    """Build a corpus of the inputs; returns the number of complaints. Inputs that cannot be read at all may fail."""
    command = [sys.executable, "-m", "pipeline", "run", str(_MANIFEST), "--output", str(folder / "corpus"), "--allow-failed"]
    for path in paths:
        command += ["--input", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    click.echo(f"pipeline run: exit status {done.returncode}\n{output[-1500:]}")
    return int("Traceback" in output or not (folder / "corpus" / "manifest.duckdb").exists())


if __name__ == "__main__":
    sys.exit(main())
