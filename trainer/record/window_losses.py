"""The loss of every window that a run was trained on: `RUN/window_losses.f32`, four bytes each.

Every sequence number is trained on once, so the file is an array over them: the little-endian float32 at byte 4 g is the mean
loss, in nats per target, of sequence g in the step that trained it, with dropout, before that step's update. The file does not
depend on the batch, the ranks or the micro-batches, and a step's rows are found by their position.

A resumed run goes back to its checkpoint: later losses are cut off and written again, bit for bit the same. NaN stands for an
unknown loss: one that was not a number, was lost in a power cut, or was not recorded by an earlier version. A killed process
leaves at most one incomplete number, which is ignored.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from trainer.errors import TrainerError

LOSSES_FILE = "window_losses.f32"
_LOSS = np.dtype("<f4")
# Lost losses are filled with NaN in pieces of 4 MiB, so that a long run needs no memory for it.
FILL_PIECE = 2**20


class WindowLosses:
    """The file of one run, open for appending. Only one process of a run may have it."""

    def __init__(self, run: Path, sequences: int) -> None:
        """Open the file in the existing folder `run` to continue after `sequences` sequences.

        Raises TrainerError if it cannot be written.
        """
        self.path = run / LOSSES_FILE
        self.sequences = sequences
        try:
            # Unbuffered: a step is one write, which survives if the process is killed.
            self._stream = self.path.open("ab", buffering=0)
            kept = min(self._stream.tell() // _LOSS.itemsize, sequences)
            self._stream.truncate(kept * _LOSS.itemsize)
            for start in range(kept, sequences, FILL_PIECE):
                self._write(np.full(min(FILL_PIECE, sequences - start), np.nan, _LOSS))
        except OSError as error:
            raise self._unwritable(error.strerror) from error

    def append(self, losses_N: npt.NDArray[np.float32]) -> None:
        """Append the losses of the next N sequences. Raises TrainerError if they cannot be written."""
        try:
            self._write(losses_N.astype(_LOSS))
        except OSError as error:
            raise self._unwritable(error.strerror) from error
        self.sequences += len(losses_N)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _write(self, losses_N: npt.NDArray[np.float32]) -> None:
        content = losses_N.tobytes()
        written = self._stream.write(content)
        if written != len(content):
            raise self._unwritable(f"{written} of {len(content)} bytes written")

    def _unwritable(self, reason: object) -> TrainerError:
        return TrainerError(f"{self.path}: cannot be written ({reason}); free disk space, then use --resume")


def recorded_sequences(run: Path) -> int:
    """Return how many sequences have a complete loss in the file; 0 without a file."""
    path = run / LOSSES_FILE
    return path.stat().st_size // _LOSS.itemsize if path.exists() else 0


def read_losses(run: Path, sequences_N: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the losses of the sequences, float32 (N,), NaN for those that are unknown or not trained on yet.

    Only the pages that hold them are read. Raises TrainerError if the file cannot be read.
    """
    losses_N = np.full(len(sequences_N), np.nan, np.float32)
    count = recorded_sequences(run)
    if count:
        try:
            stored = np.memmap(run / LOSSES_FILE, _LOSS, mode="r", shape=(count,))
        except OSError as error:
            raise TrainerError(f"{run / LOSSES_FILE}: cannot be read ({error.strerror}); copy it again") from error
        known = np.flatnonzero(sequences_N < count)
        losses_N[known] = stored[sequences_N[known]]
    return losses_N
