"""The batches of each step, prepared while the step before is trained.

What a step trains on depends only on the number of sequences consumed before it, so the loader has no state to save: batches
prepared ahead when a run stops are prepared again when it resumes. One thread is enough, as a hundred windows of 1,024 tokens
take less than a millisecond; processes would cost memory, start-up time and, on two cores, speed.

Two measures keep it fast. Small steps are prepared several at a time, because handing one over costs more than filling it. And
arrays are reused once nothing refers to them: fresh memory costs a page fault per 4 KiB, which takes longer than filling it. A
batch that is kept keeps its arrays and never changes.

Shapes: N sequences of a rank in steps made at once, M batches of them, B sequences of a batch, T window length.
"""

import weakref
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.cross_entropy import IGNORE
from trainer.data.order import Order, rank_slice
from trainer.data.windows import PADDING, Windows
from trainer.errors import TrainerError

# Steps, or groups of small steps, prepared ahead: one to be ready when the current step ends, one for an occasional slow read.
AHEAD = 2
# Tokens from which on a step is prepared alone: 5 MB of arrays, prepared in one or two milliseconds. Steps of 64 windows of 1,024
# tokens took 0.6 ms of processor time each when prepared alone and 0.4 ms four at a time, on a busy processor.
TOKENS_AT_ONCE = 2**18


@dataclass(frozen=True, eq=False)
class Batch:
    """The input of one forward pass.

    inputs_BT, targets_BT: int64. starts_BT: int32, as in `windows.Window`. sequences_B: the global sequence numbers; in
    validation the numbers of the windows, -1 for a row of padding. sources_B: the index of each sequence's source.
    """

    inputs_BT: Tensor
    targets_BT: Tensor
    starts_BT: Tensor
    sequences_B: npt.NDArray[np.int64]
    sources_B: npt.NDArray[np.int64]


class Loader:
    """The batches of `rank` among `world_size`, from `windows`, one item for each source of `order`.

    Raises TrainerError if `global_batch`, the sequences of a step over all ranks, is not a multiple of
    `world_size` x `micro_batch`.
    """

    def __init__(
        self, order: Order, windows: Sequence[Windows], *, global_batch: int, micro_batch: int, rank: int, world_size: int
    ) -> None:
        if [source.windows for source in order.sources] != [len(source) for source in windows]:
            raise ValueError("the windows do not match the order's sources")
        if len({source.length for source in windows}) > 1:
            raise ValueError("the sources' windows differ in length; a batch is rectangular")
        unit = world_size * micro_batch
        if global_batch % unit:
            below = global_batch // unit * unit
            raise TrainerError(
                f"batch_size {global_batch} is not a multiple of world_size {world_size} x micro_batch_size {micro_batch} = "
                f"{unit}; set batch_size to {f'{below} or ' if below else ''}{below + unit}"
            )
        self.order = order
        self.windows = tuple(windows)
        self.global_batch = global_batch
        self.micro_batch = micro_batch
        self.rank = rank
        self.world_size = world_size
        each, length = global_batch // world_size, windows[0].length
        self._at_once = max(1, TOKENS_AT_ONCE // (each * length))
        shape = self._at_once * each // micro_batch, micro_batch, length
        self._pools = [_Pool(shape, np.dtype(dtype)) for dtype in (np.int64, np.int64, np.int32)]

    def steps(self, consumed: int, steps: int, end: int | None = None) -> Generator[list[Batch], None, None]:
        """Yield the micro-batches of each of the `steps` steps that follow `consumed` sequences.

        end: the number of sequences of the whole run. If it is not a multiple of the batch, the remaining rows of the last step
        have no targets, so that a run of one epoch trains on each target exactly once.

        A thread prepares `AHEAD` steps, or groups of small steps, in advance. Its exceptions are raised here, before the first
        step of the group; it ends when the iterator is exhausted, closed or collected.
        """
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
        made: deque[Future[list[list[Batch]]]] = deque()
        asked = 0
        try:
            while asked < steps or made:
                if asked < steps:
                    # The first step is prepared alone, so that training can start.
                    count = min(self._at_once if asked else 1, steps - asked)
                    made.append(executor.submit(self._make, consumed + asked * self.global_batch, count, end))
                    asked += count
                if len(made) > AHEAD or asked == steps:
                    yield from made.popleft().result()
        finally:
            executor.shutdown(cancel_futures=True)

    def _make(self, consumed: int, steps: int, end: int | None) -> list[list[Batch]]:
        """Return the micro-batches of each of `steps` steps after `consumed` sequences."""
        own = rank_slice(0, self.global_batch, self.rank, self.world_size)
        stop = consumed + steps * self.global_batch
        sources, windows, _ = self.order.many(consumed, stop)
        sequences_N, sources_N, windows_N = (
            column.reshape(steps, self.global_batch)[:, own.start : own.stop].ravel()
            for column in (np.arange(consumed, stop), sources, windows)
        )
        tensors_MBT = [pool.lend() for pool in self._pools]
        arrays_NT = [tensor_MBT.numpy().reshape(-1, tensor_MBT.shape[2]) for tensor_MBT in tensors_MBT]
        self._read(sources_N, windows_N, *arrays_NT)
        if end is not None and end < stop:
            _, targets_NT, _ = arrays_NT
            targets_NT[: len(sequences_N)][sequences_N >= end] = IGNORE
        columns = (column_N.reshape(-1, self.micro_batch) for column_N in (sequences_N, sources_N))
        batches = list(map(Batch, *(tensor_MBT.unbind() for tensor_MBT in tensors_MBT), *columns))
        per_step = len(batches) // steps
        return [batches[first : first + per_step] for first in range(0, len(batches), per_step)]

    def _read(
        self,
        sources_N: npt.NDArray[np.int64],
        windows_N: npt.NDArray[np.int64],
        inputs_NT: npt.NDArray[np.int64],
        targets_NT: npt.NDArray[np.int64],
        starts_NT: npt.NDArray[np.int32],
    ) -> None:
        """Write window `windows_N[i]` of source `sources_N[i]` to row i of the arrays."""
        for index, windows in enumerate(self.windows):
            rows = np.flatnonzero(sources_N == index)
            if rows.size:
                windows.fill(inputs_NT, targets_NT, starts_NT, rows, windows_N[rows])


class _Pool:
    """Arrays of one shape and dtype, each lent until nothing refers to it, and then lent again.

    There are never more than were in use at once. The one returned last is lent first, as it is still in the processor's cache.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._shape = shape
        self._dtype = dtype
        self._free: list[npt.NDArray[Any]] = []

    def lend(self) -> Tensor:
        """Return an array as a tensor with arbitrary values. It is free again when the last tensor over its memory is gone."""
        array = self._free.pop() if self._free else np.empty(self._shape, self._dtype)
        # The tensor keeps only this view alive, not `array` itself, as numpy's own slices would.
        view = array.view()
        weakref.finalize(view, self._free.append, array)
        return torch.from_numpy(view)


def validation_batches(
    windows: Windows, batch_size: int, rank: int, world_size: int, limit: int | None = None
) -> Iterator[Batch]:
    """Yield the same windows each time, in order: all of them, or `limit` spread evenly over the split.

    Of W windows, window floor(i W / limit) is the i-th of `limit`. Batch k belongs to rank k modulo `world_size`, the last batch
    may be smaller, and over all ranks each window occurs exactly once. All ranks get the same number of batches, because ranks
    that share parameters must run every forward pass together: a rank without a window gets a single row of padding, whose
    targets are all IGNORE.
    """
    count = len(windows) if limit is None else min(limit, len(windows))
    indices = np.arange(count, dtype=np.int64) * len(windows) // count
    for start in range(0, count, batch_size * world_size):
        own_B = indices[start + rank * batch_size : start + (rank + 1) * batch_size]
        if own_B.size:
            arrays_BT = windows.read_many(own_B)
        else:
            own_B = np.array([-1], np.int64)
            arrays_BT = _padding(windows.length)
        inputs_BT, targets_BT, starts_BT = map(torch.from_numpy, arrays_BT)
        yield Batch(inputs_BT, targets_BT, starts_BT, own_B, np.zeros(len(own_B), np.int64))


def _padding(length: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Return inputs, targets and starts of a single row of padding."""
    return np.full((1, length), PADDING, np.int64), np.full((1, length), IGNORE, np.int64), np.zeros((1, length), np.int32)
