"""Judges duplicates and hosts again, over other pages or by other settings: the two stages that see the whole corpus.

Both call the pipeline's own functions on stored columns. If a survivor is dropped, a page that repeats it is kept instead; if
pages of a host are dropped, the host may fall below a bound. A page without a signature cannot be compared; callers leave it out.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.what_if.columns import Pages
from pipeline.corpus import layout
from pipeline.corpus.columns import check_ids, stored
from pipeline.dedup import config as dedup_config
from pipeline.dedup.columns import Group, earlier_groups, judged
from pipeline.dedup.config import DedupConfig
from pipeline.hosts import config as hosts_config
from pipeline.hosts import stage as hosts
from pipeline.hosts.config import HostsConfig
from pipeline.hosts.lists import HostLists
from pipeline.rules import Rule


def read_places(root: Path, pages: Pages, with_url: bool) -> pa.Table:
    """Date, host, URL and source_id of each page, in the order of the pages; the last two are null unless `with_url`.

    Raises StaleCorpusError.
    """
    tables = []
    for number, part in enumerate(pages.parts):
        name = layout.documents(part)
        table = stored(root, name, ["doc_id", "date", "host", *(["url", "source_id"] if with_url else [])])
        place = pages.of_part(number)
        table = table.take(pa.array(pages.row[place]))
        check_ids(root, name, table["doc_id"], pages.doc_id.slice(place.start, place.stop - place.start).combine_chunks())
        tables.append(table.drop_columns("doc_id"))
    places = pa.concat_tables(tables)
    for column in () if with_url else ("url", "source_id"):
        places = places.append_column(column, pa.nulls(places.num_rows, pa.string()))
    return places


def judge_dedup(
    root: Path, pages: Pages, places: pa.Table, chosen: npt.NDArray[np.bool_], config: DedupConfig
) -> npt.NDArray[np.int8]:
    """The index of the rule of dedup that drops each of the `chosen` pages (bool (N,)), or the number of rules if none does.

    Returns int8, one entry per chosen page, in their order. All chosen pages must be signed: `pages.passed` is at least 1.
    Raises StaleCorpusError if signatures and pages do not match, EarlierCorpusError for a wrong `dedup.against`.
    """
    groups = [_of_part(root, pages, places, number, chosen) for number in range(len(pages.parts))]
    found = judged([*earlier_groups(config), *groups], config)
    return _rule_numbers(found.verdicts, dedup_config.rules_of(config))[found.rows]


def _of_part(root: Path, pages: Pages, places: pa.Table, number: int, chosen: npt.NDArray[np.bool_]) -> Group:
    """The chosen pages of a part; its file of signatures has a row for each page that quality keeps at present."""
    here = pages.of_part(number)
    part = pages.parts[number]
    path = root / layout.signatures(part)
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
    n_chars = pages.page_numbers["num_letters"][here][chosen[here]].astype(np.int64)
    columns = [ids.filter(is_chosen), dates.filter(is_chosen), n_chars]
    return Group(part, pa.table(columns, names=["doc_id", "date", "n_chars"]), path, rows)


def judge_hosts(
    pages: Pages, places: pa.Table, chosen: npt.NDArray[np.bool_], lists: HostLists, config: HostsConfig
) -> npt.NDArray[np.int8]:
    """Like `judge_dedup`, for the rules of hosts, with statistics over the `chosen` pages.

    `places` must have the URLs if `lists` names addresses besides whole hosts.
    """
    table = places.filter(pa.array(chosen))
    numbers = {name: values[chosen] for name, values in pages.page_numbers.items()}
    verdicts, _ = hosts.judge_hosts(
        doc_id=pages.doc_id.filter(pa.array(chosen)),
        host=table["host"],
        url=table["url"],
        n_chars=numbers["num_letters"],
        ng_characters=numbers["num_ng_letters_not_allowed"],
        is_dating_page=numbers["has_dating_expression"],
        lists=lists,
        config=config,
    )
    return _rule_numbers(verdicts, hosts_config.rules_of(config))


def _rule_numbers(verdicts: pa.Table, rules: tuple[Rule, ...]) -> npt.NDArray[np.int8]:
    """The index of each verdict's rule, int8; the number of rules if the document is kept."""
    names = pa.array([rule.name for rule in rules], pa.string())
    numbers = pc.fill_null(pc.index_in(verdicts["rule"], value_set=names), len(rules))
    of_rules: npt.NDArray[np.int8] = numbers.to_numpy().astype(np.int8)
    return of_rules
