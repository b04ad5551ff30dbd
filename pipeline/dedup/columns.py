"""The columns by which duplicates are judged, and the judgement itself, both for `run` and for `what-if`.

Documents come in groups: those of one part, of this corpus or of an earlier one. Shapes: D documents of a group, N of all
groups, V values in a signature.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.corpus import layout
from pipeline.corpus.columns import aligned, read, survivors
from pipeline.corpus.ledger import Ledger
from pipeline.dedup.clusters import Clusters, cluster
from pipeline.dedup.config import DedupConfig, signature_settings
from pipeline.dedup.stage import judge_duplicates, preference_order
from pipeline.errors import UserError


class EarlierCorpusError(UserError):
    """An earlier corpus, named by `dedup.against`, cannot be compared; the message says why and what to do."""


@dataclass(frozen=True)
class Group:
    """Documents of one part.

    columns: doc_id, date and n_chars, D rows. path: the file of their signatures. rows: int64 (D,), their rows in it. earlier:
    whether they belong to an earlier corpus.
    """

    part: str
    columns: pa.Table
    path: Path
    rows: npt.NDArray[np.int64]
    earlier: bool = False

    def signatures(self, values: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """The signatures, uint8 (D, V), and which documents have one, bool (D,); the rows of the others have no meaning."""
        column = read(self.path.parent, self.path.name, ["signature"])["signature"].combine_chunks()
        if not len(self.rows):
            return np.zeros((0, values), dtype=np.uint8), np.zeros(0, dtype=bool)
        all_rows = np.frombuffer(column.buffers()[1], dtype=np.uint8).reshape(-1, values)[column.offset :]
        return all_rows[self.rows], pc.is_valid(column).to_numpy(zero_copy_only=False)[self.rows]


def group_of_part(root: Path, part: str, kept: pa.Array | None = None) -> Group:
    """The signed documents of a part, only those in `kept` if it is given, in the order of their signatures."""
    path = root / layout.signatures(part)
    doc_ids = read(path.parent, path.name, ["doc_id"])["doc_id"]
    rows = np.arange(len(doc_ids))
    if kept is not None:
        rows = np.flatnonzero(pc.is_in(doc_ids, value_set=kept).to_numpy())
        doc_ids = doc_ids.take(pa.array(rows))
    dates = aligned(read(root, layout.documents(part), ["doc_id", "date"]), doc_ids)["date"]
    sizes = aligned(read(root, layout.features(part), ["doc_id", "num_letters"]), doc_ids)["num_letters"]
    columns = pa.table({"doc_id": doc_ids, "date": dates, "n_chars": sizes.cast(pa.int64())})
    return Group(part, columns, path, rows, earlier=kept is not None)


def earlier_groups(config: DedupConfig) -> Iterator[Group]:
    """The documents that the earlier corpora kept after their own dedup. Raises EarlierCorpusError."""
    for root in map(Path, config.against):
        paths = sorted((root / "signatures").glob("*.parquet"))
        if not paths:
            raise EarlierCorpusError(f"dedup.against: {root} holds no signatures; name the folder of a corpus")
        for path in paths:
            metadata = pq.read_schema(path).metadata or {}
            if tuple(json.loads(metadata.get(b"settings", b"[]"))) != signature_settings(config):
                raise EarlierCorpusError(
                    f"dedup.against: {path} was signed with other rows, bands or shingle; "
                    "use the same here, or name another corpus"
                )
            yield group_of_part(root, path.stem, survivors(root, "dedup", path.stem))


class Judged(NamedTuple):
    """The documents of all groups in order of preference, and their verdicts.

    doc_ids: N strings. earlier: bool (N,). clusters: of all N. verdicts: on those that are not earlier, in the same order. rows:
    int64, one entry per document of the groups that are not earlier, in the order of the groups: its row in `verdicts`.
    """

    doc_ids: pa.StringArray
    earlier: npt.NDArray[np.bool_]
    clusters: Clusters
    verdicts: pa.Table
    rows: npt.NDArray[np.int64]


def judged(groups: Sequence[Group], config: DedupConfig, scratch: Path | None = None) -> Judged:
    """Find the duplicates among `groups` and judge them.

    scratch: the folder for a temporary file of signatures; by default the system's. They are mapped from this file, so that a
    large corpus needs address space, not memory.
    """
    columns = pa.concat_tables([group.columns for group in groups]).combine_chunks()
    counts = [len(group.rows) for group in groups]
    earlier = np.repeat([group.earlier for group in groups], counts).astype(bool)
    order = preference_order(columns["date"], columns["n_chars"].to_numpy(), columns["doc_id"], earlier, config.survivor)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    with tempfile.TemporaryFile(prefix=".dedup-", suffix=".tmp", dir=scratch) as stream:
        shape = (max(1, len(order)), config.values)
        signatures = np.memmap(stream, dtype=np.uint8, mode="w+", shape=shape)[: len(order)]
        signed = np.zeros(len(order), dtype=bool)
        for group, places in zip(groups, np.split(place, np.cumsum(counts)[:-1]), strict=True):
            signatures[places], signed[places] = group.signatures(config.values)
        clusters = cluster(signatures, signed, rows=config.rows, bands=config.bands, minimum_similarity=config.minimum_similarity)
        del signatures
    doc_ids = columns["doc_id"].combine_chunks().take(pa.array(order))
    verdicts = judge_duplicates(doc_ids, earlier[order], clusters, config)
    row_of_place = np.cumsum(~earlier[order]) - 1  # verdicts leave out the documents of earlier corpora
    return Judged(doc_ids, earlier[order], clusters, verdicts, row_of_place[place[~earlier]])


def earlier_digests(_root: Path, config: DedupConfig) -> list[str] | None:
    """The digest of the dedup of each earlier corpus as it is now, from its ledger; None if none is named."""
    found = []
    for folder in config.against:
        with Ledger(Path(folder), read_only=True) as ledger:
            rows = ledger.rows("SELECT digest FROM units WHERE stage = 'dedup' AND status = 'done'")
        found.append(rows[0][0] if rows else "")
    return found or None
