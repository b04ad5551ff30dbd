"""Index of the documents in token shards, current and replaced ones; it holds positions, no tokens.

A training run read windows of a token stream. Whose tokens these were follows from the ids and lengths of the documents in each
shard. A take-down, or any other run of the pipeline, replaces shards. Their tokens must go, but it must still be possible to say
what a run was trained on. So before `dataset.json` is replaced, `keep_replaced` writes beside the shards

    earlier/<fingerprint>.json   the replaced `dataset.json`, unchanged; written last
    earlier/<shard>.arrow        per shard that goes: doc_id and n_tokens of each of its documents, in order

The second is an Arrow IPC file with one record batch; its metadata has the SHA-256 of the shard. A shard that stays is read
itself, and gets such a file when a later run replaces it. So each shard named in `earlier/*.json` is in one of the two places,
even after a kill or after a removal that was undone.
"""

import mmap
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.tokens.dataset import TokenDataset, read_content
from pipeline.tokens.store import DATASET_FILE, ShardInfo, TokenMeta, TokenStoreError, file_size, open_shard, replacing_file

FOLDER = "earlier"
_SCHEMA = pa.schema([pa.field("doc_id", pa.string(), nullable=False), pa.field("n_tokens", pa.uint32(), nullable=False)])
_SHARD = b"shard_sha256"


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """The N documents of a shard. path: the file they were read from. doc_ids: Arrow strings (N,). offsets: int64 (N + 1,);
    document i has the shard's tokens from `offsets[i]` up to `offsets[i + 1]`."""

    path: Path
    info: ShardInfo
    doc_ids: pa.StringArray
    offsets: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SplitIndex:
    """The shards of one split as one stream. Positions count tokens from the beginning of the split."""

    shards: tuple[ShardIndex, ...]

    @cached_property
    def first_tokens(self) -> npt.NDArray[np.int64]:
        """The position at which each shard starts, and the end of the last one: int64 (shards + 1,)."""
        return np.cumsum([0, *(shard.info.tokens for shard in self.shards)], dtype=np.int64)

    @property
    def tokens(self) -> int:
        """Number of tokens in the split, delimiters included."""
        return int(self.first_tokens[-1])


@dataclass(frozen=True, eq=False)
class DatasetIndex:
    """The documents of the present dataset in `folder`, or of an earlier one."""

    folder: Path
    fingerprint: str
    splits: Mapping[str, SplitIndex]


def index_of(dataset: TokenDataset) -> DatasetIndex:
    """The index of an open dataset; its arrays are views of the shards."""
    splits = {}
    for name, split in dataset.splits.items():
        infos = [_info(entry) for entry in dataset.content["shards"] if entry["split"] == name]
        shards = zip(infos, split.shards, strict=True)
        splits[name] = SplitIndex(tuple(ShardIndex(shard.path, info, shard.doc_ids, shard.offsets) for info, shard in shards))
    return DatasetIndex(dataset.folder, dataset.fingerprint, splits)


def open_index(folder: Path, fingerprint: str) -> DatasetIndex:
    """The index of the dataset with this fingerprint: the present one in `folder`, or an earlier one.

    Raises TokenStoreError if the folder has neither, or if what it keeps is damaged.
    """
    described = folder / FOLDER / f"{fingerprint}.json"
    if not described.exists():
        dataset = TokenDataset.open(folder)
        if dataset.fingerprint != fingerprint:
            raise TokenStoreError(
                f"{folder}: has other tokens now, fingerprint {dataset.fingerprint[:12]}, and no index of those with "
                f"{fingerprint[:12]} was kept"
            )
        return index_of(dataset)
    content = read_content(described)
    meta = TokenMeta(content["tokenizer_sha256"], content["vocabulary_size"], content["delimiter_id"])
    splits: dict[str, list[ShardIndex]] = {split: [] for split in content["splits"]}
    for entry in content["shards"]:
        splits[entry["split"]].append(_shard_index(folder, entry, meta))
    return DatasetIndex(folder, fingerprint, {name: SplitIndex(tuple(shards)) for name, shards in splits.items()})


def keep_replaced(folder: Path, staying: Collection[str]) -> None:
    """Keep the index of the dataset in `folder` before a dataset with the shard files `staying` replaces it.

    Nothing is kept of a damaged dataset (a shard was deleted, say): it had no usable index before either. Raises TokenStoreError
    if the index cannot be written.
    """
    if not (folder / DATASET_FILE).exists():
        return
    try:
        dataset = TokenDataset.open(folder)
    except TokenStoreError:
        return
    (folder / FOLDER).mkdir(exist_ok=True)
    for split in index_of(dataset).splits.values():
        for shard in split.shards:
            if shard.info.file not in staying:
                _write(folder / FOLDER / shard.info.file, shard)
    with replacing_file(folder / FOLDER / f"{dataset.fingerprint}.json") as temporary:
        temporary.write_bytes((folder / DATASET_FILE).read_bytes())


def _write(path: Path, shard: ShardIndex) -> None:
    schema = _SCHEMA.with_metadata({_SHARD: shard.info.sha256})
    batch = pa.record_batch([shard.doc_ids, pa.array(np.diff(shard.offsets), pa.uint32())], schema=schema)
    with replacing_file(path) as temporary, pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(batch)


def _info(entry: Mapping[str, Any]) -> ShardInfo:
    return ShardInfo(**{field.name: entry[field.name] for field in fields(ShardInfo)})


def _shard_index(folder: Path, entry: Mapping[str, Any], meta: TokenMeta) -> ShardIndex:
    info = _info(entry)
    kept = folder / FOLDER / info.file
    if kept.exists():
        return _read(kept, info)
    path = folder / info.file
    if file_size(path) != entry["size"]:
        raise TokenStoreError(f"{path}: is another shard than the one that {FOLDER} tells of; copy the dataset again")
    shard = open_shard(path, info, meta)
    return ShardIndex(path, info, shard.doc_ids, shard.offsets)


def _read(path: Path, info: ShardInfo) -> ShardIndex:
    """Map the kept index of a shard; ids are read on demand. Raises TokenStoreError if it is damaged or another shard's."""
    try:
        with path.open("rb") as stream:
            reader = pa.ipc.open_file(pa.py_buffer(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)))
        batch = reader.get_batch(0)
        of_shard = (reader.schema.metadata or {}).get(_SHARD, b"").decode()
        is_whole = reader.schema.equals(_SCHEMA) and batch.num_rows == info.documents and of_shard == info.sha256
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise TokenStoreError(f"{path}: cannot be read as the index of a shard ({error}); copy it again") from error
    if not is_whole:
        raise TokenStoreError(f"{path}: is not the index of the shard with SHA-256 {info.sha256[:12]}; copy it again")
    return ShardIndex(path, info, batch.column("doc_id"), np.cumsum([0, *batch.column("n_tokens").to_numpy()], dtype=np.int64))
