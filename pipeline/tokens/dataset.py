"""A finished token dataset, opened for training: `dataset.json`, its shards as mapped files, and each split as one stream.

Opening checks what can be checked without reading tokens, so that a damaged or foreign dataset is one clear error before
the first step; `TokenDataset.verify` reads everything. No memory is allocated for the shards: what is read lies in the
page cache of the system, and of what is read through the views the system counts pages as the process's until memory is
short. Each shard keeps its file open twice, as its mapping and as its descriptor.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.tokens.store import (
    DATASET_FILE,
    ShardInfo,
    TokenMeta,
    TokenShard,
    TokenStoreError,
    check_version,
    file_size,
    fingerprint_of,
    open_shard,
    sha256_of,
)


@dataclass(frozen=True, eq=False)
class TokenSplit:
    """The shards of one split as one stream. Positions count tokens from the beginning of the split."""

    name: str
    shards: tuple[TokenShard, ...]
    dtype: np.dtype

    @cached_property
    def first_tokens(self) -> npt.NDArray[np.int64]:
        """Where each shard starts in the stream, and where the last one ends: int64 (shards + 1,)."""
        return np.cumsum([0, *(len(shard.tokens) for shard in self.shards)], dtype=np.int64)

    @property
    def tokens(self) -> int:
        """Tokens of the split, delimiters included."""
        return int(self.first_tokens[-1])

    @property
    def documents(self) -> int:
        """Documents of the split."""
        return sum(len(shard.doc_ids) for shard in self.shards)

    def read(self, start: int, stop: int) -> npt.NDArray[np.unsignedinteger[Any]]:
        """A copy of the tokens in [start, stop), across shards where need be. Raises IndexError outside the split."""
        pieces = [shard.tokens[low:high] for shard, _, low, high in self.within(start, stop)]
        return np.concatenate([np.empty(0, self.dtype), *pieces])

    def document_starts(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """The positions in [start, stop) at which a document begins, int64, rising. Raises IndexError outside the split."""
        found = [np.empty(0, np.int64)]
        for shard, first, low, high in self.within(start, stop):
            begin, end = np.searchsorted(shard.offsets[:-1], [low, high])
            found.append(shard.offsets[begin:end] + first)
        return np.concatenate(found)

    def locate(self, position: int) -> tuple[TokenShard, int]:
        """The shard, and in it the row of the document, that the token at `position` belongs to. Raises IndexError outside."""
        shard, _, low, _ = next(self.within(position, position + 1))
        return shard, int(np.searchsorted(shard.offsets, low, side="right")) - 1

    def within(self, start: int, stop: int) -> Iterator[tuple[TokenShard, int, int, int]]:
        """(shard, its first position, from, to) for each shard that [start, stop) touches; from and to count in the shard."""
        if not 0 <= start <= stop <= self.tokens:
            raise IndexError(f"[{start}, {stop}) is outside the {self.tokens} tokens of split {self.name}")
        index = int(np.searchsorted(self.first_tokens, start, side="right")) - 1
        while start < stop:
            first, end = int(self.first_tokens[index]), int(self.first_tokens[index + 1])
            yield self.shards[index], first, start - first, min(stop, end) - first
            start = end
            index += 1


@dataclass(frozen=True, eq=False)
class TokenDataset:
    """A dataset that was found whole: its folder, its tokenizer, its splits and the fingerprint of all of it.

    `content` is `dataset.json` as read: beside the shards, it has for each split the totals `shards`, `documents`,
    `tokens`, `n_bytes` and `n_chars`.
    """

    folder: Path
    meta: TokenMeta
    fingerprint: str
    splits: Mapping[str, TokenSplit]
    content: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> "TokenDataset":
        """Map every shard that `dataset.json` names.

        Raises TokenStoreError for a missing, changed or foreign `dataset.json`, and for a shard that is missing, cut
        short, of another tokenizer, dtype or count. No token is read.
        """
        path = folder / DATASET_FILE
        content = read_content(path)
        meta = TokenMeta(content["tokenizer_sha256"], content["vocabulary_size"], content["delimiter_id"])
        shards: dict[str, list[TokenShard]] = {split: [] for split in content["splits"]}
        for entry in content["shards"]:
            shard_path = folder / entry["file"]
            size = file_size(shard_path)
            if size != entry["size"]:
                raise TokenStoreError(
                    f"{shard_path}: {size} bytes, not {entry['size']}; copy it again or write the dataset again"
                )
            info = ShardInfo(**{field.name: entry[field.name] for field in fields(ShardInfo)})
            shards[entry["split"]].append(open_shard(shard_path, info, meta))
        splits = {name: TokenSplit(name, tuple(members), meta.dtype) for name, members in shards.items()}
        return cls(folder, meta, content["fingerprint"], splits, content)

    def split(self, name: str) -> TokenSplit:
        """The split `name`, which may be empty; raises TokenStoreError when the dataset has none of that name."""
        if name not in self.splits:
            raise TokenStoreError(f"{self.folder / DATASET_FILE}: no split {name!r}; there are {', '.join(self.splits)}")
        return self.splits[name]

    def verify(self) -> None:
        """Read every shard and compare its SHA-256; raises TokenStoreError at the first one that has changed."""
        for entry in self.content["shards"]:
            path = self.folder / entry["file"]
            if sha256_of(path) != entry["sha256"]:
                raise TokenStoreError(f"{path}: its bytes have changed; copy it again or write the dataset again")


def read_content(path: Path) -> dict[str, Any]:
    """What the `dataset.json` at `path` says. Raises TokenStoreError for one that is missing, changed or of another version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TokenStoreError(f"{path} is missing: the dataset is not finished; run the pipeline to its end") from error
    except (OSError, ValueError) as error:
        raise TokenStoreError(f"{path}: cannot be read ({error}); run the pipeline again") from error
    if not isinstance(content, dict):
        raise TokenStoreError(f"{path}: describes no dataset; run the pipeline again")
    check_version(path, content.get("format_version"))
    if content.get("fingerprint") != fingerprint_of(content):
        raise TokenStoreError(f"{path}: changed after it was written, its fingerprint no longer fits; run the pipeline again")
    return content
