"""From a window to the documents in it, and from documents to their windows, in the token shards that a run was trained on.

Window i of a split of N tokens reads the tokens from iT to iT + T (see `trainer.data.windows`). A window reads a document if one
of the document's tokens is an input; the delimiter of the next document as last target does not count. Both directions are
arithmetic over the shards' offsets and read only the shards concerned. Ids are found by binary search, so unsorted shards are
refused: "not found" must mean "not trained on".

Shapes: N documents asked for, P pairs of a document and a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.tokens.index import DatasetIndex, ShardIndex, SplitIndex, open_index
from pipeline.tokens.store import DATASET_FILE, TokenStoreError
from trainer.data.verification import verify_shards
from trainer.errors import TrainerError
from trainer.record.history import TrainedSource

Numbers = npt.NDArray[np.int64]

# Hex digits of a document's id, see `pipeline.tokens.store`.
_ID_DIGITS = 32


@dataclass(frozen=True)
class Passage:
    """What a window reads of a document: tokens `start` to before `stop`, of `tokens` in all. Token 0 is the delimiter."""

    doc_id: str
    start: int
    stop: int
    tokens: int


@dataclass(frozen=True, eq=False)
class FoundSource:
    """A source of a run and the index of its documents, or None and the reason in `missing`."""

    trained: TrainedSource
    index: DatasetIndex | None
    missing: str | None


def find_sources(sources: Sequence[TrainedSource], corpora: Sequence[Path]) -> list[FoundSource]:
    """Find the documents of each source in `corpora` (folders of corpora or of tokens), or else where the run had them.

    Only tokens with the run's fingerprint count, current or replaced ones. Raises TrainerError for a corpus that has none of
    them.
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
            index = open_index(place, source.fingerprint)
            shards = (shard for split in index.splits.values() for shard in split.shards if shard.path.parent == place)
            verify_shards(place, ((shard.path, shard.info.sha256) for shard in shards))
            return FoundSource(source, index, None)
        except (TokenStoreError, TrainerError) as error:
            why = str(error)
    return FoundSource(source, None, f"{why}; give the corpus that the run was trained on by --corpus FOLDER")


def passages(split: SplitIndex, window: int, length: int) -> list[Passage]:
    """Return what window `window` of `length` inputs reads, document by document, in the order of the tokens."""
    position = window * length
    stop = min(position + length + 1, split.tokens)
    found = []
    while position < stop - 1:  # the last token is only a target here, and an input of the next window
        index = int(np.searchsorted(split.first_tokens, position, side="right")) - 1
        shard, first = split.shards[index], int(split.first_tokens[index])
        row = int(np.searchsorted(shard.offsets, position - first, side="right")) - 1
        begin, end = first + int(shard.offsets[row]), first + int(shard.offsets[row + 1])
        found.append(Passage(shard.doc_ids[row].as_py(), position - begin, min(end, stop) - begin, end - begin))
        position = end
    return found


def document_spans(dataset: DatasetIndex, split: str, doc_ids: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Return the spans of documents in a split, in tokens: begins_N and ends_N, int64, -1 for ids that are not in the split.

    Raises TrainerError for shards that are not in the order of their ids.
    """
    own = dataset.splits[split]
    begins_N, ends_N = np.full(len(doc_ids), -1, np.int64), np.full(len(doc_ids), -1, np.int64)
    wanted_N = np.array(doc_ids, dtype=f"S{_ID_DIGITS}")
    firsts = np.array([shard.info.first_doc_id for shard in own.shards], wanted_N.dtype)
    lasts = np.array([shard.info.last_doc_id for shard in own.shards], wanted_N.dtype)
    if (firsts > lasts).any() or (lasts[:-1] >= firsts[1:]).any():
        raise _unordered(dataset.folder / DATASET_FILE)
    # -1 for an id before the first shard; such ids are in no shard.
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


def _ids(shard: ShardIndex) -> npt.NDArray[np.bytes_]:
    """Return the ids of a shard as fixed-width bytes, a view of the file; the store allows only ids of this length."""
    _, offsets, characters = shard.doc_ids.buffers()
    first = int(np.frombuffer(offsets, np.int32)[shard.doc_ids.offset])
    return np.frombuffer(characters, f"S{_ID_DIGITS}", count=len(shard.doc_ids), offset=first)


def _unordered(path: Path) -> TrainerError:
    return TrainerError(f"{path}: its documents are not in the order of their ids, so they cannot be searched; build it again")


def windows_of_spans(begins_N: Numbers, ends_N: Numbers, tokens: int, length: int) -> tuple[Numbers, Numbers]:
    """Return the windows of `length` inputs that read documents with these spans in a split of `tokens` tokens.

    The result is documents_P, the index of each pair's document, and windows_P, int64, document by document. Documents that are
    not in the split (-1) have none.
    """
    last_input = tokens - 2  # the last token of a split is only a target
    first_N = begins_N // length
    stop_N = np.minimum(ends_N - 1, last_input) // length + 1
    counts_N = np.where((begins_N >= 0) & (begins_N <= last_input), stop_N - first_N, 0)
    documents_P = np.repeat(np.arange(len(begins_N), dtype=np.int64), counts_N)
    before_P = np.repeat(np.cumsum(counts_N) - counts_N, counts_N)
    return documents_P, first_N[documents_P] + np.arange(len(documents_P)) - before_P
