"""Near-duplicates: of documents that share most of their character 5-grams one is kept, chosen by an explicit preference.

Kept: documents that repeat no preferred document, and those too short for a signature. Dropped: all others, with the
estimated Jaccard similarity to the document that is kept instead. `minhash` makes the signatures and `clusters` finds the
duplicates; this file has the order of preference, the verdicts and the table of duplicates.

20 bands of 20 rows are the setting of the Swallow corpus (Okazaki et al., "Building a Large Japanese Web Corpus for Large
Language Models", COLM 2024, arXiv:2404.17733): documents of Jaccard similarity 0.9 are found with probability 0.925, of 0.8 with
0.207. Unlike in Swallow, no document is dropped for a shared band alone: its estimated similarity must reach
`minimum_similarity`.

Three rules, in this order:

- `same_record`: the record was read before, here or in an earlier corpus (the same `doc_id`): a WARC named twice, or
  two files that hold the same record. The value is 1.
- `near_duplicate`: the document repeats one of this corpus. The value is the similarity to the survivor.
- `near_duplicate_of_earlier`: the document repeats one of the corpora that `against` names. These are preferred whatever their
  dates, so that an earlier corpus stays as it was published.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedup.clusters import Clusters
from pipeline.dedup.config import DUPLICATES_SCHEMA, DedupConfig, rules_of
from pipeline.rules import judge


def preference_order(
    date: pa.Array | pa.ChunkedArray,
    n_chars: np.ndarray,
    doc_id: pa.Array | pa.ChunkedArray,
    earlier: np.ndarray,
    survivor: Literal["newest", "oldest", "longest"],
) -> np.ndarray:
    """The indices, int64 (N,), that put documents in order of preference, the best survivor first.

    date: of a type that sorts by time (timestamp, or ISO 8601 in UTC as string); null is the least preferred. n_chars:
    int (N,), length of the text. doc_id: string. earlier: bool (N,), true for documents of earlier corpora, which
    precede all others. Ties go to the newer and the longer document (with `oldest`, the longer), then to the
    smaller doc_id, so the order is a function of the documents and not of how they were read.
    """
    keys = {
        "newest": [("date", "descending"), ("n_chars", "descending")],
        "oldest": [("date", "ascending"), ("n_chars", "descending")],
        "longest": [("n_chars", "descending"), ("date", "descending")],
    }[survivor]
    table = pa.table({"late": pa.array(~earlier).cast(pa.int8()), "date": date, "n_chars": n_chars, "doc_id": doc_id})
    order = pc.sort_indices(table, sort_keys=[("late", "ascending"), *keys, ("doc_id", "ascending")])
    rows: npt.NDArray[np.int64] = order.to_numpy().astype(np.int64)
    return rows


def judge_duplicates(
    doc_id: pa.Array | pa.ChunkedArray, earlier: np.ndarray, clusters: Clusters, config: DedupConfig
) -> pa.Table:
    """The verdicts, in `rules.VERDICT_SCHEMA`, on the documents that are not `earlier`.

    All arguments are in order of preference: doc_id (string), earlier (bool (N,)) and the clusters of these documents.
    """
    repeats = clusters.survivor != np.arange(len(clusters.survivor))
    of_earlier = earlier[clusters.survivor]
    measured = {
        "same_record": _seen_before(doc_id).astype(np.float64),
        "near_duplicate": np.where(repeats & ~of_earlier, clusters.similarity, 0.0),
        "near_duplicate_of_earlier": np.where(repeats & of_earlier, clusters.similarity, 0.0),
    }
    here = np.flatnonzero(~earlier)
    return judge(rules_of(config), doc_id.take(pa.array(here)), {name: values[here] for name, values in measured.items()})


def duplicates(doc_id: pa.Array | pa.ChunkedArray, earlier: np.ndarray, clusters: Clusters) -> pa.Table:
    """The table `duplicates.parquet`, of `DUPLICATES_SCHEMA`: each document that is not `earlier` and not alone.

    The arguments are those of `judge_duplicates`. Survivors have rows too, since the size of a cluster says something about the
    quality of a text (FineWeb-2 repeats documents by it); a survivor of an earlier corpus appears only as `survivor_id`.
    """
    members = np.flatnonzero(~earlier & (clusters.cluster_size > 1))
    survivor_id = doc_id.take(pa.array(clusters.survivor[members]))
    return pa.table(
        [
            doc_id.take(pa.array(members)),
            survivor_id,
            survivor_id,
            pa.array(clusters.similarity[members].astype(np.float32)),
            pa.array(clusters.cluster_size[members]),
        ],
        schema=DUPLICATES_SCHEMA,
    )


def _seen_before(doc_id: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Which entries repeat an entry before them: bool (N,)."""
    array = doc_id.combine_chunks() if isinstance(doc_id, pa.ChunkedArray) else doc_id
    # Codes are assigned in order of first appearance, so an entry is new if its code exceeds all before it.
    codes = array.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return codes <= np.concatenate([[-1], np.maximum.accumulate(codes)[:-1]]) if len(codes) else np.zeros(0, dtype=bool)
