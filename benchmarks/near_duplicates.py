"""Near-duplicates on real pages: recall by similarity beside the theory and two peers, and the speed of signatures.

    python -m benchmarks.near_duplicates CORPUS [--clustering N]

CORPUS is a folder with `JACCARD_TEXTS.parquet` (id, text) and `JACCARD.parquet` (id_a, id_b, bucket, jaccard: all
pairs of Japanese texts with an exact Jaccard similarity of 0.5 or more). Similarities are computed anew, exactly,
under the project's own folding. The peers get the same texts, folded, and the same 20 bands of 20 rows.
`--clustering` times the clustering of N made-up signatures, a quarter of them near-duplicates, instead.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import datasketch
import numpy as np
import pyarrow.parquet as pq
import rensa
from rich.console import Console
from rich.table import Table

from pipeline.clusters import Clusters, cluster
from pipeline.dedup import DedupConfig
from pipeline.minhash import folding_table, has_signature, signatures

BANDS_OF_SIMILARITY = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.01)
CONFIG = DedupConfig()
ROUNDS = 3
TIMED_TEXTS = 400  # datasketch needs some seconds for as many
console = Console()


def fold(text: str) -> str:
    """The text as signatures see it."""
    table = folding_table()
    folded = (int(table[ord(character)]) if ord(character) < len(table) else ord(character) for character in text)
    return "".join(map(chr, filter(None, folded)))


def shingles(folded: str) -> list[str]:
    """The 5-grams of a folded text, repeats included."""
    return [folded[start : start + CONFIG.shingle] for start in range(len(folded) - CONFIG.shingle + 1)]


def jaccard(one: str, other: str) -> float:
    """The exact similarity of two folded texts."""
    first, second = set(shingles(one)), set(shingles(other))
    return len(first & second) / len(first | second)


def settle(texts: Sequence[str]) -> Clusters:
    """The project's stage on texts in the order given."""
    return clusters_of(signatures(texts, shingle=CONFIG.shingle, values=CONFIG.values))


def clusters_of(rows: np.ndarray) -> Clusters:
    """The project's clusters of signatures."""
    return cluster(
        rows,
        has_signature(rows),
        rows=CONFIG.rows,
        bands=CONFIG.bands,
        minimum_similarity=CONFIG.minimum_similarity,
    )


def datasketch_signature(text: str) -> datasketch.MinHash:
    """datasketch, in bulk for each text."""
    signature = datasketch.MinHash(num_perm=CONFIG.values)
    signature.update_batch([shingle.encode() for shingle in shingles(text)])
    return signature


def datasketch_candidates(texts: Sequence[str]) -> list[set[int]]:
    """For each text, the texts that share a band in datasketch's index."""
    index = datasketch.MinHashLSH(num_perm=CONFIG.values, params=(CONFIG.bands, CONFIG.rows))
    made = [datasketch_signature(text) for text in texts]
    for number, signature in enumerate(made):
        index.insert(number, signature)
    return [set(index.query(signature)) for signature in made]


def rensa_candidates(texts: Sequence[str]) -> list[set[int]]:
    """The same in rensa's."""
    index = rensa.RMinHashLSH(CONFIG.minimum_similarity, CONFIG.values, CONFIG.bands)
    made = rensa.RMinHash.from_token_sets([shingles(text) for text in texts], CONFIG.values, 1)
    for number, signature in enumerate(made):
        index.insert(number, signature)
    return [set(index.query(signature)) for signature in made]


def show_recall(corpus: Path) -> list[str]:
    """Prints recall by similarity; returns the texts, for the timing."""
    stored = pq.read_table(corpus / "JACCARD_TEXTS.parquet").to_pydict()
    pairs = [row for row in pq.read_table(corpus / "JACCARD.parquet").to_pylist() if row["bucket"] == "ja"]
    position = {doc_id: number for number, doc_id in enumerate(stored["id"])}
    one = np.array([position[row["id_a"]] for row in pairs])
    other = np.array([position[row["id_b"]] for row in pairs])
    involved = sorted({*one.tolist(), *other.tolist()})
    folded = {number: fold(stored["text"][number]) for number in involved}
    exact = np.array([jaccard(folded[a], folded[b]) for a, b in zip(one, other, strict=True)])
    difference = np.abs(exact - [row["jaccard"] for row in pairs])

    found = settle(stored["text"])
    together = found.survivor[one] == found.survivor[other]
    place = {number: rank for rank, number in enumerate(involved)}
    peers = {}
    for name, candidates in (("datasketch", datasketch_candidates), ("rensa", rensa_candidates)):
        sets = candidates([folded[number] for number in involved])
        peers[name] = np.array([place[b] in sets[place[a]] for a, b in zip(one, other, strict=True)])

    table = Table("similarity", "pairs", "theory", "one cluster", *(f"{name}: candidates" for name in peers))
    for low, high in pairwise(BANDS_OF_SIMILARITY):
        chosen = (exact >= low) & (exact < high)
        theory = 1 - (1 - exact[chosen] ** CONFIG.rows) ** CONFIG.bands
        shares = [theory, together[chosen], *(peer[chosen] for peer in peers.values())]
        table.add_row(f"{low:.2f} to {min(high, 1):.2f}", str(chosen.sum()), *(f"{share.mean():.3f}" for share in shares))
    console.print(table)

    dropped = np.flatnonzero(found.survivor != np.arange(len(position)))
    direct = [jaccard(fold(stored["text"][number]), fold(stored["text"][found.survivor[number]])) for number in dropped]
    console.print(
        f"{len(position):,} texts, {len(dropped):,} dropped; exact similarity to the survivor at least {min(direct):.3f}, "
        f"below 0.7 in {sum(value < 0.7 for value in direct)} cases"
    )
    console.print(
        f"Folding against NFKC in lower case: similarity of pairs differs by {difference.mean():.5f} on average, "
        f"{difference.max():.3f} at most"
    )
    return list(stored["text"])


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
        show_speed(show_recall(arguments.corpus))
    else:
        parser.error("name a folder, or --clustering N")
