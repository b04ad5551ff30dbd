"""Which document lies where in token shards, without a token; for the shards that stand there, and for those that were replaced.

A training run has read windows of a stream of tokens. Whose tokens these were follows from the ids and lengths of the documents,
shard by shard. A take-down, or any other run of the pipeline, replaces shards, and what was trained on the old ones must still be
told, while no token of them may stay. So before `dataset.json` is replaced, `keep_replaced` leaves beside the shards

    earlier/<fingerprint>.json   the `dataset.json` that is replaced, as it stood, written last
    earlier/<shard>.arrow        of a shard that goes: doc_id and n_tokens of each of its documents, in their order

The second is an Arrow IPC file with one record batch, its metadata holding the SHA-256 of the shard. A shard that stays is read
where it lies: it gets its own file when a later run replaces it. So each name in `earlier/*.json` is found in one of the two
places, whatever was killed, and after a removal that was taken back.
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
    """The documents of a shard, N of them. path: the file that tells them. doc_ids: Arrow strings (N,). offsets: int64 (N + 1,),
    document i being the shard's tokens from `offsets[i]` up to `offsets[i + 1]`."""

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
        """Where each shard starts in the stream, and where the last one ends: int64 (shards + 1,)."""
        return np.cumsum([0, *(shard.info.tokens for shard in self.shards)], dtype=np.int64)

    @property
    def tokens(self) -> int:
        """Tokens of the split, delimiters included."""
        return int(self.first_tokens[-1])


@dataclass(frozen=True, eq=False)
class DatasetIndex:
    """The documents of a dataset that stands in `folder`, or stood there."""

    folder: Path
    fingerprint: str
    splits: Mapping[str, SplitIndex]


def index_of(dataset: TokenDataset) -> DatasetIndex:
    """The documents of a dataset that is open; views of its shards."""
    splits = {}
    for name, split in dataset.splits.items():
        infos = [_info(entry) for entry in dataset.content["shards"] if entry["split"] == name]
        shards = zip(infos, split.shards, strict=True)
        splits[name] = SplitIndex(tuple(ShardIndex(shard.path, info, shard.doc_ids, shard.offsets) for info, shard in shards))
    return DatasetIndex(dataset.folder, dataset.fingerprint, splits)


def open_index(folder: Path, fingerprint: str) -> DatasetIndex:
    """The documents of the dataset with this fingerprint, which stands in `folder` or was replaced there.

    Raises TokenStoreError when the folder knows no such dataset, or what it keeps of it is damaged.
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
    """Keep the index of the dataset in `folder`, which is about to be replaced by one whose shards are the files `staying`.

    A dataset that is damaged, as by a shard that someone removed, leaves nothing: it could not be asked before either. Raises
    TokenStoreError when the index cannot be written.
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
    """Map what was kept of a shard; its ids are read as they are asked for."""
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
