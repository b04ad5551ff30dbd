"""A small corpus in a folder: token shards of Japanese texts, their ledger, and pages that stages dropped."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.ledger import Ledger
from pipeline.corpus.views import describe_tables
from pipeline.flow import FLOW, tables_of
from pipeline.tokens.store import ShardInfo, TokenMeta, write_dataset, write_shard
from tests.trainer.tokenizers import byte_tokenizer

Columns = Mapping[str, Sequence[object]]
TYPES = {
    "rule": pa.string(),
    "value": pa.float64(),
    "threshold": pa.float64(),
    "detail": pa.string(),
    "failed": pa.list_(pa.string()),
}
PART = "part-00001"


@dataclass(frozen=True)
class SmallCorpus:
    """A corpus: its folder, the texts by doc_id in the order of the shards, and the doc_ids of each split.

    Pages `short` and `twin` of its host were dropped by quality and by dedup, `twin` as a duplicate of page 0.
    """

    folder: Path
    host: str
    texts: Mapping[str, str]
    train: Sequence[str]
    val: Sequence[str]

    def url(self, doc_id: str) -> str:
        return next(url for url in map(self.url_of, range(len(self.texts))) if doc_id_of(url) == doc_id)

    def url_of(self, page: int | str) -> str:
        return f"https://{self.host}/{page}"

    def tokens(self, doc_id: str) -> list[int]:
        """The tokens of a document, its delimiter first."""
        flat, _ = byte_tokenizer().encode_batch([self.texts[doc_id]])
        return [byte_tokenizer().delimiter_id, *flat.tolist()]


def doc_id_of(url: str) -> str:
    return hashlib.blake2b(url.encode(), digest_size=16).hexdigest()


def write_corpus(folder: Path, host: str, pages: int, shards: int, validation: int) -> SmallCorpus:
    """Write a corpus of `pages` pages of different lengths, `validation` of them held out, the others in `shards` shards."""
    urls = {doc_id_of(f"https://{host}/{page}"): f"https://{host}/{page}" for page in range(pages)}
    texts = {
        doc_id_of(f"https://{host}/{page}"): "猫" * (page % 5) + f"{host}の{page}。" * (1 + page % 7) for page in range(pages)
    }
    ids = sorted(texts)
    corpus = SmallCorpus(folder, host, texts, ids[validation:], ids[:validation])
    tokens = folder / "tokens"
    tokens.mkdir(parents=True)
    meta = TokenMeta.of(byte_tokenizer())
    pieces = np.array_split(np.array(corpus.train), shards)
    written = [_write_shard(tokens / f"train-{n}.arrow", corpus, piece.tolist(), meta) for n, piece in enumerate(pieces)]
    write_dataset(tokens, {"train": written, "val": [_write_shard(tokens / "val-0.arrow", corpus, corpus.val, meta)]}, meta)
    byte_tokenizer().save(tokens / "tokenizer")
    dropped = {doc_id_of(corpus.url_of(page)): corpus.url_of(page) for page in ("short", "twin")}
    _write_ledger(folder, {**urls, **dropped}, twin=doc_id_of(corpus.url_of("twin")), of=doc_id_of(corpus.url_of(0)))
    return corpus


def _write_shard(path: Path, corpus: SmallCorpus, doc_ids: Sequence[str], meta: TokenMeta) -> ShardInfo:
    documents = [corpus.tokens(doc_id) for doc_id in doc_ids]
    return write_shard(
        path,
        doc_ids,
        np.array([token for document in documents for token in document], dtype=meta.dtype),
        np.cumsum([0, *map(len, documents)], dtype=np.int64),
        np.array([len(corpus.texts[doc_id].encode()) for doc_id in doc_ids]),
        np.array([len(corpus.texts[doc_id]) for doc_id in doc_ids]),
        meta,
    )


def _write_ledger(folder: Path, urls: Mapping[str, str], twin: str, of: str) -> None:
    """Write the ledger and its tables: all pages passed the first stage, dedup dropped `twin` for `of`, quality `short`."""
    ids = list(urls)
    places: Columns = {
        "doc_id": ids,
        "url": list(urls.values()),
        "host": [url.split("/")[2] for url in urls.values()],
        "date": ["2026-01-01T00:00:00Z"] * len(ids),
        "warc_file": [f"{folder.name}.warc.gz"] * len(ids),
        "warc_offset": [100 * nth for nth in range(len(ids))],
    }
    _write(folder / "documents", places)
    # Page 0 is in an earlier input too, and dedup dropped that record.
    before: Columns = {**{name: values[:1] for name, values in places.items()}, "warc_file": ["earlier.warc.gz"]}
    _write(folder / "documents", before, "part-00000")
    nothing: Columns = {name: [None] * len(ids) for name in ("rule", "value", "threshold", "detail")}
    record: Columns = {"record_type": ["response"] * len(ids), "record_bytes": [1] * len(ids)}
    kept: Columns = {"kept": [True] * len(ids), "failed": [[] for _ in ids]}
    whole = {**places, **nothing, **record, **kept}
    _write(folder / "verdicts/extract", whole)
    _write(folder / "verdicts/extract", {**{name: values[:1] for name, values in whole.items()}, **before}, "part-00000")
    short = next(doc_id for doc_id, url in urls.items() if url.endswith("short"))
    for stage, part, doc_id, rule, value, threshold in (
        ("quality", PART, short, "num_letters", 12.0, 400.0),
        ("dedup", PART, twin, "near_duplicate", 0.9, 0.77),
        ("dedup", "part-00000", of, "same_record", None, None),
    ):
        verdict: Columns = {"doc_id": [doc_id], "kept": [False], "rule": [rule], "value": [value], "threshold": [threshold]}
        _write(folder / "verdicts" / stage, {**verdict, "failed": [[rule]]}, part)
    duplicates = {"doc_id": [twin], "cluster_id": [of], "survivor_id": [of], "similarity": [0.9], "cluster_size": [2]}
    pq.write_table(pa.table(duplicates), folder / "duplicates.parquet")
    with Ledger(folder) as ledger:
        describe_tables(ledger, tables_of(FLOW))


def _write(folder: Path, columns: Columns, part: str = PART) -> None:
    """Write a part of a table; columns of nulls have the type of the real ones."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: pa.array(values, TYPES.get(name)) for name, values in columns.items()})
    pq.write_table(table, folder / f"{part}.parquet")
