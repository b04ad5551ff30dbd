"""The loaders that `benchmarks/loader/__main__.py` times. Each gives inputs, targets and document borders of shuffled windows.

All read the same stream of tokens, each in its own format, and give the same arrays: inputs and targets, int64 (B, T), and
starts, int32 (B, T): for each input the index in the window of its document's first token. Code that a loader's users would
write themselves is here, written as they would: the peers give tokens, and numpy makes the three arrays from them.

A peer is imported where it is used. mosaicml-streaming alone takes seconds to import, and another's turn must not include its
memory.

Shapes: B windows per batch, T window length, T1 = T + 1.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.tokens.dataset import TokenDataset, TokenSplit
from trainer.data.loader import Loader
from trainer.data.order import Dataset, Order
from trainer.data.windows import Windows

SHAPES = ((8, 512), (64, 1024))  # windows per batch, tokens per window

Batches = Iterator[tuple[Tensor, Tensor, Tensor]]
SEED = 1
# More steps than any turn takes.
ENDLESS = 10**9


@dataclass(frozen=True)
class Data:
    """Where the stream is in each format. length: T, the window length for which the MDS samples were cut. delimiter: the id
    that begins a document."""

    folder: Path
    length: int
    delimiter: int

    @property
    def shards(self) -> Path:
        """This project's shards."""
        return self.folder / "shards"

    @property
    def raw(self) -> Path:
        """The tokens alone, like nanoGPT's `train.bin`."""
        return self.folder / "train.bin"

    @property
    def litdata(self) -> Path:
        """Chunks for litdata's `TokensLoader`."""
        return self.folder / "litdata"

    @property
    def mds(self) -> Path:
        """Shards of mosaicml-streaming, one sample per window."""
        return self.folder / f"mds-{self.length}"

    def split(self) -> TokenSplit:
        """The stream as this project reads it."""
        return TokenDataset.open(self.shards).split("train")


def write_raw(data: Data) -> None:
    """Write `train.bin`, shard by shard."""
    with data.raw.open("wb") as stream:
        for shard in data.split().shards:
            stream.write(shard.tokens.data)


def _stretch(split: TokenSplit, span: tuple[int, int]) -> Tensor:
    return torch.from_numpy(split.read(*span))


def write_litdata(data: Data) -> None:
    """Write litdata's chunks, each of 2^24 tokens. `TokensLoader` cuts them into windows when reading."""
    import litdata

    split = data.split()
    pieces = [(start, min(start + 2**20, split.tokens)) for start in range(0, split.tokens, 2**20)]
    writer = litdata.streaming.writer.BinaryWriter(
        str(data.litdata), chunk_size=2**24, item_loader=litdata.TokensLoader(), follow_tensor_dimension=False
    )
    data.litdata.mkdir(exist_ok=True)
    for index, piece in enumerate(pieces):
        writer.add_item(index, _stretch(split, piece))
    writer.done()
    writer.merge()


def write_mds(data: Data) -> None:
    """Write each window of T + 1 tokens as a sample, uncompressed."""
    import streaming

    split, length = data.split(), data.length
    columns = {"tokens": f"ndarray:uint16:{length + 1}"}
    with streaming.MDSWriter(out=str(data.mds), columns=columns, size_limit=2**27) as writer:
        for start in range(0, split.tokens - length, length):
            writer.write({"tokens": split.read(start, start + length + 1)})


def borders_of(inputs_BT: npt.NDArray[np.integer[Any]], delimiter: int) -> Tensor:
    """starts_BT by numpy: the highest index of a delimiter so far."""
    index_T = np.arange(inputs_BT.shape[1], dtype=np.int32)
    return torch.from_numpy(np.maximum.accumulate(np.where(inputs_BT == delimiter, index_T, np.int32(0)), axis=1))


def this_project(data: Data, batch: int, _workers: int) -> Batches:
    """The trainer's loader, used as in the trainer: one thread."""
    windows = Windows(data.split(), data.length)
    order = Order([Dataset("train", len(windows), 1.0)], SEED)
    loader = Loader(order, [windows], global_batch=batch, micro_batch=batch, rank=0, world_size=1)
    for (made,) in loader.steps(0, ENDLESS):
        yield made.inputs_BT, made.targets_BT, made.starts_BT


def nanogpt(data: Data, batch: int, _workers: int) -> Batches:
    """As nanoGPT's `get_batch` (karpathy/nanoGPT, train.py) does: it maps the file again for each batch, so that its pages do not
    pile up, draws offsets with torch, and takes two slices per window."""
    length = data.length
    while True:
        tokens = np.memmap(data.raw, dtype=np.uint16, mode="r")
        offsets = torch.randint(len(tokens) - length - 1, (batch,))
        inputs = torch.stack([torch.from_numpy(tokens[i : i + length].astype(np.int64)) for i in offsets])
        targets = torch.stack([torch.from_numpy(tokens[i + 1 : i + 1 + length].astype(np.int64)) for i in offsets])
        yield inputs, targets, borders_of(inputs.numpy(), data.delimiter)


def memmap_gathered(data: Data, batch: int, _workers: int) -> Batches:
    """The fastest loader in plain numpy, taken from no program: one map for all batches, each window copied once."""
    tokens = np.asarray(np.memmap(data.raw, dtype=np.uint16, mode="r"))
    random = np.random.default_rng(SEED)
    while True:
        offsets = random.integers(0, len(tokens) - data.length - 1, batch).tolist()
        tokens_BT1 = np.stack([tokens[i : i + data.length + 1] for i in offsets])
        yield tensors_of(tokens_BT1, data.delimiter)


def tensors_of(tokens_BT1: npt.NDArray[np.integer[Any]], delimiter: int) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets and starts of windows of T + 1 tokens."""
    inputs_BT = tokens_BT1[:, :-1]
    return (
        torch.from_numpy(inputs_BT.astype(np.int64)),
        torch.from_numpy(tokens_BT1[:, 1:].astype(np.int64)),
        borders_of(inputs_BT, delimiter),
    )


def _litdata_batch(items: list[Tensor], delimiter: int) -> tuple[Tensor, Tensor, Tensor]:
    return tensors_of(torch.stack(items).numpy(), delimiter)


def _mds_batch(items: list[dict[str, npt.NDArray[np.integer[Any]]]], delimiter: int) -> tuple[Tensor, Tensor, Tensor]:
    return tensors_of(np.stack([item["tokens"] for item in items]), delimiter)


def litdata_loader(data: Data, batch: int, workers: int) -> Batches:
    """The dataset of token blocks and the data loader of litdata, epoch after epoch."""
    import litdata

    loader = litdata.TokensLoader(block_size=data.length + 1)
    dataset = litdata.StreamingDataset(str(data.litdata), item_loader=loader, shuffle=True, drop_last=True, seed=SEED)
    collate = partial(_litdata_batch, delimiter=data.delimiter)
    batches = litdata.StreamingDataLoader(dataset, batch_size=batch, num_workers=workers, collate_fn=collate)
    while True:
        yield from batches


def mosaicml_streaming(data: Data, batch: int, workers: int) -> Batches:
    """mosaicml-streaming's dataset in torch's data loader, as its guide shows, epoch after epoch."""
    import streaming

    dataset = streaming.StreamingDataset(local=str(data.mds), shuffle=True, shuffle_seed=SEED, batch_size=batch)
    collate = partial(_mds_batch, delimiter=data.delimiter)
    batches = torch.utils.data.DataLoader(dataset, batch_size=batch, num_workers=workers, drop_last=True, collate_fn=collate)
    while True:
        yield from batches


class Timed(NamedTuple):
    """How a loader is timed. module: imported before memory is measured. workers: whether it can use worker processes; loaders
    that can are timed with none and with as many as this project has threads."""

    name: str
    make: Callable[[Data, int, int], Batches]
    module: str
    workers: tuple[int, ...]


LOADERS = (
    Timed("this project", this_project, "trainer.data.loader", (0,)),
    Timed("nanoGPT", nanogpt, "numpy", (0,)),
    Timed("memmap, one gather", memmap_gathered, "numpy", (0,)),
    Timed("litdata", litdata_loader, "litdata", (0, 1)),
    Timed("mosaicml-streaming", mosaicml_streaming, "streaming", (0, 1)),
)
