"""The answers of `trainer.where` as plain mappings, one per window, document or spike: the objects of its JSON.

A document has `doc_id` and, if a ledger knows it, `url`, `host`, `date`, `warc_file`, `warc_offset` and `taken_down`: null, or
when, why and by whom removal of the page was requested. What cannot be found out becomes a note, and the rest is answered.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipeline.corpus.ledger import FILE_NAME
from trainer.errors import TrainerError
from trainer.record.metrics import read_metrics
from trainer.record.window_losses import read_losses
from trainer.where.documents import document_spans
from trainer.where.pages import REMOVALS, Fate, Page, Pages
from trainer.where.spikes import AT_LEAST, spikes
from trainer.where.trained_run import TrainedRun, TrainedWindow

# Windows shown per spike: enough to see whether one page stands out; --step shows all.
WORST = 3

_DOC_ID = re.compile("[0-9a-f]{32}")

Answer = dict[str, Any]
T = TypeVar("T")


class Answers:
    """Answers questions about one run. `notes` collects what could not be found out, as sentences."""

    def __init__(self, run: TrainedRun, corpora: Sequence[Path]) -> None:
        """corpora: current folders of the run's corpora, if they have moved."""
        self._run = run
        self.notes = [source.missing for source in run.sources if source.missing is not None]
        self._ledgers = self._find_ledgers(corpora)

    def step(self, step: int) -> list[Answer]:
        """Return the windows of a step, in order. Raises TrainerError for a step that the run does not have."""
        return self._windows([(step, window) for window in self._run.step(step)])

    def document(self, doc_id: str) -> list[Answer]:
        """Return the document, with every position at which training reads it. Raises TrainerError, with the reason, if none."""
        if not _DOC_ID.fullmatch(doc_id):
            raise TrainerError(f"{doc_id!r} is not a doc_id, which has 32 lower-case hex digits; --url finds a page by its URL")
        return self._documents(self._read(doc_id, [doc_id], self._fates("doc_id", doc_id)))

    def page(self, url: str) -> list[Answer]:
        """Return the documents of the page with this URL, one for each time it was crawled. Raises as `document` does."""
        fates = self._fates("url", url)
        if not fates:
            known = [nearest for nearest in self._ask(lambda pages: pages.nearest_url(url)) if nearest is not None]
            asked = "no ledger could be read" if not self._ledgers else "no corpus of the run has this URL"
            raise TrainerError(f"{url}: {asked}{f'; the nearest is {known[0]}' if known else ''}{self._unasked()}")
        return self._documents(self._read(url, [fate.doc_id for fate in fates], fates))

    def spikes(self) -> list[Answer]:
        """Return the unusual values, each with the step's windows of highest loss; unknown losses come first."""
        rows = read_metrics(self._run.folder)
        recorded = sum(row.get("kind") == "train" for row in rows)
        if recorded <= AT_LEAST:
            self.notes.append(f"only {recorded} steps are recorded; a step is compared with at least {AT_LEAST} earlier ones")
        found = spikes(rows)
        steps = sorted({spike.step for spike in found if spike.step >= self._run.history.first_step})
        by_step: dict[int, list[Answer]] = defaultdict(list)
        for window in self._windows([(step, window) for step in steps for window in _worst(self._run.step(step))]):
            by_step[window["step"]].append(window)
        return [{**asdict(spike), "windows": by_step[spike.step]} for spike in found]

    def _fates(self, column: str, value: str) -> list[Fate]:
        return [fate for found in self._ask(lambda pages: pages.fates(column, value)) for fate in found]

    def _read(self, asked: str, doc_ids: Sequence[str], fates: Sequence[Fate]) -> list[str]:
        """Return those of the documents that training reads, and note why it does not read the others.

        If it reads none of them, return the near-duplicates that dedup kept in their place, if it reads these.

        Raises TrainerError with the reasons if it reads none.
        """
        indices = [source.index for source in self._run.sources if source.index is not None]
        if not indices:
            raise TrainerError(f"{asked}: {self.notes[0]}")

        def inside(split: str, doc_id: str) -> bool:
            own = [index for index in indices if split in index.splits]
            return any(document_spans(index, split, [doc_id])[0][0] >= 0 for index in own)

        distinct = list(dict.fromkeys(doc_ids))
        read = [doc_id for doc_id in distinct if inside("train", doc_id)]
        # A take-down is part of the page's own answer.
        dropped = [fate for fate in fates if not fate.kept and not (fate.doc_id in read and fate.stage == REMOVALS)]
        reasons = [f"{fate}{', after the run had started' if fate.doc_id in read else ''}" for fate in dropped]
        copies = list(dict.fromkeys(fate.survivor for fate in dropped if fate.survivor and not read))
        copies = [doc_id for doc_id in copies if inside("train", doc_id)]
        if read or copies:
            self.notes += reasons + [f"shown is the copy that training reads, {doc_id}" for doc_id in copies]
            return read or copies
        validating = [doc_id for doc_id in distinct if inside("val", doc_id)]
        reasons += [f"{doc_id} is in the validation split, which training does not read" for doc_id in validating]
        reasons = reasons or [f"it has no document among the tokens that the run was trained on{self._unasked()}"]
        reason = "; ".join(reasons)
        raise TrainerError(reason if asked in reason else f"{asked}: {reason}")

    def _unasked(self) -> str:
        return f" ({'; '.join(self.notes)})" if self.notes else ""

    def _documents(self, doc_ids: Sequence[str]) -> list[Answer]:
        run = self._run
        sightings = run.sightings(doc_ids)
        losses_M = read_losses(run.folder, sightings.sequences_M)
        known = self._pages(doc_ids)
        answers = []
        for index, doc_id in enumerate(doc_ids):
            rows = np.flatnonzero(sightings.documents_M == index)
            rows = rows[np.argsort(sightings.sequences_M[rows], kind="stable")]
            seen = [
                {
                    "step": int(sightings.steps_M[row]),
                    "sequence": int(sightings.sequences_M[row]),
                    "source": run.history.sources[sightings.sources_M[row]].folder,
                    "window": int(sightings.windows_M[row]),
                    "loss": _finite(float(losses_M[row])),
                }
                for row in rows.tolist()
            ]
            done = sum(place["step"] <= run.steps_done for place in seen)
            counts = {"times": done, "planned": len(seen), "steps_done": run.steps_done, "steps": run.history.steps}
            answers.append({**_described(doc_id, known), **counts, "seen": seen})
        return answers

    def _windows(self, windows: Sequence[tuple[int, TrainedWindow]]) -> list[Answer]:
        known = self._pages([passage.doc_id for _, window in windows for passage in window.passages or ()])
        answers = []
        for step, window in windows:
            documents = [
                {**_described(one.doc_id, known), "start": one.start, "stop": one.stop, "tokens": one.tokens}
                for one in window.passages or ()
            ]
            answers.append(
                {
                    "step": step,
                    "trained": step <= self._run.steps_done,
                    "sequence": window.sequence,
                    "source": self._run.history.sources[window.source].folder,
                    "window": window.window,
                    "epoch": window.epoch,
                    "loss": _finite(window.loss),
                    "documents": None if window.passages is None else documents,
                }
            )
        return answers

    def _pages(self, doc_ids: Iterable[str]) -> dict[str, Page]:
        wanted = sorted(set(doc_ids))
        found: dict[str, Page] = {}
        for known in self._ask(lambda pages: pages.of(wanted)) if wanted else []:
            found = {**known, **found}
        return found

    def _find_ledgers(self, corpora: Sequence[Path]) -> list[Path]:
        """Return the folders of the ledgers that know the run's documents: beside the shards, or else among `corpora`."""
        found = []
        for source in self._run.sources:
            shards = Path(source.trained.folder) if source.index is None else source.index.folder
            beside = [folder for folder in (shards.parent, *corpora) if (folder / FILE_NAME).exists()]
            found += beside[:1]
            if not beside:
                self.notes.append(
                    f"{shards.parent}: no {FILE_NAME}, so its documents have no URLs; give their corpus by --corpus FOLDER"
                )
        return list(dict.fromkeys(found))

    def _ask(self, question: Callable[[Pages], T]) -> list[T]:
        """Return the answer of each ledger, and note why a ledger cannot be read."""
        answers = []
        for folder in self._ledgers:
            try:
                with Pages(folder) as pages:
                    answers.append(question(pages))
            except TrainerError as error:
                self.notes.append(str(error))
        return answers


def _worst(windows: Sequence[TrainedWindow]) -> list[TrainedWindow]:
    return sorted(windows, key=lambda window: -math.inf if math.isnan(window.loss) else -window.loss)[:WORST]


def _described(doc_id: str, known: Mapping[str, Page]) -> Answer:
    return asdict(known[doc_id]) if doc_id in known else {"doc_id": doc_id}


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
