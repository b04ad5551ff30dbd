"""Small token datasets, written by the token store."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.tokens.store import ShardInfo, TokenMeta, write_dataset
from tests.pipeline.tokens.token_shards import write_documents

WriteTokens = Callable[..., Path]


def write_token_dataset(
    folder: Path,
    splits: Mapping[str, Sequence[Sequence[Sequence[int]]]],
    vocabulary: int = 64,
    tokenizer_sha256: str = "ab" * 32,
    delimiter_id: int = 0,
) -> Path:
    """Write a dataset of the given splits: lists of shards, which are lists of documents, which are lists of ids.

    The ids are without the delimiter. Texts have 3 bytes and 1 character per token.
    """
    folder.mkdir(parents=True)
    meta = TokenMeta(tokenizer_sha256, vocabulary, delimiter_id)
    first = 0
    infos: dict[str, list[ShardInfo]] = {}
    for split, shards in splits.items():
        infos[split] = []
        for index, documents in enumerate(shards):
            infos[split].append(write_documents(folder / f"{split}-{index:05d}.arrow", documents, meta, first))
            first += len(documents)
    write_dataset(folder, infos, meta)
    return folder


@pytest.fixture
def write_tokens(tmp_path: Path) -> WriteTokens:
    """`write_token_dataset` to a folder of the test, called `name`."""

    def write(splits: Mapping[str, Sequence[Sequence[Sequence[int]]]], name: str = "tokens", **described: Any) -> Path:
        return write_token_dataset(tmp_path / name, splits, **described)

    return write


def random_documents(count: int, seed: int = 0, longest: int = 40, vocabulary: int = 64) -> list[list[int]]:
    """`count` documents of 1 to `longest` ids that are never the delimiter."""
    generator = np.random.default_rng(seed)
    return [generator.integers(1, vocabulary, generator.integers(1, longest + 1)).tolist() for _ in range(count)]


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset, with a small model in `shape.yaml` beside it. Tests must not change them."""
    from tests.trainer.small_runs import SHAPE, write_tokenized  # imports torch

    folder = tmp_path_factory.mktemp("pretrain")
    (folder / "shape.yaml").write_text(SHAPE)
    return write_tokenized(folder / "tokens", random_documents(120, vocabulary=256))


@pytest.fixture(scope="session")
def whole(shards: Path) -> Path:
    """A complete run of the plain `arguments`. Tests must not change it."""
    from tests.trainer.small_runs import arguments, pretrain

    run = shards.parent / "whole"
    pretrain(*arguments(shards, run))
    return run
