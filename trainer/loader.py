"""Batches of a step, made while the step before is trained.

What a step trains on follows from the number of sequences consumed before it, so that the loader has no state to save:
what it has made ahead when a run stops is made again when the run goes on. One thread is enough, as a hundred windows of
1,024 tokens take one or two milliseconds; processes would cost memory and start-up, and on two cores time.

Shapes: B sequences of a batch, T window length.
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

# Windows read between two releases of the pages they came from, which count as this process's memory until then. Linux maps
# more than was touched: 64 KiB around it, or the whole piece in which the page cache holds it, which is 2 MiB at most. So
# these are some 8 to 32 MiB and never more than 256; and a release with the page faults after it costs a window 3 us.
RELEASE_WINDOWS = 128


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
                f"global_batch {global_batch} is not a multiple of world_size {world_size} x micro_batch {micro_batch} = {unit}; "
                f"set global_batch to {f'{below} or ' if below else ''}{below + unit}"
            )
        self.order = order
        self.windows = tuple(windows)
        self.global_batch = global_batch
        self.micro_batch = micro_batch
        self.rank = rank
        self.world_size = world_size

    def steps(self, consumed: int, steps: int) -> Generator[list[Batch], None, None]:
        """The micro-batches of each of the `steps` steps that follow `consumed` sequences.

        A thread makes `AHEAD` steps more than were asked for. What it raises is raised here, and it ends when the
        iterator is exhausted, closed or collected.
        """
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
        made: deque[Future[list[Batch]]] = deque()
        try:
            for step in range(steps + AHEAD):
                if step < steps:
                    made.append(executor.submit(self._step, consumed, step))
                if step >= AHEAD:
                    yield made.popleft().result()
        finally:
            executor.shutdown(cancel_futures=True)

    def _step(self, consumed: int, step: int) -> list[Batch]:
        """The micro-batches of step number `step` after `consumed` sequences."""
        numbers = rank_slice(consumed + step * self.global_batch, self.global_batch, self.rank, self.world_size)
        sources_N, windows_N, _ = self.order.many(numbers.start, numbers.stop)
        inputs_NT, targets_NT, starts_NT = self._read(sources_N, windows_N)
        if (step + 1) % max(1, RELEASE_WINDOWS // len(numbers)) == 0:
            for windows in self.windows:
                windows.split.release()
        sequences_N = np.arange(numbers.start, numbers.stop, dtype=np.int64)
        batches = []
        for start in range(0, len(numbers), self.micro_batch):
            rows = slice(start, start + self.micro_batch)
            batches.append(_batch(inputs_NT[rows], targets_NT[rows], starts_NT[rows], sequences_N[rows], sources_N[rows]))
        return batches

    def _read(self, sources_N: np.ndarray, windows_N: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inputs, targets and starts of windows of several sources, each of shape (N, T)."""
        if len(self.windows) == 1:
            return self.windows[0].read_many(windows_N)
        shape = len(windows_N), self.windows[0].length
        inputs_NT, targets_NT, starts_NT = np.empty(shape, np.int64), np.empty(shape, np.int64), np.empty(shape, np.int32)
        for index in np.unique(sources_N).tolist():
            rows = sources_N == index
            inputs_NT[rows], targets_NT[rows], starts_NT[rows] = self.windows[index].read_many(windows_N[rows])
        return inputs_NT, targets_NT, starts_NT


def validation_batches(
    windows: Windows, batch_size: int, rank: int, world_size: int, limit: int | None = None
) -> Iterator[Batch]:
    """The same windows each time, in order: all of them, or `limit` spread evenly over the split.

    Window floor(i W / limit) of the W is the i-th of `limit`. Batch k belongs to rank k modulo `world_size`; over all ranks
    each window occurs exactly once. The last batch of each rank is smaller where need be. All ranks have the same number
    of batches, as ranks that share parameters must make every forward pass together: one that is left without a window
    gets a single row of padding, whose targets are all IGNORE.
    """
    count = len(windows) if limit is None else min(limit, len(windows))
    indices = np.arange(count, dtype=np.int64) * len(windows) // count
    for start in range(0, count, batch_size * world_size):
        in_round = indices[start : start + batch_size * world_size]
        if len(in_round) == batch_size * world_size:
            own_B = in_round[rank * batch_size : (rank + 1) * batch_size]
        else:
            own_B = np.array_split(in_round, world_size)[rank]
        yield _validation_batch(windows, own_B)
        windows.split.release()


def _validation_batch(windows: Windows, indices_B: np.ndarray) -> Batch:
    sources_B = np.zeros(max(1, len(indices_B)), np.int64)
    if indices_B.size:
        return _batch(*windows.read_many(indices_B), indices_B, sources_B)
    shape = 1, windows.length
    nothing = np.full(shape, PADDING, np.int64), np.full(shape, IGNORE, np.int64), np.zeros(shape, np.int32)
    return _batch(*nothing, np.array([-1], np.int64), sources_B)


def _batch(
    inputs_BT: np.ndarray, targets_BT: np.ndarray, starts_BT: np.ndarray, sequences_B: np.ndarray, sources_B: np.ndarray
) -> Batch:
    """A batch over the arrays' own memory."""
    tensors = torch.from_numpy(inputs_BT), torch.from_numpy(targets_BT), torch.from_numpy(starts_BT)
    return Batch(*tensors, sequences_B, sources_B)
