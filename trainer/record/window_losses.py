"""The loss of every window that a run was trained on: `RUN/window_losses.f32`, four bytes each.

Every sequence number is trained on once, so that the file is an array over them: the little-endian float32 at byte 4 g is the
mean loss, in nats a target, of sequence g in the step that it was trained in, with dropout, before that step's update. It is
the same file whatever the batch, the ranks and the way that a step was cut, and a step's rows are found by their place.

A run that is resumed goes back to its checkpoint: what lies behind is cut off and written again, the same to the bit. NaN
is what is not known: a loss that was not a number, or one that a power cut took from the disk or an earlier version did not
write. A killed process leaves at most one number torn, which does not count.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from trainer.errors import TrainerError

LOSSES_FILE = "window_losses.f32"
_LOSS = np.dtype("<f4")
# Sequences whose losses were lost are filled in pieces of 4 MiB, so that a long run costs no memory.
_PIECE = 2**20


class WindowLosses:
    """The file of one run, open at its end. One process of a run has it."""

    def __init__(self, run: Path, sequences: int) -> None:
        """Open the file in the folder `run`, which exists, to go on after `sequences` sequences.

        Raises TrainerError when it cannot be written.
        """
        self.path = run / LOSSES_FILE
        self.sequences = sequences
        try:
            # Unbuffered: a step is one write, and what is written outlives the process.
            self._stream = self.path.open("ab", buffering=0)
            kept = min(self._stream.tell() // _LOSS.itemsize, sequences)
            self._stream.truncate(kept * _LOSS.itemsize)
            for start in range(kept, sequences, _PIECE):
                self._write(np.full(min(_PIECE, sequences - start), np.nan, _LOSS))
        except OSError as error:
            raise self._unwritable(error.strerror) from error

    def append(self, losses_N: np.ndarray) -> None:
        """Add the losses of the next N sequences, float32 (N,). Raises TrainerError when they cannot be written."""
        try:
            self._write(losses_N.astype(_LOSS))
        except OSError as error:
            raise self._unwritable(error.strerror) from error
        self.sequences += len(losses_N)

    def close(self) -> None:
        """End the file."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _write(self, losses_N: np.ndarray) -> None:
        content = losses_N.tobytes()
        written = self._stream.write(content)
        if written != len(content):
            raise self._unwritable(f"{written} of {len(content)} bytes written")

    def _unwritable(self, reason: object) -> TrainerError:
        return TrainerError(f"{self.path}: cannot be written ({reason}); make room, then go on with --resume")


def recorded_sequences(run: Path) -> int:
    """How many sequences the run has behind it, whole numbers alone; 0 without a file."""
    path = run / LOSSES_FILE
    return path.stat().st_size // _LOSS.itemsize if path.exists() else 0


def read_losses(run: Path, sequences_N: np.ndarray) -> np.ndarray:
    """The losses of the sequences, float32 (N,), NaN for those that are not known or not trained on yet.

    Only the pages that hold them are read. Raises TrainerError when the file cannot be read.
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
