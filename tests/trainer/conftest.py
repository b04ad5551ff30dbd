"""Small token datasets, written by the store itself."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.token_store import TokenMeta, write_dataset
from tests.pipeline.token_shards import write_documents

WriteTokens = Callable[..., Path]


@pytest.fixture
def write_tokens(tmp_path: Path) -> WriteTokens:
    """A function that writes a dataset of the given splits: of each its shards, of each shard its documents as lists of
    ids without the delimiter, which is id 0. Texts have 3 bytes and 1 character a token."""

    def write(
        splits: Mapping[str, Sequence[Sequence[Sequence[int]]]],
        name: str = "tokens",
        vocabulary: int = 64,
        tokenizer_sha256: str = "ab" * 32,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        meta = TokenMeta(tokenizer_sha256, vocabulary, delimiter_id=0)
        first, infos = 0, {}
        for split, shards in splits.items():
            infos[split] = []
            for index, documents in enumerate(shards):
                infos[split].append(write_documents(folder / f"{split}-{index:05d}.arrow", documents, meta, first))
                first += len(documents)
        write_dataset(folder, infos, meta)
        return folder

    return write


def random_documents(count: int, seed: int = 0, longest: int = 40, vocabulary: int = 64) -> list[list[int]]:
    """`count` documents of 1 to `longest` ids that are never the delimiter."""
    generator = np.random.default_rng(seed)
    return [generator.integers(1, vocabulary, generator.integers(1, longest + 1)).tolist() for _ in range(count)]
