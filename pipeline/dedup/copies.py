"""Finds the copies of given documents: near-duplicates by the threshold of dedup, wherever they are.

Dedup compares a document with those that share a band of its signature, and stops at the first survivor that is similar enough.
That is right for thinning a corpus, but not for a promise that no copy of a page is left. So here each given document is compared
with every other one.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus import layout
from pipeline.corpus.columns import read, rows_of
from pipeline.dedup import minhash
from pipeline.dedup.columns import Group
from pipeline.dedup.config import DedupConfig

COPIES_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("named_id", pa.string(), nullable=False),  # the most similar of the given documents
        pa.field("similarity", pa.float32(), nullable=False),  # estimated Jaccard similarity to it
    ]
)
# Bytes of a signature that are compared first, and by how many standard deviations fewer may be equal than in a copy. Six lose
# one copy in a billion, and hardly any other document is compared as a whole.
_FIRST, _DEVIATIONS = 32, 6


def find_copies(root: Path, given: Mapping[str, Collection[str]], groups: Iterable[Group], config: DedupConfig) -> pa.Table:
    """Copies of documents of the corpus in `root` among the documents of `groups`, without the given ones: COPIES_SCHEMA.

    given: their doc_ids by part. A text that is too short for a signature has no copies.
    """
    signatures: dict[str, npt.NDArray[np.uint8]] = {}
    for part, doc_ids in given.items():
        signatures |= _signatures_of(root, part, doc_ids, config)
    named = sorted(signatures)
    rows: list[tuple[str, str, float]] = []
    if named:
        wanted = np.stack([signatures[doc_id] for doc_id in named])
        required = minhash.least_equal(config.minimum_similarity, config.values)
        excluded = {doc_id for doc_ids in given.values() for doc_id in doc_ids}
        for group in groups:
            others, has_signature = group.signatures(config.values)
            others[~has_signature] = 0
            best, equal = _most_similar(wanted, others, required)
            doc_ids = group.columns["doc_id"].to_pylist()
            for row in np.flatnonzero((best >= 0) & has_signature).tolist():
                if doc_ids[row] not in excluded:
                    similarity = float(minhash.similarity(equal[row], config.values))
                    rows.append((doc_ids[row], named[best[row]], similarity))
    distinct = [dict(zip(COPIES_SCHEMA.names, row, strict=True)) for row in sorted(set(rows))]
    return pa.Table.from_pylist(distinct, COPIES_SCHEMA)


def _signatures_of(root: Path, part: str, doc_ids: Collection[str], config: DedupConfig) -> dict[str, npt.NDArray[np.uint8]]:
    """The signatures of documents of a part by doc_id, those that quality dropped included; without too short ones."""
    stored = read(root, layout.signatures(part), ["doc_id", "signature"])
    stored = stored.filter(pc.is_in(stored["doc_id"], value_set=pa.array(sorted(doc_ids), pa.string())))
    found = {
        doc_id: np.frombuffer(signature, dtype=np.uint8)
        for doc_id, signature in zip(stored["doc_id"].to_pylist(), stored["signature"].to_pylist(), strict=True)
        if signature is not None
    }
    unsigned = set(doc_ids) - set(stored["doc_id"].to_pylist())
    texts = rows_of(root, layout.documents(part), unsigned, ["doc_id", "text"]) if unsigned else []
    if texts:
        made = minhash.signatures([row["text"] for row in texts], shingle=config.shingle, values=config.values)
        signed = minhash.has_signature(made)
        found |= {row["doc_id"]: values for row, values, has in zip(texts, made, signed, strict=True) if has}
    return found


def _most_similar(
    wanted: npt.NDArray[np.uint8], others: npt.NDArray[np.uint8], required: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each of `others` (N, V): the row of `wanted` (K, V) with most equal bytes, or -1 below `required`; their number."""
    values = others.shape[1]
    share, first = required / values, min(_FIRST, values)
    least = share * first - _DEVIATIONS * math.sqrt(first * share * (1 - share))
    heads = np.ascontiguousarray(others[:, :first])
    best = np.full(len(others), -1, dtype=np.int64)
    equal = np.full(len(others), required - 1, dtype=np.int64)
    for index, one in enumerate(wanted):
        near = np.flatnonzero(np.count_nonzero(heads == one[:first], axis=1) >= least)
        counts = np.count_nonzero(others[near] == one, axis=1)
        closer = counts > equal[near]
        best[near[closer]] = index
        equal[near[closer]] = counts[closer]
    return best, equal
