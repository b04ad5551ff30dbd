"""From a window to the documents in it, and from documents to their windows, in the token shards that a run was trained on.

Window i of a split of N tokens reads the tokens from iT to iT + T (see `windows`). A document counts as read by a window
when a token of it is an input there; a window whose last target is the delimiter of the next document has seen nothing of
that document. Both directions are arithmetic over the shards' offsets and touch only the shards concerned. Ids are looked up
by halving, as shards are in the order of the ids; shards that are not are refused, since a document that is not found must
mean one that was not trained on.

Shapes: N documents asked for, P pairs of a document and a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.tokens.index import DatasetIndex, ShardIndex, SplitIndex, open_index
from pipeline.tokens.store import DATASET_FILE, TokenStoreError
from trainer.errors import TrainerError
from trainer.record.history import TrainedSource

# Hex digits of a document's id, see `pipeline.token_store`.
_ID_DIGITS = 32


@dataclass(frozen=True)
class Passage:
    """What a window reads of a document: its tokens from `start` up to `stop`, of `tokens` in all. The delimiter is token 0."""

    doc_id: str
    start: int
    stop: int
    tokens: int


@dataclass(frozen=True, eq=False)
class FoundSource:
    """A source of a run and the documents of its shards; `index` is None, and `missing` says why, where nothing tells them."""

    trained: TrainedSource
    index: DatasetIndex | None
    missing: str | None


def find_sources(sources: Sequence[TrainedSource], corpora: Sequence[Path]) -> list[FoundSource]:
    """The documents of each source, looked for in `corpora` (folders of corpora, or of tokens) and then where the run had them.

    Only tokens with the run's fingerprint are taken, those that stand there or those that were replaced. Raises TrainerError
    for a corpus that has none of them.
    """
    places = [place for corpus in corpora for place in (corpus / "tokens", corpus) if (place / DATASET_FILE).exists()]
    found = [_find(source, [*places, Path(source.folder)]) for source in sources]
    for corpus in corpora:
        holds = {source.index.folder for source in found if source.index is not None}
        if not holds & {corpus, corpus / "tokens"}:
            prints = ", ".join(source.fingerprint[:12] for source in sources)
            raise TrainerError(f"{corpus}: has no tokens that the run was trained on (fingerprint {prints}); give their corpus")
    return found


def _find(source: TrainedSource, places: Sequence[Path]) -> FoundSource:
    why = ""
    for place in places:
        try:
            return FoundSource(source, open_index(place, source.fingerprint), None)
        except TokenStoreError as error:
            why = str(error)
    return FoundSource(source, None, f"{why}; give the corpus that the run was trained on by --corpus FOLDER")


def passages(split: SplitIndex, window: int, length: int) -> list[Passage]:
    """What window `window` of `length` inputs reads, document by document, in the order of the tokens."""
    position = window * length
    stop = min(position + length + 1, split.tokens)
    found = []
    while position < stop - 1:  # the last token is a target alone, and an input of the next window
        index = int(np.searchsorted(split.first_tokens, position, side="right")) - 1
        shard, first = split.shards[index], int(split.first_tokens[index])
        row = int(np.searchsorted(shard.offsets, position - first, side="right")) - 1
        begin, end = first + int(shard.offsets[row]), first + int(shard.offsets[row + 1])
        found.append(Passage(shard.doc_ids[row].as_py(), position - begin, min(end, stop) - begin, end - begin))
        position = end
    return found


def document_spans(dataset: DatasetIndex, split: str, doc_ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Where documents lie in a split, in tokens: begins_N and ends_N, int64, both -1 for an id that the split has not.

    Raises TrainerError for shards that are not in the order of their ids.
    """
    own = dataset.splits[split]
    begins_N, ends_N = np.full(len(doc_ids), -1, np.int64), np.full(len(doc_ids), -1, np.int64)
    wanted_N = np.array(doc_ids, dtype=f"S{_ID_DIGITS}")
    firsts = np.array([shard.info.first_doc_id for shard in own.shards], wanted_N.dtype)
    lasts = np.array([shard.info.last_doc_id for shard in own.shards], wanted_N.dtype)
    if (firsts > lasts).any() or (lasts[:-1] >= firsts[1:]).any():
        raise _unordered(dataset.folder / DATASET_FILE)
    # -1 for an id before the first shard, which the comparison with that shard's ids then finds in none.
    shards_N = np.searchsorted(firsts, wanted_N, side="right") - 1
    for index in np.unique(shards_N[shards_N >= 0]).tolist():
        shard, first = own.shards[index], int(own.first_tokens[index])
        ids = _ids(shard)
        if (ids[:-1] >= ids[1:]).any():
            raise _unordered(shard.path)
        members = np.flatnonzero(shards_N == index)
        rows = np.minimum(np.searchsorted(ids, wanted_N[members]), len(ids) - 1)
        there = ids[rows] == wanted_N[members]
        members, rows = members[there], rows[there]
        begins_N[members] = first + shard.offsets[rows]
        ends_N[members] = first + shard.offsets[rows + 1]
    return begins_N, ends_N


def _ids(shard: ShardIndex) -> np.ndarray:
    """The ids of a shard as fixed-width bytes, a view of the file; the store refuses ids of another length."""
    _, offsets, characters = shard.doc_ids.buffers()
    first = int(np.frombuffer(offsets, np.int32)[shard.doc_ids.offset])
    return np.frombuffer(characters, f"S{_ID_DIGITS}", count=len(shard.doc_ids), offset=first)


def _unordered(path: Path) -> TrainerError:
    return TrainerError(f"{path}: its documents are not in the order of their ids, so none can be looked up; build it again")


def windows_of_spans(begins_N: np.ndarray, ends_N: np.ndarray, tokens: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The windows that read documents at these places of a split of `tokens` tokens: documents_P, the index of each pair's
    document, and windows_P, int64, document by document. Documents without a place (-1) have none."""
    last_input = tokens - 2  # the last token of a split is a target alone
    first_N = begins_N // length
    stop_N = np.minimum(ends_N - 1, last_input) // length + 1
    counts_N = np.where((begins_N >= 0) & (begins_N <= last_input), stop_N - first_N, 0)
    documents_P = np.repeat(np.arange(len(begins_N), dtype=np.int64), counts_N)
    before_P = np.repeat(np.cumsum(counts_N) - counts_N, counts_N)
    return documents_P, first_N[documents_P] + np.arange(len(documents_P)) - before_P
