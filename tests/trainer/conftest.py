"""Small token datasets, written by the store itself."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.token_store import ShardInfo, TokenMeta, token_dtype, write_dataset, write_shard

WriteTokens = Callable[..., Path]

DELIMITER = 0


@pytest.fixture
def write_tokens(tmp_path: Path) -> WriteTokens:
    """A function that writes a dataset: for each split its shards, for each shard its documents (token ids without the
    delimiter, which is id 0 and put first)."""

    def write(
        splits: dict[str, list[list[list[int]]]], vocabulary: int = 64, name: str = "tokens", tokenizer_sha256: str = "a" * 64
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        meta = TokenMeta(tokenizer_sha256, vocabulary, DELIMITER)
        infos: dict[str, list[ShardInfo]] = {}
        number = 0
        for split, shards in splits.items():
            infos[split] = []
            for index, documents in enumerate(shards):
                rows = [[DELIMITER, *document] for document in documents]
                doc_ids = [f"{number + i:032x}" for i in range(len(rows))]
                number += len(rows)
                sizes = np.array([max(1, 3 * (len(row) - 1)) for row in rows])
                infos[split].append(
                    write_shard(
                        folder / f"{split}-{index:05d}.arrow",
                        doc_ids,
                        np.concatenate([np.array(row) for row in rows]).astype(token_dtype(vocabulary)),
                        np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64),
                        sizes,
                        sizes,
                        meta,
                    )
                )
        write_dataset(folder, infos, meta)
        return folder

    return write


def random_documents(count: int, seed: int = 0, longest: int = 40, vocabulary: int = 64) -> list[list[int]]:
    """`count` documents of 1 to `longest` ids that are never the delimiter."""
    generator = np.random.default_rng(seed)
    return [generator.integers(1, vocabulary, generator.integers(1, longest + 1)).tolist() for _ in range(count)]
