"""Duplicates and hosts judged again over other pages, or by other settings: the two stages that see the whole corpus.

Both are the pipeline's own functions over stored columns: a survivor that leaves makes room for its repeats, and a host whose
pages leave may fall below a bound. A page that was never signed cannot be compared; who asks leaves it out.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.audit.what_if.columns import HOST_NUMBERS, Pages, WhatIfError, check_ids, stored
from pipeline.corpus.columns import aligned, survivors
from pipeline.dedup import stage as dedup
from pipeline.dedup.clusters import cluster
from pipeline.dedup.stage import DedupConfig
from pipeline.hosts import stage as hosts
from pipeline.hosts.stage import HostLists, HostsConfig
from pipeline.maps import signature_settings
from pipeline.rules import Rule

_DEDUP_COLUMNS = ["doc_id", "date", "n_chars"]


@dataclass(frozen=True)
class _Signed:
    """Documents of one part: `_DEDUP_COLUMNS`, the file that their signatures stand in, and at which of its rows, int64 (D,)."""

    columns: pa.Table
    path: Path
    rows: np.ndarray
    earlier: bool

    def signatures(self, values: int) -> tuple[np.ndarray, np.ndarray]:
        """The signatures, uint8 (D, values), and which documents have one, bool (D,); rows without one mean nothing."""
        column = stored(self.path.parent, self.path.name, ["signature"])["signature"].combine_chunks()
        if not len(self.rows):
            return np.zeros((0, values), dtype=np.uint8), np.zeros(0, dtype=bool)
        all_rows = np.frombuffer(column.buffers()[1], dtype=np.uint8).reshape(-1, values)[column.offset :]
        return all_rows[self.rows], pc.is_valid(column).to_numpy(zero_copy_only=False)[self.rows]


def read_places(root: Path, pages: Pages, with_url: bool) -> pa.Table:
    """Date and host of each page, and its URL (null where it is not asked for), in the order of the pages."""
    tables = []
    for number, part in enumerate(pages.parts):
        name = f"documents/{part}.parquet"
        table = stored(root, name, ["doc_id", "date", "host", *(["url"] if with_url else [])])
        place = pages.of_part(number)
        table = table.take(pa.array(pages.row[place]))
        check_ids(root, name, table["doc_id"], pages.doc_id.slice(place.start, place.stop - place.start).combine_chunks())
        tables.append(table.drop_columns("doc_id"))
    places = pa.concat_tables(tables)
    return places if with_url else places.append_column("url", pa.nulls(places.num_rows, pa.string()))


def judge_dedup(root: Path, pages: Pages, places: pa.Table, chosen: np.ndarray, config: DedupConfig) -> np.ndarray:
    """The number of the rule of dedup that drops each of the `chosen` pages (bool (N,)), the number of rules where none does.

    Returns int8, one entry a chosen page, in their order. All chosen pages must be signed: `pages.passed` is at least 1.
    """
    groups = [group for folder in config.against for group in _earlier(Path(folder), config)]
    groups += [_of_part(root, pages, places, number, chosen) for number in range(len(pages.parts))]
    columns = pa.concat_tables([group.columns for group in groups]).combine_chunks()
    counts = [len(group.rows) for group in groups]
    earlier = np.repeat([group.earlier for group in groups], counts).astype(bool)
    order = dedup.preference_order(columns["date"], columns["n_chars"].to_numpy(), columns["doc_id"], earlier, config.survivor)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    # Mapped from a file, as in the pipeline, so that a large corpus needs address space and not memory.
    with tempfile.TemporaryFile() as scratch:
        signatures = np.memmap(scratch, dtype=np.uint8, mode="w+", shape=(max(1, len(order)), config.values))[: len(order)]
        signed = np.zeros(len(order), dtype=bool)
        for group, rows in zip(groups, np.split(place, np.cumsum(counts)[:-1]), strict=True):
            signatures[rows], signed[rows] = group.signatures(config.values)
        clusters = cluster(signatures, signed, rows=config.rows, bands=config.bands, minimum_similarity=config.minimum_similarity)
        del signatures
    in_order = columns["doc_id"].combine_chunks().take(pa.array(order))
    judged = _rule_numbers(dedup.judge_duplicates(in_order, earlier[order], clusters, config), dedup.rules_of(config))
    row_of_place = np.cumsum(~earlier[order]) - 1  # verdicts leave out the documents of earlier corpora
    return judged[row_of_place[place[~earlier]]]


def _of_part(root: Path, pages: Pages, places: pa.Table, number: int, chosen: np.ndarray) -> _Signed:
    """The chosen pages of a part, whose signatures are those of all its pages that quality keeps at present."""
    here = pages.of_part(number)
    path = root / f"signatures/{pages.parts[number]}.parquet"
    has_row = pages.passed[here] > 0
    ids, dates = (column.slice(here.start, here.stop - here.start) for column in (pages.doc_id, places["date"]))
    check_ids(
        path.parent,
        path.name,
        stored(path.parent, path.name, ["doc_id"])["doc_id"],
        ids.filter(pa.array(has_row)).combine_chunks(),
    )
    rows = (np.cumsum(has_row) - 1)[chosen[here]]
    is_chosen = pa.array(chosen[here])
    columns = [ids.filter(is_chosen), dates.filter(is_chosen), pages.n_chars[here][chosen[here]]]
    return _Signed(pa.table(columns, names=_DEDUP_COLUMNS), path, rows, False)


def _earlier(root: Path, config: DedupConfig) -> Iterator[_Signed]:
    """The documents that an earlier corpus kept after its own dedup; raises WhatIfError when it cannot be compared."""
    paths = sorted((root / "signatures").glob("*.parquet"))
    if not paths:
        raise WhatIfError(f"dedup.against: {root} holds no signatures; name the folder of a corpus")
    for path in paths:
        metadata = pq.read_schema(path).metadata or {}
        if json.loads(metadata.get(b"settings", b"null")) != signature_settings(config):
            raise WhatIfError(f"dedup.against: {path} was signed with other rows, bands or shingle; name another corpus")
        ids = stored(path.parent, path.name, ["doc_id"])["doc_id"]
        kept = pc.is_in(ids, value_set=survivors(root, "dedup", path.stem)).to_numpy()
        ids = ids.filter(kept)
        dates = aligned(stored(root, f"documents/{path.name}", ["doc_id", "date"]), ids)["date"]
        sizes = aligned(stored(root, f"features/{path.name}", ["doc_id", "num_letters"]), ids)["num_letters"]
        columns = [ids, dates, sizes.cast(pa.int64())]
        yield _Signed(pa.table(columns, names=_DEDUP_COLUMNS), path, np.flatnonzero(kept), True)


def judge_hosts(pages: Pages, places: pa.Table, chosen: np.ndarray, lists: HostLists, config: HostsConfig) -> np.ndarray:
    """As `judge_dedup`, for the rules of hosts: their statistics are those of the `chosen` pages.

    Where `lists` has addresses and not whole hosts alone, `places` must have the URLs.
    """
    table = places.filter(pa.array(chosen))
    ng_characters, is_dating_page = (pages.host_numbers[name][chosen] for name in HOST_NUMBERS)
    verdicts, _ = hosts.judge_hosts(
        doc_id=pages.doc_id.filter(pa.array(chosen)),
        host=table["host"],
        url=table["url"],
        n_chars=pages.n_chars[chosen],
        ng_characters=ng_characters,
        is_dating_page=is_dating_page,
        lists=lists,
        config=config,
    )
    return _rule_numbers(verdicts, hosts.rules_of(config))


def _rule_numbers(verdicts: pa.Table, rules: tuple[Rule, ...]) -> np.ndarray:
    """The number of each verdict's rule, int8; the number of rules where a document is kept."""
    names = pa.array([rule.name for rule in rules], pa.string())
    numbers = pc.fill_null(pc.index_in(verdicts["rule"], value_set=names), len(rules))
    return numbers.to_numpy().astype(np.int8)
