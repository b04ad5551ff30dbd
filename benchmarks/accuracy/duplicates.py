"""Near-duplicates: which pairs of real pages are found, by exact similarity, compared with the theory and two peers.

`JACCARD.parquet` names all pairs of Japanese texts with a similarity of 0.5 or more. Similarities are recomputed here,
exactly, under the project's own folding. The peers get the same texts, folded, and the same 20 bands of 20 rows; their
answer, like that of the project's own bands, is which texts share a band. The stage then drops candidates whose estimated
similarity is below the threshold, so that it merges fewer of the pairs under 0.8 than its bands find.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from benchmarks.accuracy.table import Row, is_installed, not_installed
from pipeline.dedup.clusters import Clusters, cluster
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.minhash import folding_table, has_signature, signatures

SUBJECT = "5 near-duplicates"
EDGES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.01)  # class boundaries of similarity; 1 is in the last class
LOWEST_MERGED = 0.7  # a merger with a lower exact similarity to the survivor is an error (issue 4)
CONFIG = DedupConfig()


class Pairs(NamedTuple):
    """The pairs of the corpus: the texts as stored, the two indices of each pair, and their exact similarity."""

    texts: list[str]
    one: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]


def fold(text: str) -> str:
    """The text as it is signed."""
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


def clusters_of(rows: npt.NDArray[np.uint8]) -> Clusters:
    """The project's clusters of signatures, in order of preference."""
    return cluster(
        rows,
        has_signature(rows),
        rows=CONFIG.rows,
        bands=CONFIG.bands,
        minimum_similarity=CONFIG.minimum_similarity,
    )


def read_pairs(corpus: Path) -> Pairs:
    """The labelled pairs, their similarity under the project's folding."""
    stored = pq.read_table(corpus / "JACCARD_TEXTS.parquet").to_pydict()
    pairs = [row for row in pq.read_table(corpus / "JACCARD.parquet").to_pylist() if row["bucket"] == "ja"]
    position = {doc_id: index for index, doc_id in enumerate(stored["id"])}
    one = np.array([position[row["id_a"]] for row in pairs])
    other = np.array([position[row["id_b"]] for row in pairs])
    folded = {index: fold(stored["text"][index]) for index in {*one.tolist(), *other.tolist()}}
    exact = np.array([jaccard(folded[a], folded[b]) for a, b in zip(one, other, strict=True)])
    return Pairs(stored["text"], one, other, exact)


def datasketch_signature(text: str) -> object:
    """The signature by datasketch of a folded text, in one call."""
    signature = importlib.import_module("datasketch").MinHash(num_perm=CONFIG.values)
    signature.update_batch([shingle.encode() for shingle in shingles(text)])
    return signature


def datasketch_candidates(texts: Sequence[str]) -> list[set[int]]:
    """For each text, the texts that share a band in datasketch's index."""
    index = importlib.import_module("datasketch").MinHashLSH(num_perm=CONFIG.values, params=(CONFIG.bands, CONFIG.rows))
    made = [datasketch_signature(text) for text in texts]
    for number, signature in enumerate(made):
        index.insert(number, signature)
    return [set(index.query(signature)) for signature in made]


def rensa_candidates(texts: Sequence[str]) -> list[set[int]]:
    """The same in rensa's index."""
    rensa = importlib.import_module("rensa")
    index = rensa.RMinHashLSH(CONFIG.minimum_similarity, CONFIG.values, CONFIG.bands)
    made = rensa.RMinHash.from_token_sets([shingles(text) for text in texts], CONFIG.values, 1)
    for number, signature in enumerate(made):
        index.insert(number, signature)
    return [set(index.query(signature)) for signature in made]


def found_by(candidates: Callable[[Sequence[str]], list[set[int]]], pairs: Pairs) -> npt.NDArray[np.bool_]:
    """Which pairs a peer finds: bool, one per pair."""
    involved = sorted({*pairs.one.tolist(), *pairs.other.tolist()})
    place = {index: rank for rank, index in enumerate(involved)}
    sets = candidates([fold(pairs.texts[index]) for index in involved])
    return np.array([place[b] in sets[place[a]] for a, b in zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)])


def by_similarity(found: npt.NDArray[Any], similarity: npt.NDArray[np.float64]) -> str:
    """The mean of `found`, bool or probability, in each class of similarity."""
    shares = []
    for low, high in pairwise(EDGES):
        chosen = found[(similarity >= low) & (similarity < high)]
        if not len(chosen):
            continue
        shares.append(f"{low:.2f} to {min(high, 1):.2f}: {chosen.mean():.3f} of {len(chosen)}")
    return "\n".join(shares)


def against_equals_one_go(rows: npt.NDArray[np.uint8], together: Clusters) -> bool:
    """Whether the second half, judged against the survivors of the first, gets the same verdicts as in one run over both."""
    half = len(rows) // 2
    first = clusters_of(rows[:half])
    earlier = np.flatnonzero(first.survivor == np.arange(half))
    order = np.concatenate([earlier, np.arange(half, len(rows))])
    behind = clusters_of(rows[order])
    return bool(
        np.array_equal(first.survivor, together.survivor[:half])
        and np.array_equal(order[behind.survivor[len(earlier) :]], together.survivor[half:])
        and np.array_equal(behind.similarity[len(earlier) :], together.similarity[half:])
    )


def rows(shared: Path) -> Iterator[Row]:
    """Recall by similarity of each program, the wrong mergers, and the comparison of two successive runs with one run."""
    pairs = read_pairs(shared / "corpus")
    theory = 1 - (1 - pairs.similarity**CONFIG.rows) ** CONFIG.bands
    yield Row(SUBJECT, "theory, 1 - (1 - s^20)^20", by_similarity(theory, pairs.similarity))

    made = signatures(pairs.texts, shingle=CONFIG.shingle, values=CONFIG.values)
    together = clusters_of(made)
    equal = (made[pairs.one] == made[pairs.other]).reshape(len(pairs.one), CONFIG.bands, CONFIG.rows)
    yield Row(SUBJECT, "kotokura, a band shared", by_similarity(equal.all(axis=2).any(axis=1), pairs.similarity))
    in_one = together.survivor[pairs.one] == together.survivor[pairs.other]
    yield Row(SUBJECT, "kotokura, one cluster", by_similarity(in_one, pairs.similarity))
    for program, candidates in (("datasketch", datasketch_candidates), ("rensa", rensa_candidates)):
        if is_installed(program):
            found = found_by(candidates, pairs)
            yield Row(SUBJECT, f"{program}, a band shared", by_similarity(found, pairs.similarity))
        else:
            yield not_installed(SUBJECT, program)

    dropped = np.flatnonzero(together.survivor != np.arange(len(pairs.texts))).tolist()
    direct = [jaccard(fold(pairs.texts[index]), fold(pairs.texts[together.survivor[index]])) for index in dropped]
    below = sum(value < LOWEST_MERGED for value in direct)
    yield Row(
        SUBJECT,
        "kotokura, mergers",
        f"{len(pairs.texts):,} texts, {len(dropped):,} dropped, {below} with an exact similarity to the survivor below "
        f"{LOWEST_MERGED} (lowest {min(direct):.3f}); largest cluster {together.cluster_size.max()}; "
        f"second half behind the first {'as' if against_equals_one_go(made, together) else 'NOT as'} in one go",
    )
