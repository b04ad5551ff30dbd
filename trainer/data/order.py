"""Which window is trained when: a pure function from the global sequence number to a window of a source.

Sequence g of a run is the g-th window that any rank trains on, counted from 0. `Order.at(g)` needs neither the sequences
before g nor the world size, the batch or the accumulation, so that the whole state of the data is one integer, the number
of sequences consumed, and a run may go on with other machines. Windows all have the same number of tokens, so that weights
of windows are weights of tokens.

There are two forms.

- Without a wish for a mixture (one source, or each source's weight is its number of windows) all windows of all sources
  are one set, shuffled anew for each epoch: every window exactly once per epoch of the union.
- With a mixture, sequences come in blocks. In every block each source has the same number of places, its weight's share by
  Hamilton's method (largest remainder), scattered by a shuffle of the block. What a source gives to its places, in their
  order, is its windows, shuffled anew for each of its epochs. So the counts are exact in each block, and no source gives
  a window a second time before it has given each of its others once. Exactness is per source: weights in proportion to
  the windows are still rounded to whole places, so that sources finish their epochs at slightly different times.

Seed, source and epoch enter the keys as a tuple that is hashed: sums, as in seed + epoch, would give two runs with
neighbouring seeds each other's epochs. A source enters as its place in the list, not its name, which may be a folder that
moves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from trainer.data.permutation import Permutation
from trainer.errors import TrainerError


@dataclass(frozen=True)
class Dataset:
    """A set of windows to train on. `weight` counts relative to the other sources' and is exact for a number of windows;
    `max_epochs` is how often, at most, each window may be trained on, None for no limit."""

    name: str
    windows: int
    weight: float
    max_epochs: float | None = None


@dataclass(frozen=True)
class Place:
    """Where a sequence comes from: the index of the source, the window in it, and how often that source was through before."""

    source: int
    window: int
    epoch: int


class Order:
    """The order of `sources` under `seed`, see the module. `block` is the number of sequences of which the mixture is exact.

    A block of 4,096 gives weights a resolution of 0.024 %; a longer one would be finer, and exact less often.

    Raises TrainerError for no sources, a source without windows, a weight that is not a positive number, and a weight so
    small that a block has no place for it.
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
            # Each epoch costs a shuffle of its own, so that of a handful of windows a few epochs are enough at once.
            self._span = min(block, 8 * int(self._first_windows[-1]))
        # A span at once costs what some ten single sequences cost. Two, as a step's sequences may lie in two.
        self._spanned = lru_cache(maxsize=2)(self._make_span)

    def at(self, g: int) -> Place:
        """Where sequence `g` >= 0 comes from."""
        sources_N, windows_N, epochs_N = self.many(g, g + 1)
        return Place(int(sources_N[0]), int(windows_N[0]), int(epochs_N[0]))

    def many(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The sources, windows and epochs of the sequences in [start, stop), each int64 of shape (stop - start,)."""
        if not 0 <= start <= stop:
            raise IndexError(f"[{start}, {stop}) is no range of sequence numbers, which count from 0")
        pieces = [np.empty((3, 0), np.int64)]
        for span in range(start // self._span, -(-stop // self._span)):
            first = span * self._span
            pieces.append(self._spanned(span)[:, max(0, start - first) : stop - first])
        sources_N, windows_N, epochs_N = np.concatenate(pieces, axis=1)
        return sources_N, windows_N, epochs_N

    def epochs(self, sequences: int) -> list[float]:
        """How often each source is gone through in the first `sequences` sequences."""
        if not self.mixed:
            return [sequences / int(self._first_windows[-1])] * len(self.sources)
        blocks, rest = divmod(sequences, self.block)
        sources_N = self._spanned(blocks)[0, :rest]
        drawn = blocks * self.counts + np.bincount(sources_N, minlength=len(self.sources))
        return [count / source.windows for count, source in zip(drawn.tolist(), self.sources, strict=True)]

    def check_length(self, sequences: int) -> None:
        """Raises TrainerError when a run of `sequences` sequences would repeat a source beyond its `max_epochs`."""
        for source, epochs in zip(self.sources, self.epochs(sequences), strict=True):
            if source.max_epochs is not None and epochs > source.max_epochs:
                remedy = f", or lower its weight of {source.weight:g}" if self.mixed else ""
                raise TrainerError(
                    f"source {source.name}: {sequences} sequences would go through its {source.windows} windows "
                    f"{epochs:.2f} times, more than its max_epochs of {source.max_epochs:g}; train about "
                    f"{math.floor(sequences * source.max_epochs / epochs)} sequences, raise max_epochs{remedy}"
                )

    def places_of(self, source: int, windows_N: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Where `windows_N` of `source` stand among the sequences in [start, stop): the inverse of `many`.

        Returns rows_M and sequences_M, int64, in the order of the sequences: sequence `sequences_M[i]` is window
        `windows_N[rows_M[i]]`. The cost is that of the places found, in a mixture times its block, and does not grow with
        the sequences that lie between them: each epoch's shuffle is inverted, no order is walked through.

        Raises IndexError for a source or a window that there is not, and for no range of sequence numbers.
        """
        if not 0 <= start <= stop:
            raise IndexError(f"[{start}, {stop}) is no range of sequence numbers, which count from 0")
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

    def _drawn(self, windows_N: np.ndarray, draws: range, windows: int, source: int) -> tuple[np.ndarray, np.ndarray]:
        """The draws of the epochs that `draws` touches which are `windows_N`, and the row of each: the inverse of `_shuffled`."""
        found = [np.empty((2, 0), np.int64)]
        rows_N = np.arange(len(windows_N), dtype=np.int64)
        for epoch in range(draws.start // windows, -(-draws.stop // windows) if draws else 0):
            places_N = Permutation(windows, ("window", self.seed, source, epoch)).inverse(windows_N)
            found.append(np.stack([epoch * windows + places_N, rows_N]))
        draws_M, rows_M = np.concatenate(found, axis=1)
        return draws_M, rows_M

    def _given(self, source: int, draws_M: np.ndarray) -> np.ndarray:
        """The sequences of a mixture to which `source` gives its draws `draws_M`: in each block, its places in their order."""
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

    def _make_span(self, span: int) -> np.ndarray:
        """Sources, windows and epochs of the sequences of a span, which is a block of the mixture: int64 (3, M)."""
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

    def _shuffled(self, draws_N: np.ndarray, windows: int, source: int) -> tuple[np.ndarray, np.ndarray]:
        """The windows, and their epochs, that `draws_N` are when each epoch is a shuffle of range(windows)."""
        epochs_N, places_N = np.divmod(draws_N, windows)
        windows_N = np.empty_like(draws_N)
        for epoch in np.unique(epochs_N).tolist():
            rows = np.flatnonzero(epochs_N == epoch)
            windows_N[rows] = Permutation(windows, ("window", self.seed, source, epoch))(places_N[rows])
        return windows_N, epochs_N


def rank_slice(consumed: int, global_batch: int, rank: int, world_size: int) -> range:
    """The sequence numbers that `rank` trains on in the step after `consumed` sequences; the ranks' ranges follow each other.

    Raises ValueError when `world_size` does not divide `global_batch`; the loader tells the user what would.
    """
    each, left = divmod(global_batch, world_size)
    if left:
        raise ValueError(f"a global batch of {global_batch} sequences does not divide by {world_size} ranks")
    return range(consumed + rank * each, consumed + (rank + 1) * each)


def _check_sources(sources: Sequence[Dataset]) -> None:
    if not sources:
        raise TrainerError("there is no source to train on; name at least one folder of token shards")
    for source in sources:
        if source.windows < 1:
            raise TrainerError(f"source {source.name}: it has no windows; leave it out or give it more text")
        if not (source.weight > 0 and math.isfinite(source.weight)):
            raise TrainerError(f"source {source.name}: weight {source.weight} is not a positive number; leave it out or set one")


def _apportioned(sources: Sequence[Dataset], block: int) -> np.ndarray:
    """Places of each source in a block, int64 (sources,): shares by Hamilton's method, in exact fractions, so that no
    rounding of floats decides; equal remainders go to the earlier source."""
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
