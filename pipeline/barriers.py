"""Units that see the whole corpus, but only its thin columns: the tokenizer's sample, duplicates, hosts, the shards.

Text is read by one of them alone, the training of the tokenizer, and of a sample. Each writes what it decided part by
part, so that the maps behind it again see one part and nothing else.
"""

import itertools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import dedup, hosts, token_store
from pipeline.clusters import cluster
from pipeline.dedup import DUPLICATES_SCHEMA, DedupConfig
from pipeline.executor import Mark
from pipeline.files import Output, TableWriter, file_digest, sync, temporary_name
from pipeline.ledger import Ledger
from pipeline.maps import signature_settings
from pipeline.rules import VERDICT_SCHEMA
from pipeline.tables import aligned, batches, documents, read, survivors
from pipeline.tasks import Result, Task
from pipeline.tokenize import Cut, gather, id_numbers, plan_shards
from pipeline.tokenizer import load_tokenizer, open_tokenizer, train_tokenizer

ORDER_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("ordinal", pa.int64(), nullable=False),
        pa.field("first", pa.uint64(), nullable=False),
        pa.field("last", pa.uint64(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)


# Duplicates


class _Thin(NamedTuple):
    """What dedup knows of the documents of one part: doc_id, date and n_chars, and where their signatures lie."""

    part: str
    columns: pa.Table
    signatures: Path
    earlier: bool


def deduplicate(task: Task, mark: Mark) -> Result:
    """dedup: clusters of near-duplicates, one survivor each, into `duplicates.parquet` and `verdicts/dedup`."""
    config = task.manifest.dedup
    groups = [group for folder in config.against for group in _earlier_documents(Path(folder), config)]
    groups += [_documents_of(task.folder, part) for part in task.parts]
    columns = pa.concat_tables([group.columns for group in groups]).combine_chunks()
    earlier = np.repeat([group.earlier for group in groups], [group.columns.num_rows for group in groups]).astype(bool)
    order = dedup.preference_order(columns["date"], columns["n_chars"].to_numpy(), columns["doc_id"], earlier, config.survivor)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    with tempfile.TemporaryDirectory(prefix=".dedup-", suffix=".tmp", dir=task.folder) as scratch:
        # Mapped from a file, so that the signatures of a large corpus need address space and not memory.
        shape = (max(1, len(order)), config.values)
        signatures = np.memmap(Path(scratch) / "signatures", dtype=np.uint8, mode="w+", shape=shape)[: len(order)]
        signed = np.zeros(len(order), dtype=bool)
        start = 0
        for group in groups:
            for batch in _signature_batches(group):
                rows = place[start : start + batch.num_rows]
                start += batch.num_rows
                valid = pc.is_valid(batch["signature"]).to_numpy()
                packed = b"".join(pc.drop_null(batch["signature"]).to_pylist())
                signatures[rows[valid]] = np.frombuffer(packed, dtype=np.uint8).reshape(-1, config.values)
                signed[rows] = valid
        clusters = cluster(signatures, signed, rows=config.rows, bands=config.bands, minimum_similarity=config.minimum_similarity)
        del signatures
    in_order = columns["doc_id"].combine_chunks().take(pa.array(order))
    verdicts = dedup.judge_duplicates(in_order, earlier[order], clusters, config)
    outputs, digests = _write_by_part(task, verdicts, groups, place, earlier[order])
    with TableWriter(task.folder, "duplicates.parquet", DUPLICATES_SCHEMA) as writer:
        writer.write(dedup.duplicates(in_order, earlier[order], clusters))
        outputs.append(writer.finish())
    return Result(verdicts.num_rows, tuple(outputs), digests)


def _documents_of(root: Path, part: str, earlier: bool = False) -> _Thin:
    signatures = f"signatures/{part}.parquet"
    doc_ids = read(root, signatures, ["doc_id"])["doc_id"]
    dates = aligned(read(root, f"documents/{part}.parquet", ["doc_id", "date"]), doc_ids)["date"]
    sizes = aligned(read(root, f"features/{part}.parquet", ["doc_id", "num_letters"]), doc_ids)["num_letters"]
    columns = pa.table({"doc_id": doc_ids, "date": dates, "n_chars": sizes.cast(pa.int64())})
    return _Thin(part, columns, root / signatures, earlier)


def _earlier_documents(root: Path, config: DedupConfig) -> Iterator[_Thin]:
    """The documents that an earlier corpus kept after its own dedup; raises ValueError when it cannot be compared."""
    for path in sorted((root / "signatures").glob("*.parquet")):
        metadata = pa.parquet.read_schema(path).metadata or {}
        if json.loads(metadata.get(b"settings", b"null")) != signature_settings(config):
            raise ValueError(f"dedup.against: {path} was signed with other rows, bands or shingle; use the same here")
        group = _documents_of(root, path.stem, earlier=True)
        kept = survivors(root, "dedup", path.stem)
        yield group._replace(columns=group.columns.filter(pc.is_in(group.columns["doc_id"], value_set=kept)))


def _signature_batches(group: _Thin) -> Iterator[pa.Table]:
    """The signatures of a group's documents, in its order."""
    for batch in batches(group.signatures.parent, group.signatures.name):
        if group.earlier:
            batch = batch.filter(pc.is_in(batch["doc_id"], value_set=group.columns["doc_id"].combine_chunks()))
        yield batch


def _write_by_part(
    task: Task, verdicts: pa.Table, groups: list[_Thin], place: np.ndarray, earlier: np.ndarray
) -> tuple[list[Output], dict[str, str]]:
    """Verdicts, which come in order of preference, as one file a part in the order of the part."""
    row_of_place = np.cumsum(~earlier) - 1  # verdicts leave out the documents of earlier corpora
    outputs, digests = [], {}
    start = 0
    for group in groups:
        rows = row_of_place[place[start : start + group.columns.num_rows]]
        start += group.columns.num_rows
        if not group.earlier:
            output, digest = _write_verdicts(task, group.part, verdicts.take(pa.array(rows)))
            outputs.append(output)
            digests[f"survivors/{task.stage}/{group.part}"] = digest
    return outputs, digests


def _write_verdicts(task: Task, part: str, verdicts: pa.Table) -> tuple[Output, str]:
    with TableWriter(task.folder, f"verdicts/{task.stage}/{part}.parquet", VERDICT_SCHEMA) as writer:
        writer.write(verdicts)
        return writer.finish(), writer.survivors()


def earlier_digests(config: DedupConfig) -> list[str]:
    """What `against` stands for now: the dedup of each earlier corpus, from its ledger."""
    found = []
    for folder in config.against:
        with Ledger(Path(folder), read_only=True) as ledger:
            rows = ledger.rows("SELECT digest FROM units WHERE stage = 'dedup' AND status = 'done'")
        found.append(rows[0][0] if rows else "")
    return found


# Shards


def order_shards(task: Task, mark: Mark) -> Result:
    """order: where the token stream is cut, into `order.parquet`."""
    numbers, counts = [np.empty((0, 2), dtype=np.uint64)], [np.empty(0, dtype=np.int64)]
    for part in task.parts:
        verdicts = read(task.folder, f"verdicts/pii/{part}.parquet", ["doc_id", "kept", "n_tokens"])
        verdicts = verdicts.filter(verdicts["kept"])
        numbers.append(id_numbers(verdicts["doc_id"].to_pylist()))
        counts.append(verdicts["n_tokens"].to_numpy())
    cuts = plan_shards(np.concatenate(numbers), np.concatenate(counts), task.manifest.tokenize)
    rows = [{"name": f"{cut.split}-{cut.ordinal:05d}", **cut._asdict()} for cut in cuts]
    with TableWriter(task.folder, "order.parquet", ORDER_SCHEMA) as writer:
        writer.write(pa.Table.from_pylist(rows, schema=ORDER_SCHEMA))
        return Result(len(rows), (writer.finish(),))


def write_one_shard(task: Task, mark: Mark) -> Result:
    """shards: one token shard. Its name carries its digest, so that a new dataset never changes a file of the old."""
    row = next(row for row in read(task.folder, "order.parquet", ORDER_SCHEMA.names).to_pylist() if row.pop("name") == task.part)
    cut = Cut(**row)
    tokenizer = load_tokenizer(task.folder / "tokens" / "tokenizer")
    meta = token_store.TokenMeta.of(tokenizer)
    paths = [task.folder / f"encoded/{part}.arrow" for part in task.parts]
    gathered = gather(paths, cut, task.manifest.tokenize, meta.dtype)
    temporary = temporary_name(task.folder / "tokens" / f"{task.part}.arrow")
    info = token_store.write_shard(temporary, *gathered, meta)
    final = f"tokens/{task.part}-{info.sha256[:8]}.arrow"
    output = Output(str(temporary), final, info.sha256, temporary.stat().st_size, cut.documents)
    return Result(cut.documents, (output,))
