"""The stream of tokens that all loaders read, in each loader's format, and the check that a batch comes from it."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.loader.peers import SHAPES, Data, write_litdata, write_mds, write_raw
from pipeline.tokens.dataset import TokenDataset
from pipeline.tokens.store import ShardInfo, TokenShard, write_dataset, write_shard

STREAM_TOKENS = 2**27
SHARD_TOKENS = 2**26


def write_stream(tokens: Path, data: Data) -> None:
    """Write the training split of `tokens`, repeated, as shards with their own doc_ids, and in the peers' formats."""
    dataset = TokenDataset.open(tokens)
    shards = dataset.split("train").shards
    stream, offsets, n_bytes, n_chars = (np.concatenate(columns) for columns in zip(*map(_columns, shards), strict=True))
    times = -(-SHARD_TOKENS // len(stream))
    starts = np.cumsum([0, *np.tile(offsets, times)])
    data.shards.mkdir(parents=True)
    infos: list[ShardInfo] = []
    for number in range(STREAM_TOKENS // SHARD_TOKENS):
        doc_ids = [f"{number:016x}{document:016x}" for document in range(len(starts) - 1)]
        path = data.shards / f"train-{number}.arrow"
        columns = np.tile(stream, times), starts, np.tile(n_bytes, times), np.tile(n_chars, times)
        infos.append(write_shard(path, doc_ids, *columns, dataset.meta))
    write_dataset(data.shards, {"train": infos}, dataset.meta)
    write_raw(data)
    write_litdata(data)
    for _, length in SHAPES:
        write_mds(replace(data, length=length))


def _columns(
    shard: TokenShard,
) -> tuple[
    npt.NDArray[np.unsignedinteger[Any]], npt.NDArray[np.int64], npt.NDArray[np.integer[Any]], npt.NDArray[np.integer[Any]]
]:
    """Tokens, lengths of documents, and sizes of their texts."""
    return shard.tokens, np.diff(shard.offsets), shard.n_bytes, shard.n_chars


def check(
    data: Data,
    inputs_BT: npt.NDArray[np.integer[Any]],
    targets_BT: npt.NDArray[np.integer[Any]],
    starts_BT: npt.NDArray[np.integer[Any]],
) -> None:
    """Compare a batch with the stream, window by window and token by token; exits if they differ."""
    stream = np.asarray(np.memmap(data.raw, dtype=np.uint16, mode="r"))
    for inputs, targets, starts in zip(inputs_BT.tolist(), targets_BT.tolist(), starts_BT.tolist(), strict=True):
        window = np.array([*inputs, targets[-1]])
        candidates = np.flatnonzero(stream[: len(stream) - len(inputs)] == window[0])
        for place in range(1, 4):
            candidates = candidates[stream[candidates + place] == window[place]]
        found = any(np.array_equal(stream[at : at + len(window)], window) for at in candidates)
        start, expected = 0, []
        for index, token in enumerate(inputs):
            start = index if token == data.delimiter else start
            expected.append(start)
        if not (found and targets[:-1] == inputs[1:] and starts == expected):
            sys.exit("a window is not one of the stream, or its targets or borders are wrong")
