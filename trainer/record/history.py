"""Which sequences a step of a run is: `RUN/stretches.jsonl`, from which the order of the whole run follows.

The order of the data (`order`) says which window is sequence number g; it does not know steps, as the batch may be another
after each resume. So the run's folder has a line for each time that the program was started on it: from which step and
sequence on, in batches of which size, up to which end, in which order of which sources. Between two starts, steps and
sequences follow from each other by arithmetic, so that a step of a run of any length is found without reading one row a
step. Nothing of torch is imported here: who asks about a run need not wait for it.

A run that is resumed goes back to its checkpoint; lines that begin at that step or later are dropped, so that the file
holds what the parameters were made of. Folders stand in it as absolute paths, fingerprints beside them: the fingerprint
decides which tokens are meant, the path is where to look first.
"""

import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data.order import Dataset, Order
from trainer.errors import TrainerError

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
    """The steps from one start of the program on. step, sequences: how many were behind it. end: the sequences of the whole
    run, as planned then. batch_size: sequences of a step, over all ranks."""

    step: int
    sequences: int
    end: int
    batch_size: int
    seed: int
    context_length: int
    sources: tuple[TrainedSource, ...]

    def order(self) -> Order:
        """The order of the data in this stretch."""
        return Order([Dataset(source.folder, source.windows, source.weight) for source in self.sources], self.seed)


def record_stretch(run: Path, stretch: Stretch) -> None:
    """Write that the program goes on with `stretch`, in place of what was recorded from its step on, at once and safe from a
    crash. Raises TrainerError when the file cannot be written or is damaged."""
    path = run / STRETCHES_FILE
    kept = [earlier for earlier in _read(path) if earlier.step < stretch.step] if path.exists() else []
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in (*kept, stretch))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise TrainerError(f"{path}: cannot be written ({error.strerror}); make room, then go on with --resume") from error
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> list[Stretch]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise TrainerError(
            f"{path} is missing: {path.parent} is no folder of a run, or was last trained by a version that kept no record of "
            "its steps; give the folder of a run"
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
            raise TrainerError(f"{path}: line {number} is no stretch of a run ({error!r}); {_REMEDY}") from error
    if not stretches:
        raise TrainerError(f"{path}: is empty; {_REMEDY}")
    return stretches


class History:
    """The steps of a run, those behind it and those that its last start planned. Steps count from 1, as in the metrics.

    Sequences and places are those of `order`. A run whose beginning was not recorded has a `first_step` above 1.
    """

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = tuple(stretches)
        orders = {stretch.sources: stretch.order() for stretch in stretches}
        self._orders = [orders[stretch.sources] for stretch in stretches]
        self._first_steps = np.array([stretch.step for stretch in stretches], dtype=np.int64)
        self._first_sequences = np.array([stretch.sequences for stretch in stretches], dtype=np.int64)
        last = stretches[-1]
        # A run that was resumed with an end that lies behind it takes no step more.
        self.end = max(last.end, last.sequences)
        self.first_step = stretches[0].step + 1
        self.steps = last.step - (last.sequences - self.end) // last.batch_size
        self.sources = last.sources
        self.context_length = last.context_length

    @classmethod
    def read(cls, run: Path) -> "History":
        """The history of the run in the folder `run`. Raises TrainerError."""
        return cls(_read(run / STRETCHES_FILE))

    def sequences(self, step: int) -> range:
        """The sequence numbers of a step. Raises TrainerError for one that the run has not."""
        if not self.first_step <= step <= self.steps:
            before = "; of the steps before them no record was kept" if self.first_step > 1 else ""
            raise TrainerError(f"step {step}: the run has the steps {self.first_step:,} to {self.steps:,}{before}")
        index = int(np.searchsorted(self._first_steps, step)) - 1
        stretch, stop = self._stretches[index], self._stop(index)
        start = stretch.sequences + (step - 1 - stretch.step) * stretch.batch_size
        return range(start, min(start + stretch.batch_size, stop))

    def steps_of(self, sequences_N: np.ndarray) -> np.ndarray:
        """The step that each of the sequences is trained in, int64 (N,); they must lie between the run's first and `end`."""
        indices_N = np.searchsorted(self._first_sequences, sequences_N, side="right") - 1
        batches = np.array([stretch.batch_size for stretch in self._stretches], dtype=np.int64)
        return self._first_steps[indices_N] + 1 + (sequences_N - self._first_sequences[indices_N]) // batches[indices_N]

    def steps_done(self, sequences: int) -> int:
        """How many steps are behind a run that has consumed `sequences` sequences; one that is not whole does not count."""
        if sequences >= self.end:
            return self.steps
        return int(self.steps_of(np.array([max(sequences, int(self._first_sequences[0]))]))[0]) - 1

    def windows(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The sources, windows and epochs of the sequences of a step, as `Order.many` gives them."""
        sequences = self.sequences(step)
        index = int(np.searchsorted(self._first_steps, step)) - 1
        return self._orders[index].many(sequences.start, sequences.stop)

    def places_of(self, source: int, windows_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where `windows_N` of `source` stand in the whole run, as `Order.places_of` gives it."""
        found = [np.empty((2, 0), np.int64)]
        for order, indices in itertools.groupby(range(len(self._orders)), key=self._orders.__getitem__):
            members = list(indices)
            start, stop = self._stretches[members[0]].sequences, self._stop(members[-1])
            found.append(np.stack(order.places_of(source, windows_N, start, stop)))
        rows_M, sequences_M = np.concatenate(found, axis=1)
        return rows_M, sequences_M

    def _stop(self, index: int) -> int:
        return self._stretches[index + 1].sequences if index + 1 < len(self._stretches) else self.end
