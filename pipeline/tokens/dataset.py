"""Opens a finished token dataset: `dataset.json`, its shards as mapped files, and each split as one stream.

Opening checks everything that needs no tokens, so that a damaged or foreign dataset is one clear error before the first step;
`verify_shard` reads a whole shard. A `dataset.json` may come from a stranger: it can name no file outside its folder.

Shards take no memory of their own: what is read is in the system's page cache. The system counts pages read through the views as
the process's until memory is short. Each shard holds its file open twice, as a mapping and as a descriptor.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, ValidationError

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
        """The position at which each shard starts, and the end of the last one: int64 (shards + 1,)."""
        return np.cumsum([0, *(len(shard.tokens) for shard in self.shards)], dtype=np.int64)

    @property
    def tokens(self) -> int:
        """Number of tokens in the split, delimiters included."""
        return int(self.first_tokens[-1])

    @property
    def documents(self) -> int:
        """Number of documents in the split."""
        return sum(len(shard.doc_ids) for shard in self.shards)

    def read(self, start: int, stop: int) -> npt.NDArray[np.unsignedinteger[Any]]:
        """A copy of the tokens in [start, stop), also across shards: (stop - start,). Raises IndexError outside the split."""
        pieces = [shard.tokens[low:high] for shard, _, low, high in self.within(start, stop)]
        return np.concatenate([np.empty(0, self.dtype), *pieces])

    def document_starts(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """The positions in [start, stop) at which documents begin: int64, ascending. Raises IndexError outside the split."""
        found = [np.empty(0, np.int64)]
        for shard, first, low, high in self.within(start, stop):
            begin, end = np.searchsorted(shard.offsets[:-1], [low, high])
            found.append(shard.offsets[begin:end] + first)
        return np.concatenate(found)

    def locate(self, position: int) -> tuple[TokenShard, int]:
        """The shard of the token at `position`, and its document's row there. Raises IndexError outside the split."""
        shard, _, low, _ = next(self.within(position, position + 1))
        return shard, int(np.searchsorted(shard.offsets, low, side="right")) - 1

    def within(self, start: int, stop: int) -> Iterator[tuple[TokenShard, int, int, int]]:
        """Yield (shard, its first position, from, to) for each shard that [start, stop) touches.

        from and to count from the beginning of the shard. Raises IndexError outside the split.
        """
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
    """A whole dataset: its folder, tokenizer, splits and fingerprint.

    `content` is `dataset.json` as read. Besides the shards it has, per split, the totals `shards`, `documents`, `tokens`,
    `n_bytes` and `n_chars`.
    """

    folder: Path
    meta: TokenMeta
    fingerprint: str
    splits: Mapping[str, TokenSplit]
    content: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> "TokenDataset":
        """Map every shard that `dataset.json` names.

        Raises TokenStoreError if `dataset.json` is missing, changed or foreign, and if a shard is missing, truncated, or has
        another tokenizer, dtype or count. No token is read.
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
        """The split `name`, which may be empty. Raises TokenStoreError if the dataset has no such split."""
        if name not in self.splits:
            raise TokenStoreError(f"{self.folder / DATASET_FILE}: no split {name!r}; there are {', '.join(self.splits)}")
        return self.splits[name]

    def verify(self) -> None:
        """Read every shard and compare its SHA-256. Raises TokenStoreError at the first changed shard."""
        for entry in self.content["shards"]:
            verify_shard(self.folder / entry["file"], entry["sha256"])


def verify_shard(path: Path, sha256: str) -> None:
    """Read the shard at `path` and compare its SHA-256 with the one in `dataset.json`. Raises TokenStoreError if it differs."""
    found = sha256_of(path)
    if found != sha256:
        raise TokenStoreError(
            f"{path}: is damaged: its SHA-256 is {found}, {DATASET_FILE} has {sha256}; copy it again, or delete it and run "
            "`python -m pipeline run CORPUS/manifest.yaml`, which writes it again"
        )


_Count = Annotated[int, Field(ge=0)]
_Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_DocId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class _Shard(BaseModel):
    """A shard as `dataset.json` describes it. file: a name in the same folder, never a path."""

    split: str
    file: str = Field(pattern=r"^[^/\\\x00-\x1f]+$")
    documents: _Count
    tokens: _Count
    sha256: _Hash
    first_doc_id: _DocId
    last_doc_id: _DocId
    size: _Count


class _Content(BaseModel):
    """What `dataset.json` must have, whoever wrote it."""

    tokenizer_sha256: _Hash
    vocabulary_size: int = Field(ge=1)
    delimiter_id: _Count
    splits: dict[str, dict[str, _Count]]
    shards: list[_Shard]


def read_content(path: Path) -> dict[str, Any]:
    """The content of the `dataset.json` at `path`. Raises TokenStoreError if it is missing, changed or of another version."""
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
    _check(path, content)
    return content


def _check(path: Path, content: Mapping[str, Any]) -> None:
    """Raise TokenStoreError unless the content has all keys, and names only files in its own folder."""
    try:
        checked = _Content.model_validate(content, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise TokenStoreError(f"{path}: {key} is not what a dataset has ({first['msg']}); run the pipeline again") from error
    for shard in checked.shards:
        if shard.file in (".", "..") or shard.split not in checked.splits:
            raise TokenStoreError(f"{path}: {shard.file} of split {shard.split!r} is no shard of it; run the pipeline again")
