"""The speed of near-duplicate search: signatures of real pages beside two peers, and the clustering of made-up ones.

    python -m benchmarks.near_duplicates CORPUS [--clustering N]

CORPUS is a folder with `JACCARD_TEXTS.parquet` (id, text). `--clustering` times the clustering of N made-up signatures, a
quarter of them near-duplicates, instead. How many pairs are found is a row of `benchmarks/accuracy.py`.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import rensa
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy_duplicates import CONFIG, clusters_of, datasketch_signature, shingles
from pipeline.minhash import signatures

ROUNDS = 3
TIMED_TEXTS = 400  # datasketch needs some seconds for as many
console = Console()


def show_speed(texts: Sequence[str]) -> None:
    """Times signatures from strings, shingling included, each maker in turn; medians."""
    timed = texts[:: max(1, len(texts) // TIMED_TEXTS)]
    makers: dict[str, Callable[[], object]] = {
        "this project": lambda: signatures(timed, shingle=CONFIG.shingle, values=CONFIG.values),
        "rensa, R-MinHash": lambda: rensa.RMinHash.digest_matrix_from_token_sets(map(shingles, timed), CONFIG.values, 1),
        "rensa, rho": lambda: rensa.RMinHash.digest_matrix_from_token_sets_rho(map(shingles, timed), CONFIG.values, 1),
        "datasketch": lambda: [datasketch_signature(text) for text in timed],
    }
    signatures(timed[:1], shingle=CONFIG.shingle, values=CONFIG.values)  # loads the compiled code
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(ROUNDS):
        for name, make in makers.items():
            started = time.perf_counter()
            make()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    table = Table("signatures of 20 x 20", "texts/s", "this project is faster by")
    for name, median in medians.items():
        table.add_row(name, f"{len(timed) / median:,.0f}", f"{median / medians['this project']:.1f}")
    console.print(table)
    console.print(f"{len(timed)} texts of {statistics.mean(map(len, timed)):,.0f} characters on average")


def show_clustering(count: int) -> None:
    """Times the clustering of `count` signatures: three quarters random, a quarter copies with up to half changed."""
    random = np.random.default_rng(0)
    originals = count * 3 // 4
    rows = np.empty((count, CONFIG.values), dtype=np.uint8)
    step = 1 << 16
    for start in range(0, count, step):
        block = rows[start : min(start + step, count)]
        block[:] = np.frombuffer(random.bytes(block.size), dtype=np.uint8).reshape(block.shape)
        copies = np.flatnonzero(np.arange(start, start + len(block)) >= originals)
        kept = random.random((len(copies), CONFIG.values), dtype=np.float32) >= random.uniform(0, 0.5, (len(copies), 1))
        block[copies] = np.where(kept, rows[random.integers(0, originals, len(copies))], block[copies])
    clusters_of(rows[:1000])  # loads the compiled code
    started = time.perf_counter()
    found = clusters_of(rows)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    dropped = np.count_nonzero(found.survivor != np.arange(count))
    console.print(f"{count:,} signatures in {seconds:.1f} s, {dropped:,} dropped; peak memory {peak:.2f} GB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?")
    parser.add_argument("--clustering", type=int, metavar="N")
    arguments = parser.parse_args()
    if arguments.clustering:
        show_clustering(arguments.clustering)
    elif arguments.corpus:
        show_speed(pq.read_table(arguments.corpus / "JACCARD_TEXTS.parquet")["text"].to_pylist())
    else:
        parser.error("name a folder, or --clustering N")
