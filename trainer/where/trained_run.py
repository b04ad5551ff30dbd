"""Which steps of a run trained on a document, and which documents a step was trained on.

Everything is computed from the run's folder and its token shards: a document's tokens determine windows, the windows' positions
in the order of the data are sequence numbers, and these determine steps. Nothing that grows with the length of the run is
scanned, so answers take as long for a run of a year as for one of a minute.

Shapes: N requested documents, P pairs of a document and a window, M positions in the order of the data.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainer.errors import TrainerError
from trainer.record.history import History
from trainer.record.window_losses import read_losses, recorded_sequences
from trainer.where.documents import FoundSource, Passage, document_spans, find_sources, passages, windows_of_spans

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainedWindow:
    """A window of a step.

    source: its index in the run. epoch: epochs of the source before. loss: mean nats per target in that step, NaN if unknown.
    passages: what it reads of which documents; None if that is no longer known.
    """

    sequence: int
    source: int
    window: int
    epoch: int
    loss: float
    passages: list[Passage] | None


@dataclass(frozen=True, eq=False)
class Sightings:
    """All positions of the run, completed or planned, at which documents are read; int64 (M,).

    Within a source, they are in the order of the sequences. documents_M: index among the requested ids. steps_M: the step that
    trains the sequence.
    """

    documents_M: Numbers
    sources_M: Numbers
    windows_M: Numbers
    sequences_M: Numbers
    steps_M: Numbers


@dataclass(frozen=True)
class SeenDocument:
    """How often a run reads a document.

    times: windows with tokens of it so far, in steps from `first_step` to `last_step` (None if `times` is 0). planned: such
    windows in the whole run.
    """

    run: Path
    doc_id: str
    times: int
    planned: int
    first_step: int | None
    last_step: int | None


class TrainedRun:
    """The run in a folder: its history, its progress, and the documents of its shards as far as they are still known."""

    def __init__(self, folder: Path, corpora: Sequence[Path] = ()) -> None:
        """corpora: current folders of the corpora, if they have moved.

        Raises TrainerError for a folder that is not a run, and for a corpus that has no tokens of the run.
        """
        self.folder = folder
        self.history = History.read(folder)
        self.steps_done = self.history.steps_done(recorded_sequences(folder))
        self.sources: list[FoundSource] = find_sources(self.history.sources, corpora)

    def step(self, step: int) -> list[TrainedWindow]:
        """Return the windows of a step, one per sequence. Raises TrainerError for a step that the run does not have."""
        sequences = self.history.sequences(step)
        columns = (column.tolist() for column in self.history.windows(step))
        losses_N = read_losses(self.folder, np.arange(sequences.start, sequences.stop))
        windows = []
        for sequence, source, window, epoch, loss in zip(sequences, *columns, losses_N.tolist(), strict=True):
            index = self.sources[source].index
            length = self.history.context_length
            read = None if index is None else passages(index.splits["train"], window, length)
            windows.append(TrainedWindow(sequence, source, window, epoch, loss, read))
        return windows

    def sightings(self, doc_ids: Sequence[str]) -> Sightings:
        """Return all positions at which the documents are read, in the sources whose documents are known.

        Ids that these sources do not have are not read. Raises TrainerError for shards that are not in the order of their ids.
        """
        found = [np.empty((5, 0), np.int64)]
        for index, source in enumerate(self.sources):
            if source.index is not None:
                begins_N, ends_N = document_spans(source.index, "train", doc_ids)
                tokens = source.index.splits["train"].tokens
                documents_P, windows_P = windows_of_spans(begins_N, ends_N, tokens, self.history.context_length)
                found.append(self._places(index, documents_P, windows_P))
        return Sightings(*np.concatenate(found, axis=1))

    def _places(self, source: int, documents_P: Numbers, windows_P: Numbers) -> Numbers:
        """Return the columns of `Sightings` for these pairs, int64 (5, M).

        Neighbouring documents share windows, and each window is searched once.
        """
        windows_W, inverse_P = np.unique(windows_P, return_inverse=True)
        rows_M, sequences_M = self.history.places_of(source, windows_W)
        steps_M = self.history.steps_of(sequences_M)
        by_window = np.argsort(inverse_P, kind="stable")
        counts_W = np.bincount(inverse_P, minlength=len(windows_W))
        firsts_W = np.cumsum(counts_W) - counts_W
        counts_M = counts_W[rows_M]
        # For each position, all pairs of its window.
        places = np.repeat(np.arange(len(rows_M)), counts_M)
        nth = np.arange(len(places)) - np.repeat(np.cumsum(counts_M) - counts_M, counts_M)
        pairs = by_window[firsts_W[rows_M[places]] + nth]
        sources = np.full(len(places), source)
        return np.stack([documents_P[pairs], sources, windows_P[pairs], sequences_M[places], steps_M[places]])


def runs_that_saw(folders: Iterable[Path], doc_ids: Sequence[str]) -> list[SeenDocument]:
    """Return how often each run has read, or will read, each of the documents: run by run, in the order of `doc_ids`.

    Documents that a run does not read are left out. Raises TrainerError for a folder that is not a run, and for a run with
    shards whose documents are no longer known.
    """
    seen = []
    for folder in folders:
        run = TrainedRun(folder)
        missing = [source.missing for source in run.sources if source.missing is not None]
        if missing:
            raise TrainerError(f"{folder}: {missing[0]}")
        sightings = run.sightings(doc_ids)
        done_M = sightings.steps_M <= run.steps_done
        done = sightings.documents_M[done_M]
        planned_N = np.bincount(sightings.documents_M, minlength=len(doc_ids))
        times_N = np.bincount(done, minlength=len(doc_ids))
        first_N, last_N = np.full(len(doc_ids), np.iinfo(np.int64).max), np.zeros(len(doc_ids), np.int64)
        np.minimum.at(first_N, done, sightings.steps_M[done_M])
        np.maximum.at(last_N, done, sightings.steps_M[done_M])
        for index in np.flatnonzero(planned_N).tolist():
            times = int(times_N[index])
            ends = (int(first_N[index]), int(last_N[index])) if times else (None, None)
            seen.append(SeenDocument(folder, doc_ids[index], times, int(planned_N[index]), *ends))
    return seen
