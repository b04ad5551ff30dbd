"""Batches of a step, made while the step before is trained.

What a step trains on follows from the number of sequences consumed before it, so that the loader has no state to save:
what it has made ahead when a run stops is made again when the run goes on. One thread is enough, as a hundred windows of
1,024 tokens take one or two milliseconds; processes would cost memory and start-up, and on two cores time.

Shapes: N sequences of a rank in a step, B of a batch, T window length.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from model.cross_entropy import IGNORE
from trainer.errors import TrainerError
from trainer.order import Order, rank_slice
from trainer.windows import PADDING, Windows

# Steps made ahead: one to be ready when the present step ends, one for the time that a slow disk takes now and then.
AHEAD = 2

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]  # inputs_BT, targets_BT, starts_BT


@dataclass(frozen=True, eq=False)
class Batch:
    """What one forward pass takes. inputs_BT, targets_BT: int64. starts_BT: int32, see `trainer.windows.Window`.
    sequences_B: int64, the global sequence numbers; in validation the windows' own numbers, -1 for a row of padding.
    sources_B: int64, the index of each sequence's source."""

    inputs_BT: torch.Tensor
    targets_BT: torch.Tensor
    starts_BT: torch.Tensor
    sequences_B: np.ndarray
    sources_B: np.ndarray


class Loader:
    """The batches of `rank` among `world_size`, from `windows`, one for each source of `order`.

    Raises TrainerError when `global_batch`, the sequences of a step over all ranks, is not a multiple of
    `world_size` x `micro_batch`.
    """

    def __init__(
        self, order: Order, windows: Sequence[Windows], *, global_batch: int, micro_batch: int, rank: int, world_size: int
    ) -> None:
        if [source.windows for source in order.sources] != [len(source) for source in windows]:
            raise ValueError("the order's sources are not the windows that are to be read")
        if len({source.length for source in windows}) > 1:
            raise ValueError("the sources' windows differ in length; a batch is one rectangle")
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

    def steps(self, consumed: int, steps: int, end: int | None = None) -> Generator[list[Batch], None, None]:
        """The micro-batches of each of the `steps` steps that follow `consumed` sequences.

        end: the number of sequences that the whole run has. Where it is no multiple of the batch, the rows of the last step
        from there on have no targets, so that a run of one epoch trains on each target once and on none twice.

        A thread makes `AHEAD` steps more than were asked for. What it raises is raised here, and it ends when the
        iterator is exhausted, closed or collected.
        """
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
        made: deque[Future[list[Batch]]] = deque()
        try:
            for step in range(steps + AHEAD):
                if step < steps:
                    made.append(executor.submit(self._step, consumed + step * self.global_batch, end))
                if step >= AHEAD:
                    yield made.popleft().result()
        finally:
            executor.shutdown(cancel_futures=True)

    def _step(self, consumed: int, end: int | None) -> list[Batch]:
        """The micro-batches of the step after `consumed` sequences."""
        numbers = rank_slice(consumed, self.global_batch, self.rank, self.world_size)
        sources_N, windows_N, _ = self.order.many(numbers.start, numbers.stop)
        sequences_N = np.arange(numbers.start, numbers.stop, dtype=np.int64)
        batches = []
        for start in range(0, len(numbers), self.micro_batch):
            rows = slice(start, start + self.micro_batch)
            arrays = self._read(sources_N[rows], windows_N[rows])
            if end is not None:
                _, targets_BT, _ = arrays
                targets_BT[sequences_N[rows] >= end] = IGNORE
            batches.append(_batch(arrays, sequences_N[rows], sources_N[rows]))
        return batches

    def _read(self, sources_B: np.ndarray, windows_B: np.ndarray) -> Arrays:
        """Windows of several sources, in their order."""
        if len(self.windows) == 1:
            return _read_and_release(self.windows[0], windows_B)
        shape = len(windows_B), self.windows[0].length
        inputs_BT, targets_BT, starts_BT = np.empty(shape, np.int64), np.empty(shape, np.int64), np.empty(shape, np.int32)
        for index in np.unique(sources_B).tolist():
            rows = sources_B == index
            inputs_BT[rows], targets_BT[rows], starts_BT[rows] = _read_and_release(self.windows[index], windows_B[rows])
        return inputs_BT, targets_BT, starts_BT


def validation_batches(
    windows: Windows, batch_size: int, rank: int, world_size: int, limit: int | None = None
) -> Iterator[Batch]:
    """The same windows each time, in order: all of them, or `limit` spread evenly over the split.

    Window floor(i W / limit) of the W is the i-th of `limit`. Batch k belongs to rank k modulo `world_size`, the last one may
    be smaller, and over all ranks each window occurs exactly once. All ranks have the same number of batches, as ranks that
    share parameters must make every forward pass together: one that is left without a window gets a single row of padding,
    whose targets are all IGNORE.
    """
    count = len(windows) if limit is None else min(limit, len(windows))
    indices = np.arange(count, dtype=np.int64) * len(windows) // count
    for start in range(0, count, batch_size * world_size):
        own_B = indices[start + rank * batch_size : start + (rank + 1) * batch_size]
        sources_B = np.zeros(max(1, len(own_B)), np.int64)
        if own_B.size:
            yield _batch(_read_and_release(windows, own_B), own_B, sources_B)
        else:
            yield _batch(_padding(windows.length), np.array([-1], np.int64), sources_B)


def _read_and_release(windows: Windows, indices_B: np.ndarray) -> Arrays:
    """The windows `indices_B`; the pages that they came from are given back.

    Pages that were read count as the process's memory until then, and Linux maps more of them than were asked for: 64 KiB
    around a read, or the piece in which the page cache holds it, in measurements 0.6 MiB for each window. To give them back
    and map others costs a window some 3 microseconds.
    """
    arrays = windows.read_many(indices_B)
    windows.split.release()
    return arrays


def _padding(length: int) -> Arrays:
    """A row of padding alone."""
    return np.full((1, length), PADDING, np.int64), np.full((1, length), IGNORE, np.int64), np.zeros((1, length), np.int32)


def _batch(arrays: Arrays, sequences_B: np.ndarray, sources_B: np.ndarray) -> Batch:
    """A batch over the arrays' own memory."""
    inputs_BT, targets_BT, starts_BT = (torch.from_numpy(array) for array in arrays)
    return Batch(inputs_BT, targets_BT, starts_BT, sequences_B, sources_B)
