"""A split's token stream cut into windows of one length, in which each target occurs exactly once.

Window i of a split of N tokens reads the T + 1 tokens from iT on: T inputs and, one to the right, their T targets, so that
neighbours share a token and ceil((N - 1) / T) windows hold each of the N - 1 targets once. The stream runs across shards;
no tail of a document, a shard or the split is lost, and no document is dropped for its length. Only the last window may be
short of targets, and is padded.

Where documents begin is seen from the delimiter in the tokens at hand, which the token store keeps for the first token of
each document and refuses anywhere else. A look into the shard's offsets says the same, but fetches pages of its own.

Tokens are fetched with `pread`, by compiled code that writes what the model takes in one pass. Reading mapped files costs a
page fault a window, some times the copy itself, and what was mapped counts as the process's memory until it is given back.

Shapes: N windows, R rows of a batch, T window length, S shards.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import types

from model.cross_entropy import IGNORE
from pipeline.tokens.dataset import TokenSplit
from trainer.errors import TrainerError

# What stands where the split has no more tokens. Id 0 is in every vocabulary, and nothing is learned from it: its target
# is IGNORE, and it is in a document of its own, so that no other token attends to it.
PADDING = 0

# The C library's own: ssize_t pread(int descriptor, void *buffer, size_t count, off_t offset), POSIX.1-2017.
_pread: Any = types.ExternalFunction("pread", types.intp(types.intc, types.voidptr, types.uintp, types.int64))


@dataclass(frozen=True, eq=False)
class Window:
    """One window. inputs_T, targets_T: int64; targets of padding are IGNORE. starts_T: int32, for each input the index in
    the window of its document's first token, 0 for a document begun before the window; padding is a document of its own.
    position: where in the split the first input is, in tokens."""

    inputs_T: np.ndarray
    targets_T: np.ndarray
    starts_T: np.ndarray
    position: int


class Windows:
    """The windows of `split`, each of `length` inputs.

    Raises TrainerError for a split of fewer than two tokens, in which there is nothing to predict.
    """

    def __init__(self, split: TokenSplit, length: int) -> None:
        if split.tokens < 2:
            folder = f"{split.shards[0].path.parent}: " if split.shards else ""
            raise TrainerError(
                f"{folder}split {split.name!r} has {split.tokens} tokens, and a target needs two; "
                f"run the pipeline on more text, or for a validation split with a larger tokenize.validation_share"
            )
        self.split = split
        self.length = length
        self._delimiter = split.shards[0].meta.delimiter_id
        self._descriptors_S = np.array([shard.descriptor for shard in split.shards], dtype=np.int32)
        self._first_bytes_S = np.array([shard.first_byte for shard in split.shards], dtype=np.int64)

    def __len__(self) -> int:
        return -(-(self.split.tokens - 1) // self.length)

    def read(self, index: int) -> Window:
        """Window `index`; raises as `read_many` does."""
        inputs_NT, targets_NT, starts_NT = self.read_many([index])
        return Window(inputs_NT[0], targets_NT[0], starts_NT[0], index * self.length)

    def read_many(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The windows `indices`, in that order: inputs_NT, targets_NT and starts_NT, as in `Window`. Raises as `fill` does."""
        indices_N = np.asarray(indices, dtype=np.int64)
        shape = len(indices_N), self.length
        arrays = np.empty(shape, np.int64), np.empty(shape, np.int64), np.empty(shape, np.int32)
        self.fill(*arrays, np.arange(len(indices_N)), indices_N)
        return arrays

    def fill(
        self, inputs_RT: np.ndarray, targets_RT: np.ndarray, starts_RT: np.ndarray, rows_N: np.ndarray, indices_N: np.ndarray
    ) -> None:
        """Write window `indices_N[i]` to row `rows_N[i]` of the three arrays, whose other rows are left alone.

        inputs_RT, targets_RT: int64. starts_RT: int32. rows_N, indices_N: int64; the rows must be in range(R).

        Raises IndexError for a window that there is not, and TrainerError for a shard that can no longer be read.
        """
        if not inputs_RT.shape == targets_RT.shape == starts_RT.shape == (len(inputs_RT), self.length):
            raise ValueError(f"arrays of shape {inputs_RT.shape} for windows of {self.length} tokens")
        tokens = np.empty(self.length + 1, self.split.dtype)
        arrays = self._descriptors_S, self._first_bytes_S, self.split.first_tokens, tokens, inputs_RT, targets_RT, starts_RT
        done = 0
        while (done := _fill(rows_N, indices_N, done, self._delimiter, PADDING, IGNORE, *arrays)) < len(indices_N):
            self._explain(int(indices_N[done]))

    def _explain(self, index: int) -> None:
        """Raise what is wrong with window `index`; a read that a signal cut short is none, and is tried again."""
        if not 0 <= index < len(self):
            raise IndexError(f"window {index}; split {self.split.name} has {len(self)}")
        position = index * self.length
        for shard, _, low, high in self.split.within(position, min(position + self.length + 1, self.split.tokens)):
            offset, size = shard.first_byte + low * self.split.dtype.itemsize, (high - low) * self.split.dtype.itemsize
            try:
                found = len(os.pread(shard.descriptor, size, offset))
            except OSError as error:
                raise TrainerError(f"{shard.path}: cannot be read ({error.strerror}); copy it again") from error
            if found < size:
                raise TrainerError(f"{shard.path}: ends before byte {offset + size}, it was cut while in use; copy it again")


@numba.njit(cache=True, nogil=True)
def _fill(
    rows_N: np.ndarray,
    indices_N: np.ndarray,
    done: int,
    delimiter: int,
    padding: int,
    ignore: int,
    descriptors_S: np.ndarray,
    first_bytes_S: np.ndarray,
    first_tokens_S: np.ndarray,
    tokens: np.ndarray,
    inputs_RT: np.ndarray,
    targets_RT: np.ndarray,
    starts_RT: np.ndarray,
) -> int:
    """Do what `Windows.fill` says from window `done` on; returns how many are done, all or up to one that cannot be read.

    first_tokens_S: with the end of the split, S + 1 numbers. tokens: room for the T + 1 tokens of a window, as they are
    stored. padding and ignore are arguments, as compiled code is kept when a constant of another file changes.
    """
    length = inputs_RT.shape[1]
    end = first_tokens_S[-1]
    windows = (end - 2) // length + 1
    for n in range(done, len(indices_N)):
        if not 0 <= indices_N[n] < windows:
            return n
        position = indices_N[n] * length
        wanted = min(length + 1, end - position)
        if not _read(position, wanted, descriptors_S, first_bytes_S, first_tokens_S, tokens):
            return n
        row = rows_N[n]
        _write_window(tokens[:wanted], delimiter, inputs_RT[row], targets_RT[row], starts_RT[row])
        for t in range(wanted - 1, length):
            inputs_RT[row, t] = padding
            targets_RT[row, t] = ignore
            starts_RT[row, t] = wanted - 1
    return len(indices_N)


@numba.njit(cache=True, nogil=True)
def _read(
    position: int,
    wanted: int,
    descriptors_S: np.ndarray,
    first_bytes_S: np.ndarray,
    first_tokens_S: np.ndarray,
    tokens: np.ndarray,
) -> bool:
    """Read `wanted` tokens of the split from `position` on, across shards, to the front of `tokens`; False if a read fails."""
    size = tokens.itemsize
    found = 0
    shard = _shard_of(position, first_tokens_S)
    while found < wanted:
        low = position + found
        count = min(wanted - found, first_tokens_S[shard + 1] - low)
        offset = first_bytes_S[shard] + (low - first_tokens_S[shard]) * size
        if _pread(descriptors_S[shard], tokens[found:].ctypes, count * size, offset) != count * size:
            return False
        found += count
        shard += 1
    return True


@numba.njit(cache=True, nogil=True)
def _shard_of(position: int, first_tokens_S: np.ndarray) -> int:
    """The last shard whose first token is at or before `position`: the one that holds it."""
    shard, past = 0, len(first_tokens_S) - 1
    while past - shard > 1:
        middle = (shard + past) // 2
        if first_tokens_S[middle] <= position:
            shard = middle
        else:
            past = middle
    return shard


@numba.njit(cache=True, nogil=True)
def _write_window(tokens: np.ndarray, delimiter: int, inputs_T: np.ndarray, targets_T: np.ndarray, starts_T: np.ndarray) -> None:
    """Write `len(tokens) - 1` inputs, their targets, and for each input where its document starts in the window."""
    targets = len(tokens) - 1
    for t in range(targets):
        inputs_T[t] = tokens[t]
    for t in range(targets):
        targets_T[t] = tokens[t + 1]
    start = np.int32(0)
    for t in range(targets):
        if tokens[t] == delimiter:
            start = np.int32(t)
        starts_T[t] = start
