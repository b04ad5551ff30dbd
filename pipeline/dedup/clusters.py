"""Near-duplicates among MinHash signatures: each document is kept, or repeats one that is kept and preferred to it.

Documents come in order of preference, the best first, and are settled in that order. Documents that agree in a whole
band of their signatures share a *bucket* of that band. A document is compared with the kept documents in its buckets, and with
the survivors of the dropped documents there. It becomes a repeat of the most similar one whose estimated Jaccard similarity
reaches the threshold; if there is none, it is kept. It follows that:

- A dropped document is itself similar to its survivor, not through a chain of others, so a cluster cannot drift.
- The fate of a document depends only on those before it. Documents added after it change nothing, and judging a new corpus
  after an earlier one gives the same result as judging both at once.
- Buckets are walked backwards from each document and at most `_STEPS` steps, so a bucket of a million costs as much per
  document as one of ten, and there is no tree of unions to search.

Two documents of Jaccard similarity s share a bucket with probability 1 - (1 - s^rows)^bands (Broder; Leskovec,
Rajaraman, Ullman, *Mining of Massive Datasets*, 3.4).

Memory: the signatures, which may be mapped from a file; 4 bytes per band and document; and 8 bytes per document while one band
is sorted.
"""

from dataclasses import dataclass

import numba
import numpy as np

from pipeline.dedup.minhash import least_equal, mix, similarity

# How far back a document looks in each bucket. Documents that are not duplicates share a bucket if they share a template; among
# these, sixteen neighbours in the order of preference are enough to find a version of the same page.
_STEPS = 16
# With how many kept documents a document is compared, over all its buckets: at most some 5 microseconds.
_COMPARISONS = 64

_FNV_OFFSET = np.uint64(0xCBF29CE484222325)  # FNV-1a, 64 bits (Fowler, Noll, Vo)
_FNV_PRIME = np.uint64(0x100000001B3)


@dataclass(frozen=True)
class Clusters:
    """One entry per document, in the order in which the documents came.

    survivor: int64 (N,), the index of the kept document that this one repeats; its own index if it is kept.
    similarity: float64 (N,), the estimated Jaccard similarity to the survivor; 1 if it is kept.
    cluster_size: int64 (N,), how many documents have the same survivor, itself included.
    """

    survivor: np.ndarray
    similarity: np.ndarray
    cluster_size: np.ndarray


def cluster(signatures: np.ndarray, has_signature: np.ndarray, *, rows: int, bands: int, minimum_similarity: float) -> Clusters:
    """Cluster documents by their signatures, uint8 (N, rows * bands), given in order of preference.

    Documents without a signature (`has_signature`, bool (N,), is false) are kept, each a cluster of its own. N may be
    up to 2^31 - 1. Raises ValueError if the signatures are not rows * bands wide.
    """
    count, values = signatures.shape
    if values != rows * bands:
        raise ValueError(f"signatures of {values} values cannot be cut into {bands} bands of {rows} rows")
    signatures = np.asarray(signatures)  # numba takes no subclass such as numpy.memmap
    documents = np.flatnonzero(has_signature)
    previous = np.full((bands, count), -1, dtype=np.int32)
    # A key is the hash of a band with its low bits replaced by the document's index, so that sorting the keys groups them by
    # bucket, and each bucket is in order of preference. Different bands with equal high bits only cost a comparison.
    index_bits = np.uint64(max(1, int(count - 1).bit_length()))
    for band in range(bands):
        keys = _band_keys(signatures, documents, band * rows, rows, index_bits)
        keys.sort()
        _link(keys, index_bits, previous[band])

    survivor = np.arange(count, dtype=np.int64)
    equal = np.full(count, values, dtype=np.int32)
    _settle(signatures, previous, least_equal(minimum_similarity, values), survivor, equal)
    return Clusters(survivor, similarity(equal, values), np.bincount(survivor, minlength=count)[survivor])


@numba.njit(cache=True, nogil=True)
def _band_keys(signatures: np.ndarray, documents: np.ndarray, start: int, rows: int, index_bits: np.uint64) -> np.ndarray:
    """The key of each of `documents` for the band of `rows` columns from `start` on: uint64 (D,)."""
    keys = np.empty(len(documents), dtype=np.uint64)
    for position in range(len(documents)):
        document = documents[position]
        state = _FNV_OFFSET
        for column in range(start, start + rows):
            state = (state ^ np.uint64(signatures[document, column])) * _FNV_PRIME
        keys[position] = ((mix(state) >> index_bits) << index_bits) | np.uint64(document)
    return keys


@numba.njit(cache=True, nogil=True)
def _link(keys: np.ndarray, index_bits: np.uint64, previous: np.ndarray) -> None:
    """Write to `previous` (int32 (N,)) the document before each one in its bucket, from the sorted keys of a band."""
    mask = (np.uint64(1) << index_bits) - np.uint64(1)
    for position in range(1, len(keys)):
        if keys[position] >> index_bits == keys[position - 1] >> index_bits:
            previous[keys[position] & mask] = np.int32(keys[position - 1] & mask)


@numba.njit(cache=True, nogil=True)
def _count_equal(one: np.ndarray, other: np.ndarray) -> int:
    equal = 0
    for column in range(len(one)):
        equal += one[column] == other[column]
    return equal


@numba.njit(cache=True, nogil=True)
def _settle(signatures: np.ndarray, previous: np.ndarray, required: int, survivor: np.ndarray, equal: np.ndarray) -> None:
    """Settle the documents in order.

    `survivor` and `equal` (bytes equal to those of the survivor) come as if every document were kept, and are changed for those
    that are not.
    """
    seen = np.empty(_COMPARISONS, dtype=np.int64)
    agreement = np.empty(_COMPARISONS, dtype=np.int64)
    for document in range(len(survivor)):
        compared = 0
        best = -1
        for band in range(len(previous)):
            other = previous[band, document]
            step = 0
            while other >= 0 and step < _STEPS:
                kept = survivor[other]
                place = 0
                while place < compared and seen[place] != kept:
                    place += 1
                if place == compared:
                    if compared == _COMPARISONS:
                        break
                    seen[place] = kept
                    agreement[place] = _count_equal(signatures[document], signatures[kept])
                    compared += 1
                if agreement[place] >= required:
                    # Of equally similar ones the first in the order, so that the order of the bands does not matter.
                    if (
                        best < 0
                        or agreement[place] > agreement[best]
                        or (agreement[place] == agreement[best] and kept < seen[best])
                    ):
                        best = place
                    break
                other = previous[band, other]
                step += 1
        if best >= 0:
            survivor[document] = seen[best]
            equal[document] = agreement[best]
