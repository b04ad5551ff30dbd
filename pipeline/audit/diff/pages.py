"""Matches the pages of two corpora for `diff`: first by id, then the rest by URL.

Matching rows have the same id, and ids are hashes. So the records of each corpus are written, part by part, into files by the
first digits of their ids, and the two corpora are joined file by file, in the memory of one file. The rest is joined by URL, in
turns of limited size. Ten million pages need disk, not memory.
"""

import itertools
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.corpus import layout
from pipeline.corpus.columns import column_of, read_known
from pipeline.flow import EDITING, JUDGING

# Rows of a corpus that are held before they are written: about two hundred megabytes.
_ROWS_HELD = 1_000_000
# Rows of a corpus that are joined at once; a join and its sorting take several times their size.
_ROWS_JOINED = 200_000
_HEX_DIGITS = "0123456789abcdef"
_RECORD = pa.schema([("doc_id", pa.string()), ("url", pa.string()), ("kept", pa.bool_()), ("rule", pa.string())])
_VERDICT = pa.schema([("doc_id", pa.string()), ("kept", pa.bool_()), ("rule", pa.string())])
# The file and column of each size. Corpora of older versions stored no text that differs from what they measured.
_SIZES = {
    "n_chars": (layout.features, ("n_chars", "num_letters")),
    "n_tokens": (layout.token_counts, ("n_tokens",)),
}
_FINAL = ("n_chars", "n_tokens")
# A row per record: how many stages it passed (`reached`), its fate as text, and its sizes as extracted and in the shards.
_PAGE = pa.schema(
    [
        ("doc_id", pa.string()),
        ("url", pa.string()),
        ("reached", pa.int64()),
        ("fate", pa.string()),
        *((name, pa.int64()) for name in ("n_chars", "n_tokens", "final_chars", "final_tokens")),
    ]
)

# Of a record that was read twice, the row that got furthest. The host is taken from the URL, because a record that became no page
# has no other.
_CORPUS = """(
    SELECT *, lower(regexp_extract(url, '^[^:]*://(?:[^/?#@]*@)?([^/?#:]+)', 1)) AS host FROM '{path}'
    QUALIFY row_number() OVER (PARTITION BY doc_id ORDER BY reached DESC, fate) = 1)"""
_BY_ID = """
    SELECT doc_id, a.doc_id IS NOT NULL AS in_a, b.doc_id IS NOT NULL AS in_b, coalesce(b.url, a.url) AS url,
           coalesce(b.host, a.host) AS host, a.fate AS fate_a, b.fate AS fate_b, a.n_chars AS chars_a, b.n_chars AS chars_b,
           a.n_tokens AS tokens_a, b.n_tokens AS tokens_b, a.final_chars AS final_chars_a, b.final_chars AS final_chars_b,
           a.final_tokens AS final_tokens_a, b.final_tokens AS final_tokens_b
    FROM {a} a FULL OUTER JOIN {b} b USING (doc_id)
"""
# The n-th page of a URL in A with the n-th in B; the rest stays alone.
_BY_URL = """
    WITH alone AS (
        SELECT *, row_number() OVER (PARTITION BY url, in_a ORDER BY doc_id) AS nth
        FROM by_id WHERE NOT (in_a AND in_b) AND hash(url) % {turns} = {turn})
    SELECT CASE WHEN a.doc_id IS NULL THEN 'only in B' WHEN b.doc_id IS NULL THEN 'only in A' ELSE 'same URL' END AS match,
           a.doc_id AS doc_id_a, b.doc_id AS doc_id_b, coalesce(b.url, a.url) AS url, coalesce(b.host, a.host) AS host,
           a.fate_a, b.fate_b, a.chars_a, b.chars_b, a.tokens_a, b.tokens_b, a.final_chars_a, b.final_chars_b,
           a.final_tokens_a, b.final_tokens_b
    FROM (SELECT * FROM alone WHERE in_a) a FULL OUTER JOIN (SELECT * FROM alone WHERE in_b) b
        ON a.url = b.url AND a.nth = b.nth AND a.url <> ''
"""
_PAIRS = """
CREATE VIEW pairs AS
    SELECT 'same page' AS match, doc_id AS doc_id_a, doc_id AS doc_id_b, * EXCLUDE (doc_id, in_a, in_b)
    FROM by_id WHERE in_a AND in_b
    UNION ALL BY NAME SELECT * FROM by_url
"""


def match_pages(a: Path, b: Path, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Make the view `pairs`, with each page of the corpora in `a` and `b` once. Temporary files go to `folder`.

    Columns: match, doc_id_a, doc_id_b, url, host, and, with `_a` and `_b`, fate, chars, tokens, final_chars, final_tokens.
    """
    most = max(sum(_records(root, part) for part in layout.parts(root)) for root in (a, b))
    digits = next(digits for digits in itertools.count() if most <= _ROWS_JOINED * len(_HEX_DIGITS) ** digits)
    for name, root in (("a", a), ("b", b)):
        _write_pages(root, folder / name, digits)
    for number, prefix in enumerate(_prefixes(digits)):
        sides = {name: _CORPUS.format(path=folder / name / f"{prefix}.parquet") for name in ("a", "b")}
        connection.execute(("INSERT INTO by_id" if number else "CREATE TABLE by_id AS") + _BY_ID.format(**sides))
    alone = connection.execute("SELECT count(*) FROM by_id WHERE NOT (in_a AND in_b)").fetchall()[0][0]
    turns = 1 + alone // _ROWS_JOINED
    for turn in range(turns):
        query = _BY_URL.format(turns=turns, turn=turn)
        connection.execute(("INSERT INTO by_url" if turn else "CREATE TABLE by_url AS") + query)
    connection.execute(_PAIRS)


def _records(root: Path, part: str) -> int:
    return int(pq.read_metadata(root / layout.verdicts(JUDGING[0], part)).num_rows)


def _prefixes(digits: int) -> list[str]:
    return ["".join(prefix) for prefix in itertools.product(_HEX_DIGITS, repeat=digits)]


def _write_pages(root: Path, folder: Path, digits: int) -> None:
    """Write the pages of a corpus, one file per prefix of `digits` hex digits of the id."""
    folder.mkdir()
    writers = {prefix: pq.ParquetWriter(folder / f"{prefix}.parquet", _PAGE) for prefix in _prefixes(digits)}
    held: list[pa.Table] = []
    parts = layout.parts(root)
    for number, part in enumerate(parts, start=1):
        held.append(_pages(root, part))
        if number == len(parts) or sum(table.num_rows for table in held) >= _ROWS_HELD:
            pages = pa.concat_tables(held)
            held = []
            beginnings = pc.utf8_slice_codeunits(pages["doc_id"], 0, digits).combine_chunks().dictionary_encode()
            codes = beginnings.indices.to_numpy()
            order = np.argsort(codes, kind="stable")
            pages = pages.take(pa.array(order))
            counts = np.bincount(codes)
            starts = np.cumsum(counts) - counts
            for prefix, start, count in zip(beginnings.dictionary.to_pylist(), starts, counts, strict=True):
                writers[prefix].write_table(pages.slice(start, count))
    for writer in writers.values():
        writer.close()


def _pages(root: Path, part: str) -> pa.Table:
    """The records of a part, with schema `_PAGE`."""
    records = read_known(root, layout.verdicts(JUDGING[0], part), _RECORD)
    dropped = records.filter(pc.invert(records["kept"]))
    nothing = {name: pa.repeat(0, dropped.num_rows) for name in _PAGE.names[2:] if name != "fate"}
    fates = pc.binary_join_element_wise(JUDGING[0], dropped["rule"], ": ")
    rows = [pa.table({"doc_id": dropped["doc_id"], "url": dropped["url"], **nothing, "fate": fates}).select(_PAGE.names)]

    pages = records.filter(records["kept"])
    doc_ids = pages["doc_id"]
    ends = []
    for reached, stage in enumerate(JUDGING[1:], start=1):
        verdicts = read_known(root, layout.verdicts(stage, part), _VERDICT)
        verdicts = verdicts.filter(pc.invert(verdicts["kept"]))
        fates = pc.binary_join_element_wise(stage, verdicts["rule"], ": ")
        ends.append(pa.table({"doc_id": verdicts["doc_id"], "reached": pa.repeat(reached, verdicts.num_rows), "fate": fates}))
    end = pa.concat_tables(ends)
    fates = column_of(end, "fate", doc_ids)
    is_kept = fates.is_null()
    columns = {
        "doc_id": doc_ids,
        "url": pages["url"],
        "reached": pc.fill_null(column_of(end, "reached", doc_ids), len(JUDGING)),
        "fate": pc.fill_null(fates, "kept"),
    }
    for name, (file, known) in _SIZES.items():
        schema = pa.schema([("doc_id", pa.string()), *((column, pa.int64()) for column in known)])
        table = read_known(root, file(part), schema)
        columns[name] = pc.coalesce(*(column_of(table, column, doc_ids) for column in known), pa.scalar(0, pa.int64()))
    schema = pa.schema([("doc_id", pa.string()), *((name, pa.int64()) for name in _FINAL)])
    final = read_known(root, layout.verdicts(EDITING[-1], part), schema)
    for name in _FINAL:
        columns[f"final_{name.removeprefix('n_')}"] = pc.if_else(is_kept, column_of(final, name, doc_ids), 0)
    rows.append(pa.table(columns).select(_PAGE.names))
    return pa.concat_tables([table.cast(_PAGE) for table in rows])
