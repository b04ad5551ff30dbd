"""The speed of near-duplicate search: signatures of real pages compared with two peers, and clustering of synthetic signatures.

    python -m benchmarks.near_duplicates --shared ../shared [--clustering 10000000]

Signatures of 20 x 20 are made from strings, shingling included. With `--clustering`, that many synthetic signatures are
clustered instead, three quarters of them random and a quarter near-duplicates; `python -m benchmarks` runs a tenth of them
and all of them, each in its own process. `benchmarks/accuracy/__main__.py` has a row for the share of pairs that is found.
"""

import argparse
import importlib
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from benchmarks.accuracy.duplicates import CONFIG, clusters_of, datasketch_signature, shingles
from benchmarks.turns import compare, console, peer
from pipeline.dedup.minhash import signatures

TEXTS = 200  # datasketch needs some seconds for that many


def rensa(method: str, texts: Sequence[str]) -> Any:
    """Signatures by one of rensa's functions for a whole list. Neither rensa nor datasketch folds the texts."""
    return getattr(importlib.import_module("rensa").RMinHash, method)(map(shingles, texts), CONFIG.values, 1)


def show_speed(texts: Sequence[str]) -> None:
    """Print the signatures per second of each program."""
    timed = texts[:: max(1, len(texts) // TEXTS)]
    compare(
        f"signatures of {CONFIG.bands} x {CONFIG.rows}",
        "texts",
        len(timed),
        {
            "this project": lambda: signatures(timed, shingle=CONFIG.shingle, values=CONFIG.values),
            "rensa, R-MinHash": peer("rensa", lambda: rensa("digest_matrix_from_token_sets", timed)),
            "rensa, rho": peer("rensa", lambda: rensa("digest_matrix_from_token_sets_rho", timed)),
            "datasketch": peer("datasketch", lambda: [datasketch_signature(text) for text in timed]),
        },
    )


def made_up(count: int) -> npt.NDArray[np.uint8]:
    """Signatures, uint8 (count, values): three quarters random, a quarter copies with up to half of the values changed."""
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
    return rows


def show_clustering(count: int) -> None:
    """Print the time to cluster `count` signatures, and the peak memory of this process, which holds them."""
    rows = made_up(count)
    clusters_of(rows[:1000])  # loads the compiled code
    started, computed = time.monotonic(), time.process_time()
    found = clusters_of(rows)
    seconds, processor = time.monotonic() - started, time.process_time() - computed
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    dropped = np.count_nonzero(found.survivor != np.arange(count))
    console.print(
        f"clustering of {count:,} signatures: {seconds:.1f} s, of processors {processor:.1f} s; "
        f"{dropped:,} dropped; peak memory {peak:.2f} GB"
    )


def main() -> None:
    """Print the table, or the line about clustering."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="the folder that holds corpus/")
    parser.add_argument("--clustering", type=int, metavar="N", help="cluster N made-up signatures instead")
    arguments = parser.parse_args()
    if arguments.clustering:
        show_clustering(arguments.clustering)
    else:
        show_speed(pq.read_table(arguments.shared / "corpus" / "JACCARD_TEXTS.parquet")["text"].to_pylist())


if __name__ == "__main__":
    main()
