"""The whole pipeline compared with datatrove's: from the same WARC files to texts without repetition or duplicates, with token
counts.

    python -m benchmarks.whole_pipeline --shared ../shared [--files 'ja_web-*'] [--pages 300] [--rounds 3]

Both get the same pages of the corpus, the same tokenizer and two workers, and run in turn: WARC, main text, repetition, MinHash
of 20 x 20, token counts. The project also judges by forty more rules, looks for personal data and writes shards; datatrove has
only the steps of this comparison (`benchmarks/datatrove_pipeline.py`). datatrove reads every page with trafilatura, because it
has no language check before it; of the Japanese files, both read nearly all pages.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from rich.table import Table

from benchmarks.runs import Cost, copy_records, cost_of, pipeline_command
from benchmarks.turns import MISSING, console, peer
from model.hugging_face.tokenizer import write_tokenizer
from model.presets import preset

WORKERS = 2


def compare(title: str, warc: Path, scratch: Path, pages: int, rounds: int) -> None:
    """Run both programs over the WARC files in `warc`, in turn, and print their costs."""
    inputs = str(warc / "*.warc.gz")
    made = scratch / "made"
    cost_of(pipeline_command(inputs, made, WORKERS))  # compiles what is not compiled yet, and trains the tokenizer
    tokenizer = scratch / "tokenizer"
    write_tokenizer(made / "tokens" / "tokenizer", tokenizer, preset("modern-1m"))
    own, others = scratch / "own", scratch / "others"
    commands = {"this project": pipeline_command(inputs, own, WORKERS, f"tokenizer.model={made / 'tokens' / 'tokenizer'}")}
    if peer("datatrove", lambda: None) is not None:
        json = str(tokenizer / "tokenizer.json")
        commands["datatrove"] = [sys.executable, "-m", "benchmarks.datatrove_pipeline", str(warc), str(others), json]
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            shutil.rmtree(own, ignore_errors=True)
            shutil.rmtree(others, ignore_errors=True)
            costs[name].append(cost_of(command))
    show(f"{title}: {pages:,} pages, {WORKERS} workers", pages, costs)
    for folder in (made, tokenizer, own, others):
        shutil.rmtree(folder, ignore_errors=True)


def show(title: str, pages: int, costs: dict[str, list[Cost]]) -> None:
    """Print a row per program, the project's first; medians."""
    table = Table("program", "pages/s", "s", "processor s", "faster by", "in processor time", "largest process MiB", title=title)
    own = costs["this project"]
    for name in ("this project", "datatrove"):
        if name not in costs:
            table.add_row(name, MISSING)
            continue
        seconds, processor, driver, largest = (statistics.median(column) for column in zip(*costs[name], strict=True))
        table.add_row(
            name,
            f"{pages / seconds:,.1f}",
            f"{seconds:,.1f}",
            f"{processor:,.1f}",
            f"{seconds / statistics.median(cost.seconds for cost in own):.1f}",
            f"{processor / statistics.median(cost.processor_seconds for cost in own):.1f}",
            f"{max(driver, largest) / 2**20:,.0f}",
        )
    console.print(table)


def main() -> None:
    """Print a table for the files named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="the folder that holds corpus/")
    parser.add_argument("--files", default="*", help="which files of the corpus, a glob")
    # datatrove takes seven minutes for all pages on two otherwise idle cores.
    parser.add_argument("--pages", type=int, help="pages of each file, from its beginning; all without it")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sources = sorted((arguments.shared / "corpus").glob(f"{arguments.files}.warc.gz"))
    if not sources:
        parser.error(f"--files {arguments.files}: no file of {arguments.shared / 'corpus'} matches")
    with tempfile.TemporaryDirectory(prefix="whole-pipeline-") as name:
        warc = Path(name) / "warc"
        warc.mkdir()
        pages = sum(copy_records(source, warc / source.name, count=arguments.pages) for source in sources)
        compare(arguments.files, warc, Path(name), pages, arguments.rounds)


if __name__ == "__main__":
    main()
