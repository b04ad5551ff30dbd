"""Whole hosts that are dropped: because a list names them, or because of all their pages taken together.

Kept: pages of hosts that break no rule, and pages without a host. Dropped, in this order:

- `listed_host`: a list names the host, a domain above it, or the beginning of the page's address. The value is 1.
- `ng_character_share`: of all characters of the host's pages, more than 0.005 belong to expressions of the NG list.
- `dating_page_share`: of the host's pages, more than 0.001 contain an expression of dating services.

The two statistics are those of the Swallow corpus, which computes them after deduplication (Okazaki et al., "Building a
Large Japanese Web Corpus for Large Language Models", COLM 2024, arXiv:2404.17733) and prefers recall to precision, as the paper
says. Here a host needs a few pages before its statistics count, see `HostsConfig`.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.hosts.config import HOST_COUNTS_SCHEMA, HostsConfig, rules_of
from pipeline.hosts.lists import HostLists
from pipeline.rules import judge


def judge_hosts(
    *,
    doc_id: pa.Array | pa.ChunkedArray,
    host: pa.Array | pa.ChunkedArray,
    url: pa.Array | pa.ChunkedArray,
    n_chars: np.ndarray,
    ng_characters: np.ndarray,
    is_dating_page: np.ndarray,
    lists: HostLists,
    config: HostsConfig,
) -> tuple[pa.Table, pa.Table]:
    """The verdicts on documents, and the table `host_counts`.

    All arrays have one entry per document of the deduplicated corpus: doc_id, host and url are strings (host and url
    null if there is none), n_chars int, ng_characters int (characters that belong to NG expressions), is_dating_page bool.
    Verdicts have `rules.VERDICT_SCHEMA` and the order of the documents; host_counts has `HOST_COUNTS_SCHEMA`: one row per host,
    sorted by name (empty for documents without a host), with pages and characters in and out, the statistics, and list and entry
    if the whole host is listed.
    """
    array = pc.fill_null(host, "")
    encoded = (array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array).dictionary_encode()
    names, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)

    def total(weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(codes, weights, minlength=len(names)).astype(np.int64)

    pages, characters, ng, dating = total(), total(n_chars), total(ng_characters), total(is_dating_page)
    ng_share, dating_share = ng / np.maximum(characters, 1), dating / np.maximum(pages, 1)
    judged = (pages >= config.minimum_pages) & np.array([name != "" for name in names], dtype=bool)

    matches = [lists.match_host(name) if name else None for name in names]
    listed = np.array([match is not None for match in matches], dtype=bool)[codes]
    partly = np.array([lists.has_addresses(name) for name in names], dtype=bool)[codes]
    for index in np.flatnonzero(partly & ~listed):
        listed[index] = lists.match(names[codes[index]], url[int(index)].as_py() or "") is not None

    verdicts = judge(
        rules_of(config),
        doc_id,
        {
            "listed_host": listed.astype(np.float64),
            "ng_character_share": np.where(judged, ng_share, 0.0)[codes],
            "dating_page_share": np.where(judged & (dating >= config.minimum_dating_pages), dating_share, 0.0)[codes],
        },
    )
    kept = verdicts["kept"].to_numpy()
    counts = pa.table(
        {
            "host": pa.array(names, pa.string()),
            "docs_in": pages,
            "docs_out": total(kept),
            "chars_in": characters,
            "chars_out": total(np.where(kept, n_chars, 0)),
            "listed_pages": total(listed),
            "list": pa.array([match[0] if match else None for match in matches], pa.string()),
            "entry": pa.array([match[1] if match else None for match in matches], pa.string()),
            "ng_characters": ng,
            "ng_character_share": ng_share,
            "dating_pages": dating,
            "dating_page_share": dating_share,
        },
        schema=HOST_COUNTS_SCHEMA,
    )
    return verdicts, counts.sort_by("host")
