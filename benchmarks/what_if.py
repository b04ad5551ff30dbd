"""How long `what-if` takes, and how much memory, on synthetic columns of many documents.

    python -m benchmarks.what_if FOLDER --documents 10000000

Makes a corpus in FOLDER (unless there is one) in the layout of a real one: the same files, schemas and row groups, in parts
the size of a WARC file. Numbers are drawn so that about a quarter of the pages pass quality and a tenth of these are repeats.
Verdicts come from the pipeline's own units, except those of clean and pii, which shorten some texts a little. The texts are
empty, since `what-if` never reads one. Then the command runs as a user would run it, once per case. Both wall-clock and
processor seconds are shown, since other programs may use the cores.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import yaml
from rich.console import Console
from rich.table import Table

from pipeline.corpus.columns import aligned, read, survivors
from pipeline.corpus.ledger import Ledger, RunRow, UnitRow
from pipeline.corpus.views import create_views, describe_tables
from pipeline.corpus.writer import BATCH_ROWS, TableWriter, commit
from pipeline.dedup.config import signature_settings
from pipeline.dedup.unit import deduplicate
from pipeline.editing import SIZED_VERDICT_SCHEMA
from pipeline.engine.keys import fixed_ingredients, obeyed
from pipeline.engine.stage import upstream_of
from pipeline.engine.task import Result, Task
from pipeline.extract.config import DOCUMENT_SCHEMA, RECORD_VERDICT_SCHEMA
from pipeline.flow import FLOW, tables_of
from pipeline.hosts.unit import judge_all_hosts
from pipeline.manifest import Manifest
from pipeline.measure.unit import MEASURED_SCHEMA
from pipeline.operations import counts
from pipeline.quality.config import rules_of
from pipeline.quality.unit import judge_quality
from pipeline.removals.unit import judge_removals
from pipeline.rules import judge
from pipeline.tokenize.count import TOKEN_COUNT_SCHEMA

PART_DOCUMENTS = 40_000  # a WARC file of Common Crawl holds about 40,000 pages
HOST_PAGES = 50  # mean pages per host
REPEATED_SHARE = 0.1  # of the pages with a signature; dedup drops about that share of a crawl
# Each rule drops this share independently, so that a quarter of the pages passes all of them.
DROPPED_SHARE = 0.06
TOKENS_A_CHARACTER = 0.46  # of the bundled tokenizer's kind on Japanese Web text
CASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("stricter", ("quality.num_letters.min=500",)),
    ("looser", ("quality.num_letters.min=300",)),
    ("two rules", ("quality.num_letters.min=500", "quality.japanese_fraction.min=0.55")),
    ("similarity", ("dedup.minimum_similarity=0.85",)),
    ("hosts", ("hosts.dating_page_share=0.01",)),
)
console = Console()


def features_of(random: np.random.Generator, count: int) -> dict[str, npt.NDArray[Any]]:
    """Synthetic numbers of `count` documents: each rule of the default profile drops its share, other columns are noise."""
    columns: dict[str, npt.NDArray[Any]] = {}
    for rule in rules_of(Manifest(input=("none",)).quality):
        low, high = rule.minimum, rule.maximum if rule.maximum is not None else rule.below
        drawn = random.random(count)
        if high is not None and low is None:
            columns[rule.measured] = drawn * high / (1 - DROPPED_SHARE)
        elif low is not None:
            top = high if high is not None else 3 * low
            columns[rule.measured] = top - drawn * (top - low) / (1 - DROPPED_SHARE)
    columns["num_letters"] = np.exp(random.normal(7.0, 0.8, count))
    columns["n_bytes"] = columns["num_letters"] * 2.8
    columns["num_ng_letters_not_allowed"] = random.random(count) * 4
    columns["has_dating_expression"] = random.random(count) < 0.0005
    for field in MEASURED_SCHEMA:
        if field.name not in columns and field.name != "doc_id":
            columns[field.name] = random.random(count)
    return columns


def write(root: Path, name: str, schema: pa.Schema, columns: Mapping[str, Any]) -> None:
    """Write a Parquet file of the corpus, with row groups of one batch as in the pipeline."""
    arrays = [pa.array(columns[field.name]).cast(field.type, safe=False) for field in schema]
    table = pa.table(arrays, schema=schema)
    with TableWriter(root, name, schema) as writer:
        for start in range(0, table.num_rows, BATCH_ROWS):
            writer.write(table.slice(start, BATCH_ROWS))
        commit(root, [writer.finish()])


def write_part(root: Path, part: str, documents: int, hosts: int, random: np.random.Generator, manifest: Manifest) -> None:
    """Write the files of one part that extract, measure, quality, count and signatures leave."""
    doc_ids = [random.bytes(16).hex() for _ in range(documents)]
    numbers = (hosts * random.random(documents) ** 3).astype(np.int64)  # few hosts have most pages
    names = [f"www{number}.example.jp" for number in numbers]
    days = np.datetime64("2023-01-01T00:00:00") + random.integers(0, 3 * 365 * 86400, documents).astype("timedelta64[s]")
    strings = {
        "doc_id": doc_ids,
        "url": [f"https://{name}/article/{page}.html" for page, name in enumerate(names)],
        "host": names,
        "date": [f"{day}Z" for day in days.astype(str)],
    }
    filled = {field.name: np.zeros(documents, dtype=np.int64) for field in DOCUMENT_SCHEMA if field.type != pa.string()}
    empty = {field.name: [""] * documents for field in DOCUMENT_SCHEMA if field.type == pa.string()}
    write(root, f"documents/{part}.parquet", DOCUMENT_SCHEMA, {**empty, **filled, **strings})
    nothing = {field.name: pa.nulls(documents, field.type) for field in RECORD_VERDICT_SCHEMA}
    record = {"kept": [True] * documents, "failed": pa.array([[]] * documents, pa.list_(pa.string())), "record_bytes": numbers}
    words = {
        "detail": [""] * documents,
        "record_type": ["response"] * documents,
        "warc_file": [part] * documents,
        "warc_offset": numbers,
        "source_id": [""] * documents,
    }
    write(root, f"verdicts/extract/{part}.parquet", RECORD_VERDICT_SCHEMA, {**nothing, **strings, **record, **words})
    features = features_of(random, documents)
    write(root, f"features/{part}.parquet", MEASURED_SCHEMA, {"doc_id": doc_ids, **features})
    tokens = (features["num_letters"] * TOKENS_A_CHARACTER).astype(np.int64)
    write(root, f"token_counts/{part}.parquet", TOKEN_COUNT_SCHEMA, {"doc_id": doc_ids, "n_tokens": tokens})
    accept(root, judge_quality(Task(str(root), "quality", part, (part,), manifest.quality), lambda position: None))

    config = manifest.dedup
    kept = survivors(root, "quality", part)
    signatures = np.frombuffer(random.bytes(len(kept) * config.values), dtype=np.uint8).reshape(-1, config.values).copy()
    copies = np.flatnonzero(random.random(len(kept)) < REPEATED_SHARE)
    copies = copies[copies > 0]
    changed = random.random((len(copies), config.values)) < random.uniform(0, 0.2, (len(copies), 1))
    signatures[copies] = np.where(changed, signatures[copies], signatures[(copies * random.random(len(copies))).astype(int)])
    metadata = {"settings": str(signature_settings(config)), "documents": ""}
    schema = pa.schema([pa.field("doc_id", pa.string()), pa.field("signature", pa.binary(config.values))], metadata=metadata)
    write(root, f"signatures/{part}.parquet", schema, {"doc_id": kept, "signature": [row.tobytes() for row in signatures]})


def write_sizes(root: Path, stage: str, previous: str, part: str, random: np.random.Generator) -> None:
    """Write verdicts of a stage that changes texts: all documents are kept, every third loses a few characters."""
    doc_id = pa.chunked_array([survivors(root, previous, part)])
    if previous == "hosts":
        counted = aligned(read(root, f"token_counts/{part}.parquet", ["doc_id", "n_tokens"]), doc_id)
        measured = aligned(read(root, f"features/{part}.parquet", ["doc_id", "num_letters", "n_bytes"]), doc_id)
        before = [measured["num_letters"], measured["n_bytes"], counted["n_tokens"]]
    else:
        sized = aligned(read(root, f"verdicts/{previous}/{part}.parquet", ["doc_id", "n_chars", "n_bytes", "n_tokens"]), doc_id)
        before = [sized[name] for name in ("n_chars", "n_bytes", "n_tokens")]
    cut = (random.random(len(doc_id)) < 1 / 3) * random.integers(0, 8, len(doc_id))
    after = [np.maximum(column.to_numpy() - cut, 1) for column in before]
    verdicts = judge((), doc_id.combine_chunks(), {})
    sizes = dict(zip(("n_chars", "n_bytes", "n_tokens"), after, strict=True))
    columns = dict(zip(verdicts.column_names, verdicts.columns, strict=True))
    write(root, f"verdicts/{stage}/{part}.parquet", SIZED_VERDICT_SCHEMA, {**columns, **sizes})


def accept(root: Path, result: Result) -> None:
    """Rename the files of a unit to their final names."""
    commit(root, list(result.outputs))


def make_corpus(root: Path, documents: int) -> None:
    """Make a whole corpus with its ledger, which records the run as done."""
    random = np.random.default_rng(0)
    manifest = Manifest(input=("none",), output=str(root))
    sizes = [min(PART_DOCUMENTS, documents - start) for start in range(0, documents, PART_DOCUMENTS)]
    parts = tuple(f"part-{number:05d}" for number in range(len(sizes)))
    root.mkdir(parents=True)
    (root / "manifest.yaml").write_text(yaml.safe_dump(manifest.model_dump(mode="json")), encoding="utf-8")
    for part, size in zip(parts, sizes, strict=True):
        write_part(root, part, size, max(1, documents // HOST_PAGES), random, manifest)
    accept(root, deduplicate(task_of(root, "dedup", "all", parts, manifest), lambda position: None))
    accept(root, judge_all_hosts(task_of(root, "hosts", "all", parts, manifest), lambda position: None))
    for part in parts:
        write_sizes(root, "clean", "hosts", part, random)
        write_sizes(root, "pii", "clean", part, random)
        accept(root, judge_removals(task_of(root, "removals", part, parts, manifest), lambda position: None))
    with Ledger(root) as ledger:
        for unit in units_of(parts, sizes, manifest):
            ledger.record(unit)
        describe_tables(ledger, tables_of(FLOW))
        create_views(ledger)
        final = "SELECT count(*), sum(n_tokens) FROM stage_verdicts WHERE stage = 'pii' AND kept"
        ledger.replace_rows("token_shards", [("none", "train", *ledger.rows(final)[0], "", "", "")])
        ledger.begin_run(RunRow("made", "", "", "local", 1, ""))
        ledger.end_run("made", "done")
        counts.refresh(ledger, "made", changed=True)
        counts.check(ledger, whole=True)


def task_of(root: Path, name: str, part: str, parts: tuple[str, ...], manifest: Manifest) -> Task[Any]:
    """A task of the stage `name`."""
    stage = next(stage for stage in FLOW if stage.name == name)
    return Task(str(root), name, part, parts, obeyed(stage, manifest), upstream_of(stage, FLOW))


def units_of(parts: tuple[str, ...], sizes: list[int], manifest: Manifest) -> Iterator[UnitRow]:
    """Ledger rows of the units, as if they had made the corpus: done, by the present code."""
    fixed = fixed_ingredients(manifest, Path(manifest.output), FLOW)
    for stage in FLOW:
        made_of = {**fixed[stage.name]._asdict(), "reads": {}}
        units = list(zip(parts, sizes, strict=True)) if stage.scope in ("input", "part") else [("all", sum(sizes))]
        for part, size in units:
            yield UnitRow(stage.name, part, "", size, {}, "", 0.0, "done", None, made_of)


def timed(arguments: list[str]) -> tuple[float, float, float]:
    """(wall-clock seconds, processor seconds, peak memory in GB) of a command of the pipeline."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "pipeline", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(arguments)} ended with status {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def main() -> None:
    """Make the corpus unless it exists, then print a row per case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--set", action="append", help="one case of your own instead of those of the table")
    arguments = parser.parse_args()
    if not arguments.folder.exists():
        make_corpus(arguments.folder, arguments.documents)
    table = Table("case", "settings", "seconds", "of processors", "peak memory, GB")
    for name, changes in [("own", tuple(arguments.set))] if arguments.set else CASES:
        seconds = timed(["what-if", str(arguments.folder), *(f"--set={change}" for change in changes)])
        table.add_row(name, ", ".join(changes), *(f"{value:.1f}" for value in seconds))
    console.print(table)


if __name__ == "__main__":
    main()
