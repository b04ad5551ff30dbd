"""Small token shards for tests: documents as lists of ids; the delimiter is added before each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.tokens.store import ShardInfo, TokenMeta, write_shard

META = TokenMeta(tokenizer_sha256="ab" * 32, vocabulary_size=1000, delimiter_id=1)


def write_documents(path: Path, documents: Sequence[Sequence[int]], meta: TokenMeta = META, first: int = 0) -> ShardInfo:
    """Write a shard of `documents`. doc_ids count from `first`; texts have 3 bytes and 1 character per token."""
    whole = [[meta.delimiter_id, *document] for document in documents]
    counts = np.array([len(document) for document in documents], dtype=np.int64)
    return write_shard(
        path,
        [f"{first + index:032x}" for index in range(len(documents))],
        np.array([token for document in whole for token in document], dtype=meta.dtype),
        np.cumsum([0, *map(len, whole)], dtype=np.int64),
        3 * counts,
        counts,
        meta,
    )
