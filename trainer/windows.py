"""A split's token stream cut into windows of one length, in which each target occurs exactly once.

Window i of a split of N tokens reads the T + 1 tokens from iT on: T inputs and, one to the right, their T targets, so that
neighbours share a token and ceil((N - 1) / T) windows hold each of the N - 1 targets once. The stream runs across shards;
no tail of a document, a shard or the split is lost, and no document is dropped for its length. Only the last window may be
short of targets, and is padded.

Where documents begin is seen from the delimiter in the tokens at hand, which the token store keeps for the first token of
each document and refuses anywhere else. A look into the shard's offsets says the same, but fetches pages of its own.

Shapes: N windows, T window length, T1 = T + 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.cross_entropy import IGNORE
from pipeline.token_dataset import TokenSplit
from trainer.errors import TrainerError

# What stands where the split has no more tokens. Id 0 is in every vocabulary, and nothing is learned from it: its target
# is IGNORE, and it is in a document of its own, so that no other token attends to it.
PADDING = 0


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
        self._shards = [(shard.tokens, first) for shard, first in zip(split.shards, split.first_tokens.tolist(), strict=False)]

    def __len__(self) -> int:
        return -(-(self.split.tokens - 1) // self.length)

    def read(self, index: int) -> Window:
        """Window `index`; raises IndexError for one that there is not."""
        inputs_NT, targets_NT, starts_NT = self.read_many([index])
        return Window(inputs_NT[0], targets_NT[0], starts_NT[0], index * self.length)

    def read_many(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The windows `indices`, in that order: inputs_NT, targets_NT and starts_NT, as in `Window`.

        Raises IndexError for a window that there is not.
        """
        indices_N = np.asarray(indices, dtype=np.int64)
        tokens_NT1 = self._tokens(indices_N)
        inputs_NT, targets_NT = tokens_NT1[:, :-1].astype(np.int64), tokens_NT1[:, 1:].astype(np.int64)
        begins_NT = tokens_NT1[:, :-1] == self._delimiter
        begins_NT[:, 0] = True
        targets_of_last = self.split.tokens - 1 - (len(self) - 1) * self.length
        if targets_of_last < self.length:
            last = indices_N == len(self) - 1
            inputs_NT[last, targets_of_last:] = PADDING
            targets_NT[last, targets_of_last:] = IGNORE
            begins_NT[last, targets_of_last:] = False
            begins_NT[last, targets_of_last] = True
        begins = np.flatnonzero(begins_NT)
        starts = np.repeat((begins % self.length).astype(np.int32), np.diff(begins, append=begins_NT.size))
        return inputs_NT, targets_NT, starts.reshape(inputs_NT.shape)

    def _tokens(self, indices_N: np.ndarray) -> np.ndarray:
        """The tokens of each window as they are stored, zeros where the split has no more."""
        if indices_N.size and (indices_N.min() < 0 or indices_N.max() >= len(self)):
            raise IndexError(f"windows {indices_N.min()} to {indices_N.max()}; split {self.split.name} has {len(self)}")
        positions_N = indices_N * self.length
        shards_N = np.searchsorted(self.split.first_tokens, positions_N, side="right") - 1
        tokens_NT1 = np.zeros((len(indices_N), self.length + 1), self.split.dtype)
        for row, position, shard in zip(tokens_NT1, positions_N.tolist(), shards_N.tolist(), strict=True):
            tokens, first = self._shards[shard]
            # Nearly all windows lie in one shard, and one slice of it is several times faster than the split's `read`.
            found = tokens[position - first : position - first + len(row)]
            if len(found) < len(row):
                found = self.split.read(position, min(position + len(row), self.split.tokens))
            row[: len(found)] = found
        return tokens_NT1
