"""How the cost of a run grows: one worker and two, the corpus once and several times; and how long the command takes to start.

    python -m benchmarks.scaling --shared ../shared [--times 8]

As records, the copies are not duplicates of each other: each has its own ids and URLs, so that all of them go through
extraction, quality and dedup. All runs share one tokenizer, trained beforehand on a sample that does not grow.
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.table import Table

from benchmarks.runs import copy_records, cost_of, pipeline_command
from benchmarks.turns import ROUNDS, console

WORKERS = 2
HEAVY = ("torch", "pandas", "numba", "pyarrow")  # modules that take at least a tenth of a second to import


def show_runs(sources: list[Path], times: int, scratch: Path) -> None:
    """Run over the corpus with one worker and with two, and over its copies; print a row per run."""
    copies = scratch / "copies"
    copies.mkdir()
    pages = 0
    for number in range(times):
        for source in sources:
            pages += copy_records(source, copies / f"{number}-{source.name}", mark=f"copy{number}")
    once, many = str(copies / "0-*.warc.gz"), str(copies / "*.warc.gz")
    made = scratch / "made"
    cost_of(pipeline_command(once, made, WORKERS))  # compiles what is not compiled yet, and trains the tokenizer
    tokenizer = f"tokenizer.model={made / 'tokens' / 'tokenizer'}"
    table = Table("corpus", "pages", "workers", "s", "pages/s", "pages a processor second", "driver MiB", "largest worker MiB")
    for name, inputs, count, workers in (
        ("once", once, pages // times, 1),
        ("once", once, pages // times, WORKERS),
        (f"{times} times", many, pages, 1),
        (f"{times} times", many, pages, WORKERS),
    ):
        output = scratch / "output"
        cost = cost_of(pipeline_command(inputs, output, workers, tokenizer))
        shutil.rmtree(output)
        speed = (f"{cost.seconds:.1f}", f"{count / cost.seconds:.1f}", f"{count / cost.processor_seconds:.1f}")
        memory = (f"{cost.driver_bytes / 2**20:,.0f}", f"{cost.largest_bytes / 2**20:,.0f}")
        table.add_row(name, f"{count:,}", str(workers), *speed, *memory)
    console.print(table)


def show_start() -> None:
    """Print how long the command line takes to answer, and which heavy modules it imports needlessly."""
    arguments = ["-m", "pipeline", "--help"]
    seconds, processor = [], []
    for _ in range(ROUNDS):
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(time.perf_counter() - began)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    command = [sys.executable, "-X", "importtime", *arguments]
    imports = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    heavy = [name for name in HEAVY if any(line.split("|")[-1].strip() == name for line in imports.splitlines())]
    console.print(
        f"python -m pipeline --help: {statistics.median(seconds):.2f} s, of which {statistics.median(processor):.2f} s are "
        f"computing; of {', '.join(HEAVY)} it imports {', '.join(heavy) or 'none'}"
    )


def main() -> None:
    """Print the table of runs and the line about the start."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="the folder that holds corpus/")
    parser.add_argument("--times", type=int, default=8, help="how many copies the larger run has")
    arguments = parser.parse_args()
    show_start()
    with tempfile.TemporaryDirectory(prefix="scaling-") as name:
        show_runs(sorted((arguments.shared / "corpus").glob("*.warc.gz")), arguments.times, Path(name))


if __name__ == "__main__":
    main()
