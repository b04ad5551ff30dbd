"""A split's token stream, cut into windows of one length in which each target occurs exactly once.

Window i of a split of N tokens reads the T + 1 tokens from iT on: T inputs and, shifted by one, their T targets. So neighbouring
windows share a token, and ceil((N - 1) / T) windows contain each of the N - 1 targets once. The stream continues across shards;
no tail of a document, a shard or the split is lost, and no document is dropped for its length. Only the last window may have too
few targets; it is padded.

Documents begin at the delimiter, which the token store allows only as the first token of a document. The shard's offsets say the
same, but reading them would fetch additional pages.

Tokens are read with `pread` by compiled code that writes the model's inputs in one pass. Memory-mapped files would cost a page
fault per window, several times the copy itself, and mapped pages count as the process's memory until they are released.

Shapes: N windows, R rows of a batch, T window length, S shards.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from model.cross_entropy import IGNORE
from pipeline.compiled import njit
from pipeline.tokens.dataset import TokenSplit
from trainer.errors import TrainerError

# The input after the end of the split. Id 0 is in every vocabulary, and nothing is learned from it: its target is IGNORE, and
# padding is a document of its own, so that no other token attends to it.
PADDING = 0

# The C library's: ssize_t pread(int descriptor, void *buffer, size_t count, off_t offset), POSIX.1-2017.
_pread: Any = types.ExternalFunction("pread", types.intp(types.intc, types.voidptr, types.uintp, types.int64))


@dataclass(frozen=True, eq=False)
class Window:
    """One window.

    inputs_T, targets_T: int64; targets of padding are IGNORE. starts_T: int32, for each input the index in the window of its
    document's first token, 0 if the document began before the window; padding is a document of its own. position: index of the
    first input in the split, in tokens.
    """

    inputs_T: npt.NDArray[np.int64]
    targets_T: npt.NDArray[np.int64]
    starts_T: npt.NDArray[np.int32]
    position: int


class Windows:
    """The windows of `split`, each of `length` inputs.

    Raises TrainerError for a split of fewer than two tokens, which has no target.
    """

    def __init__(self, split: TokenSplit, length: int) -> None:
        if split.tokens < 2:
            folder = f"{split.shards[0].path.parent}: " if split.shards else ""
            raise TrainerError(
                f"{folder}split {split.name!r} has {split.tokens} tokens, but one target takes two; "
                f"run the pipeline on more text, or for a validation split with a larger tokenize.validation_share"
            )
        self.split = split
        self.length = length
        self._delimiter = split.shards[0].meta.delimiter_id
        self._vocabulary_size = split.shards[0].meta.vocabulary_size
        self._descriptors_S = np.array([shard.descriptor for shard in split.shards], dtype=np.int32)
        self._first_bytes_S = np.array([shard.first_byte for shard in split.shards], dtype=np.int64)

    def __len__(self) -> int:
        return -(-(self.split.tokens - 1) // self.length)

    def read(self, index: int) -> Window:
        """Return window `index`. Raises as `fill` does."""
        inputs_NT, targets_NT, starts_NT = self.read_many([index])
        return Window(inputs_NT[0], targets_NT[0], starts_NT[0], index * self.length)

    def read_many(
        self, indices: Sequence[int] | npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Return the windows `indices`, in order: inputs_NT, targets_NT and starts_NT, as in `Window`. Raises as `fill` does."""
        indices_N = np.asarray(indices, dtype=np.int64)
        shape = len(indices_N), self.length
        arrays = np.empty(shape, np.int64), np.empty(shape, np.int64), np.empty(shape, np.int32)
        self.fill(*arrays, np.arange(len(indices_N)), indices_N)
        return arrays

    def fill(
        self,
        inputs_RT: npt.NDArray[np.int64],
        targets_RT: npt.NDArray[np.int64],
        starts_RT: npt.NDArray[np.int32],
        rows_N: npt.NDArray[np.int64],
        indices_N: npt.NDArray[np.int64],
    ) -> None:
        """Write window `indices_N[i]` to row `rows_N[i]` of the three arrays, and leave their other rows unchanged.

        The rows must be in range(R). Raises IndexError for a window that does not exist, and TrainerError for a shard that can no
        longer be read or has an id outside its vocabulary.
        """
        if not inputs_RT.shape == targets_RT.shape == starts_RT.shape == (len(inputs_RT), self.length):
            raise ValueError(f"arrays of shape {inputs_RT.shape} for windows of {self.length} tokens")
        tokens = np.empty(self.length + 1, self.split.dtype)
        arrays = self._descriptors_S, self._first_bytes_S, self.split.first_tokens, tokens, inputs_RT, targets_RT, starts_RT
        done = 0
        while (done := _fill(rows_N, indices_N, done, self._delimiter, PADDING, IGNORE, *arrays)) < len(indices_N):
            self._explain(int(indices_N[done]))
        if len(rows_N) and max(int(inputs_RT[rows_N].max()), int(targets_RT[rows_N].max())) >= self._vocabulary_size:
            for index in indices_N.tolist():
                self._check_ids(index)

    def _check_ids(self, index: int) -> None:
        """Raise TrainerError that names the shard of window `index` if it has an id outside the vocabulary."""
        position = index * self.length
        for shard, _, low, high in self.split.within(position, min(position + self.length + 1, self.split.tokens)):
            largest = int(shard.tokens[low:high].max())
            if largest >= self._vocabulary_size:
                raise TrainerError(
                    f"{shard.path}: token {largest} is outside the vocabulary of {self._vocabulary_size} ids: the shard is "
                    "damaged; copy it again, or delete it and run the pipeline again; --verify finds all such shards"
                )

    def _explain(self, index: int) -> None:
        """Raise the error of window `index`, or return for a read that a signal cut short, which is tried again."""
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
                raise TrainerError(
                    f"{shard.path}: ends before byte {offset + size}; it was truncated while in use, copy it again"
                )


@njit(nogil=True)
def _read(
    descriptors_S: npt.NDArray[np.int32],
    first_bytes_S: npt.NDArray[np.int64],
    first_tokens_S: npt.NDArray[np.int64],
    position: int,
    tokens: npt.NDArray[Any],
) -> bool:
    """Read the tokens from `position` on into `tokens`, across shards; return whether all could be read."""
    size = tokens.itemsize
    shard, after = 0, len(descriptors_S)
    while after - shard > 1:
        middle = (shard + after) // 2
        if first_tokens_S[middle] <= position:
            shard = middle
        else:
            after = middle
    found = 0
    while found < len(tokens):
        low = position + found
        count = min(len(tokens) - found, first_tokens_S[shard + 1] - low)
        offset = first_bytes_S[shard] + (low - first_tokens_S[shard]) * size
        if _pread(descriptors_S[shard], tokens[found:].ctypes, count * size, offset) != count * size:
            return False
        found += count
        shard += 1
    return True


@njit(nogil=True)
def _fill(
    rows_N: npt.NDArray[np.int64],
    indices_N: npt.NDArray[np.int64],
    done: int,
    delimiter: int,
    padding: int,
    ignore: int,
    descriptors_S: npt.NDArray[np.int32],
    first_bytes_S: npt.NDArray[np.int64],
    first_tokens_S: npt.NDArray[np.int64],
    tokens: npt.NDArray[Any],
    inputs_RT: npt.NDArray[np.int64],
    targets_RT: npt.NDArray[np.int64],
    starts_RT: npt.NDArray[np.int32],
) -> int:
    """Fill rows as `Windows.fill` describes, from window `done` on; return how many are done, all or up to an unreadable one.

    first_tokens_S: followed by the end of the split, S + 1 numbers. tokens: a buffer for the T + 1 stored tokens of a window.
    padding and ignore are arguments because compiled code is reused when a constant of another file changes.
    """
    length = inputs_RT.shape[1]
    end = first_tokens_S[-1]
    windows = (end - 2) // length + 1
    for n in range(done, len(indices_N)):
        if not 0 <= indices_N[n] < windows:
            return n
        position = indices_N[n] * length
        wanted = min(length + 1, end - position)
        if not _read(descriptors_S, first_bytes_S, first_tokens_S, position, tokens[:wanted]):
            return n
        inputs_T, targets_T, starts_T = inputs_RT[rows_N[n]], targets_RT[rows_N[n]], starts_RT[rows_N[n]]
        targets = wanted - 1
        for t in range(targets):
            inputs_T[t] = tokens[t]
        for t in range(targets):
            targets_T[t] = tokens[t + 1]
        start = np.int32(0)
        for t in range(targets):
            if tokens[t] == delimiter:
                start = np.int32(t)
            starts_T[t] = start
        for t in range(targets, length):
            inputs_T[t] = padding
            targets_T[t] = ignore
            starts_T[t] = targets
    return len(indices_N)
