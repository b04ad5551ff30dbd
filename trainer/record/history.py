"""Which sequences each step of a run trained on: `RUN/stretches.jsonl`, one line per start of the program.

The order of the data (`trainer.data.order`) maps sequence numbers to windows. It does not know steps, because the batch size may
change at each resume. So each start of the program on a run adds a line, a stretch: its first step and sequence, the batch size,
the planned end, and the order of the sources. Within a stretch, steps and sequences follow from each other by arithmetic, so a
step is found without reading a row per step. This module does not import torch, so questions about a run are answered fast.

A resumed run goes back to its checkpoint; stretches that begin at that step or later are dropped, so the file describes what the
parameters were trained on. Folders are stored as absolute paths with their fingerprints: the fingerprint identifies the tokens,
the path is where to look first.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.files import write_text
from trainer.data.order import Dataset, Order
from trainer.errors import TrainerError

Numbers = npt.NDArray[np.int64]

STRETCHES_FILE = "stretches.jsonl"
_REMEDY = "copy the file again, or remove it: the record then begins where the run is resumed"


@dataclass(frozen=True)
class TrainedSource:
    """A source as it was trained on. folder: of its token shards. windows, weight: as in `order.Dataset`."""

    folder: str
    fingerprint: str
    windows: int
    weight: float


@dataclass(frozen=True)
class Stretch:
    """The steps from one start of the program on.

    step, sequences: numbers completed before it. end: planned sequences of the whole run. batch_size: sequences per step, over
    all ranks.
    """

    step: int
    sequences: int
    end: int
    batch_size: int
    seed: int
    context_length: int
    sources: tuple[TrainedSource, ...]

    def order(self) -> Order:
        """Return the order of the data in this stretch."""
        return Order([Dataset(source.folder, source.windows, source.weight) for source in self.sources], self.seed)


def record_stretch(run: Path, stretch: Stretch) -> None:
    """Record `stretch` in place of all that was recorded from its step on, atomically.

    Raises TrainerError if the file cannot be written or is damaged.
    """
    path = run / STRETCHES_FILE
    kept = [earlier for earlier in _read(path) if earlier.step < stretch.step] if path.exists() else []
    try:
        write_text(path, "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in (*kept, stretch)))
    except OSError as error:
        raise TrainerError(f"{path}: cannot be written ({error.strerror}); free disk space, then use --resume") from error


def _read(path: Path) -> list[Stretch]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise TrainerError(
            f"{path} is missing: {path.parent} is not the folder of a run, or a version that kept no record of steps "
            "trained it; give the folder of a run"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise TrainerError(f"{path}: cannot be read ({error}); copy it again") from error
    stretches = []
    for number, line in enumerate(lines, start=1):
        try:
            content: dict[str, Any] = json.loads(line)
            sources = tuple(TrainedSource(**source) for source in content.pop("sources"))
            stretches.append(Stretch(**content, sources=sources))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise TrainerError(f"{path}: line {number} is not a stretch of a run ({error!r}); {_REMEDY}") from error
    if not stretches:
        raise TrainerError(f"{path}: is empty; {_REMEDY}")
    return stretches


class History:
    """The steps of a run, completed or planned by its last start. Steps count from 1, as in the metrics.

    Sequences and sources are those of `trainer.data.order`. If the beginning of a run was not recorded, `first_step` is above 1.
    """

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = tuple(stretches)
        orders = {stretch.sources: stretch.order() for stretch in stretches}
        self._orders = [orders[stretch.sources] for stretch in stretches]
        self._first_steps = np.array([stretch.step for stretch in stretches], dtype=np.int64)
        self._first_sequences = np.array([stretch.sequences for stretch in stretches], dtype=np.int64)
        last = stretches[-1]
        # A run resumed with an end that it has already passed takes no more steps.
        self.end = max(last.end, last.sequences)
        self.first_step = stretches[0].step + 1
        self.steps = last.step - (last.sequences - self.end) // last.batch_size
        self.sources = last.sources
        self.context_length = last.context_length

    @classmethod
    def read(cls, run: Path) -> "History":
        """Return the history of the run in the folder `run`. Raises TrainerError if it is missing or damaged."""
        return cls(_read(run / STRETCHES_FILE))

    def sequences(self, step: int) -> range:
        """Return the sequence numbers of a step. Raises TrainerError for a step that the run does not have."""
        if not self.first_step <= step <= self.steps:
            before = "; the earlier ones were not recorded" if self.first_step > 1 else ""
            raise TrainerError(f"step {step}: the run has the steps {self.first_step:,} to {self.steps:,}{before}")
        index = int(np.searchsorted(self._first_steps, step)) - 1
        stretch, stop = self._stretches[index], self._stop(index)
        start = stretch.sequences + (step - 1 - stretch.step) * stretch.batch_size
        return range(start, min(start + stretch.batch_size, stop))

    def steps_of(self, sequences_N: Numbers) -> Numbers:
        """Return the step that trains each sequence, int64 (N,). Sequences must be in the recorded part of the run."""
        indices_N = np.searchsorted(self._first_sequences, sequences_N, side="right") - 1
        batches = np.array([stretch.batch_size for stretch in self._stretches], dtype=np.int64)
        steps_N: Numbers = (sequences_N - self._first_sequences[indices_N]) // batches[indices_N]
        return self._first_steps[indices_N] + 1 + steps_N

    def steps_done(self, sequences: int) -> int:
        """Return how many whole steps a run has completed after `sequences` sequences."""
        if sequences >= self.end:
            return self.steps
        return int(self.steps_of(np.array([max(sequences, int(self._first_sequences[0]))]))[0]) - 1

    def windows(self, step: int) -> tuple[Numbers, Numbers, Numbers]:
        """Return the sources, windows and epochs of the sequences of a step, as `Order.many` does."""
        sequences = self.sequences(step)
        index = int(np.searchsorted(self._first_steps, step)) - 1
        return self._orders[index].many(sequences.start, sequences.stop)

    def places_of(self, source: int, windows_N: Numbers) -> tuple[Numbers, Numbers]:
        """Return the positions of `windows_N` of `source` in the whole run, as `Order.places_of` does."""
        found = [np.empty((2, 0), np.int64)]
        for order, indices in itertools.groupby(range(len(self._orders)), key=self._orders.__getitem__):
            members = list(indices)
            start, stop = self._stretches[members[0]].sequences, self._stop(members[-1])
            found.append(np.stack(order.places_of(source, windows_N, start, stop)))
        rows_M, sequences_M = np.concatenate(found, axis=1)
        return rows_M, sequences_M

    def _stop(self, index: int) -> int:
        return self._stretches[index + 1].sequences if index + 1 < len(self._stretches) else self.end
