"""The order of the data: a pure function from the global sequence number to a window of a source.

Sequence g of a run is the g-th window that any rank trains on, counted from 0. `Order.at(g)` depends neither on the sequences
before g nor on the world size, the batch or the accumulation, so the state of the data is one integer, the number of sequences
consumed, and a run may resume on other machines. All windows have the same number of tokens, so weights of windows are weights
of tokens.

A source is a dataset in the list that a run trains on. There are two kinds of order.

- Without a mixture (one source, or each source's weight is its number of windows), the windows of all sources are one set that
  is shuffled anew for each epoch: every window occurs exactly once per epoch.
- With a mixture, sequences come in blocks. Each source has the same number of positions in every block, its share by Hamilton's
  method (largest remainder), and the block's positions are shuffled. A source fills its positions, in order, with its windows,
  which are shuffled anew for each of its epochs. So the counts are exact in each block, and no source repeats a window before
  all of its windows have occurred. Weights in proportion to the windows are still rounded to whole positions, so in a mixture
  sources finish their epochs at slightly different times.

Seed, source and epoch are hashed into the keys as a tuple: with sums, such as seed + epoch, runs with neighbouring seeds would
share epochs. A source is identified by its index, not its name, which may be a folder that moves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from trainer.data.permutation import Permutation
from trainer.errors import TrainerError

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """A set of windows to train on, as a source of an order.

    weight: relative to the other sources. max_epochs: how often each window may be trained on at most; None for no limit.
    """

    name: str
    windows: int
    weight: float
    max_epochs: float | None = None


@dataclass(frozen=True)
class Place:
    """The origin of a sequence: the index of the source, the window, and how many epochs of the source came before."""

    source: int
    window: int
    epoch: int


class Order:
    """The order of `sources` under `seed`, as the module describes; the mixture is exact in each `block` of sequences.

    A block of 4,096 gives weights a resolution of 0.024 %; a longer one would be finer, but exact less often.

    Raises TrainerError for no sources, a source without windows, a weight that is not a positive number, and a weight too small
    for a single position in a block.
    """

    def __init__(self, sources: Sequence[Dataset], seed: int, block: int = 4096) -> None:
        _check_sources(sources)
        self.sources = tuple(sources)
        self.seed = seed
        self.block = block
        self.mixed = len(sources) > 1 and any(source.weight != source.windows for source in sources)
        if self.mixed:
            self.counts = _apportioned(sources, block)
            self._span = block
        else:
            self._first_windows = np.cumsum([0, *(source.windows for source in sources)], dtype=np.int64)
            # Each epoch needs its own shuffle, so with a handful of windows a span has only a few epochs.
            self._span = min(block, 8 * int(self._first_windows[-1]))
        # A whole span costs as much as about ten single sequences. Two are cached, as a step's sequences may cross spans.
        self._spanned = lru_cache(maxsize=2)(self._make_span)

    def at(self, g: int) -> Place:
        """Return the origin of sequence `g` >= 0."""
        sources_N, windows_N, epochs_N = self.many(g, g + 1)
        return Place(int(sources_N[0]), int(windows_N[0]), int(epochs_N[0]))

    def many(self, start: int, stop: int) -> tuple[Numbers, Numbers, Numbers]:
        """Return the sources, windows and epochs of the sequences in [start, stop), each int64 (stop - start,).

        Raises IndexError for an invalid range.
        """
        if not 0 <= start <= stop:
            raise IndexError(f"[{start}, {stop}) is not a range of sequence numbers, which count from 0")
        pieces = [np.empty((3, 0), np.int64)]
        for span in range(start // self._span, -(-stop // self._span)):
            first = span * self._span
            pieces.append(self._spanned(span)[:, max(0, start - first) : stop - first])
        sources_N, windows_N, epochs_N = np.concatenate(pieces, axis=1)
        return sources_N, windows_N, epochs_N

    def epochs(self, sequences: int) -> list[float]:
        """Return the number of epochs of each source in the first `sequences` sequences."""
        if not self.mixed:
            return [sequences / int(self._first_windows[-1])] * len(self.sources)
        blocks, rest = divmod(sequences, self.block)
        sources_N = self._spanned(blocks)[0, :rest]
        drawn = blocks * self.counts + np.bincount(sources_N, minlength=len(self.sources))
        counts: list[int] = drawn.tolist()
        return [count / source.windows for count, source in zip(counts, self.sources, strict=True)]

    def check_length(self, sequences: int) -> None:
        """Raise TrainerError if a run of `sequences` sequences would exceed the `max_epochs` of a source."""
        for source, epochs in zip(self.sources, self.epochs(sequences), strict=True):
            if source.max_epochs is not None and epochs > source.max_epochs:
                remedy = f", or lower its weight of {source.weight:g}" if self.mixed else ""
                raise TrainerError(
                    f"source {source.name}: {sequences} sequences would pass over its {source.windows} windows "
                    f"{epochs:.2f} times, more than its max_epochs of {source.max_epochs:g}; train about "
                    f"{math.floor(sequences * source.max_epochs / epochs)} sequences, raise max_epochs{remedy}"
                )

    def places_of(self, source: int, windows_N: Numbers, start: int, stop: int) -> tuple[Numbers, Numbers]:
        """Return the positions of `windows_N` of `source` among the sequences in [start, stop): the inverse of `many`.

        The result is rows_M and sequences_M, int64, in the order of the sequences: sequence `sequences_M[i]` is window
        `windows_N[rows_M[i]]`. The cost grows with the number of positions found (in a mixture, times the block), not with the
        number of sequences between them: each epoch's shuffle is inverted, and no order is enumerated.

        Raises IndexError for an unknown source or window, and for an invalid range of sequence numbers.
        """
        if not 0 <= start <= stop:
            raise IndexError(f"[{start}, {stop}) is not a range of sequence numbers, which count from 0")
        windows_N = np.asarray(windows_N, dtype=np.int64)
        if not 0 <= source < len(self.sources):
            raise IndexError(f"source {source}; there are {len(self.sources)}")
        windows = self.sources[source].windows
        if windows_N.size and (windows_N.min() < 0 or windows_N.max() >= windows):
            raise IndexError(f"windows {windows_N.min()} to {windows_N.max()}; source {source} has {windows}")
        if self.mixed:
            each = int(self.counts[source])
            draws = range(start // self.block * each, -(-stop // self.block) * each)
            draws_M, rows_M = self._drawn(windows_N, draws, windows, source)
            sequences_M = self._given(source, draws_M)
        else:
            united_N = windows_N + self._first_windows[source]
            sequences_M, rows_M = self._drawn(united_N, range(start, stop), int(self._first_windows[-1]), 0)
        inside = (sequences_M >= start) & (sequences_M < stop)
        sequences_M, rows_M = sequences_M[inside], rows_M[inside]
        by_sequence = np.argsort(sequences_M)
        return rows_M[by_sequence], sequences_M[by_sequence]

    def _drawn(self, windows_N: Numbers, draws: range, windows: int, source: int) -> tuple[Numbers, Numbers]:
        """Return the draws that are `windows_N`, in all epochs of `draws`, and the row of each: the inverse of `_shuffled`."""
        found = [np.empty((2, 0), np.int64)]
        rows_N = np.arange(len(windows_N), dtype=np.int64)
        for epoch in range(draws.start // windows, -(-draws.stop // windows) if draws else 0):
            places_N = Permutation(windows, ("window", self.seed, source, epoch)).inverse(windows_N)
            found.append(np.stack([epoch * windows + places_N, rows_N]))
        draws_M, rows_M = np.concatenate(found, axis=1)
        return draws_M, rows_M

    def _given(self, source: int, draws_M: Numbers) -> Numbers:
        """Return the sequences of a mixture that are the draws `draws_M` of `source`: in each block, its positions in order."""
        each, first_slot = int(self.counts[source]), int(self.counts[:source].sum())
        blocks_M, nth_M = np.divmod(draws_M, each)
        sequences_M = np.empty_like(draws_M)
        slots = np.arange(first_slot, first_slot + each, dtype=np.int64)
        by_block = np.argsort(blocks_M, kind="stable")
        blocks, firsts = np.unique(blocks_M[by_block], return_index=True)
        for block, rows in zip(blocks.tolist(), np.split(by_block, firsts[1:]), strict=False):
            places = np.sort(Permutation(self.block, ("block", self.seed, block)).inverse(slots))
            sequences_M[rows] = block * self.block + places[nth_M[rows]]
        return sequences_M

    def _make_span(self, span: int) -> Numbers:
        """Return sources, windows and epochs of the sequences of a span, in a mixture a block: int64 (3, M)."""
        places_M = np.arange(self._span, dtype=np.int64)
        if not self.mixed:
            united_M, epochs_M = self._shuffled(span * self._span + places_M, int(self._first_windows[-1]), 0)
            sources_M = np.searchsorted(self._first_windows, united_M, side="right") - 1
            return np.stack([sources_M, united_M - self._first_windows[sources_M], epochs_M])
        slots_M = Permutation(self.block, ("block", self.seed, span))(places_M)
        made = np.empty((3, self.block), np.int64)
        made[0] = np.repeat(np.arange(len(self.sources)), self.counts)[slots_M]
        for index, (source, count) in enumerate(zip(self.sources, self.counts.tolist(), strict=True)):
            draws = np.arange(span * count, (span + 1) * count)
            made[1:, made[0] == index] = self._shuffled(draws, source.windows, index)
        return made

    def _shuffled(self, draws_N: Numbers, windows: int, source: int) -> tuple[Numbers, Numbers]:
        """Return the windows, and their epochs, of `draws_N` if each epoch is a shuffle of range(windows)."""
        epochs_N, places_N = np.divmod(draws_N, windows)
        windows_N = np.empty_like(draws_N)
        for epoch in np.unique(epochs_N).tolist():
            rows = np.flatnonzero(epochs_N == epoch)
            windows_N[rows] = Permutation(windows, ("window", self.seed, source, epoch))(places_N[rows])
        return windows_N, epochs_N


def rank_slice(consumed: int, global_batch: int, rank: int, world_size: int) -> range:
    """Return the sequence numbers that `rank` trains on in the step after `consumed` sequences, ranks in order.

    Raises ValueError if `world_size` does not divide `global_batch`; the loader tells the user which sizes do.
    """
    each, left = divmod(global_batch, world_size)
    if left:
        raise ValueError(f"a global batch of {global_batch} sequences does not divide by {world_size} ranks")
    return range(consumed + rank * each, consumed + (rank + 1) * each)


def _check_sources(sources: Sequence[Dataset]) -> None:
    if not sources:
        raise TrainerError("there is no source to train on; give at least one folder of token shards")
    for source in sources:
        if source.windows < 1:
            raise TrainerError(f"source {source.name}: it has no windows; leave it out or give it more text")
        if not (source.weight > 0 and math.isfinite(source.weight)):
            raise TrainerError(f"source {source.name}: weight {source.weight} is not a positive number; leave it out or set one")


def _apportioned(sources: Sequence[Dataset], block: int) -> Numbers:
    """Return the positions of each source in a block, int64 (sources,), by Hamilton's method.

    Fractions are exact, so that no floating-point rounding decides; equal remainders go to the earlier source.
    """
    total = sum(Fraction(source.weight) for source in sources)
    shares = [Fraction(source.weight) / total * block for source in sources]
    counts = [math.floor(share) for share in shares]
    by_remainder = sorted(range(len(sources)), key=lambda index: counts[index] - shares[index])
    for index in by_remainder[: block - sum(counts)]:
        counts[index] += 1
    for source, share, count in zip(sources, shares, counts, strict=True):
        if count == 0:
            raise TrainerError(
                f"source {source.name}: weight {source.weight:g} is {float(share):.3g} of {block} sequences and rounds to none; "
                f"give it at least {float(total / block):.3g}, or leave it out"
            )
    return np.array(counts, dtype=np.int64)
