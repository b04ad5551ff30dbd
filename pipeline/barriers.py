"""Units that see the whole corpus, but only its thin columns: the tokenizer's sample, duplicates, hosts, the shards.

Text is read by one of them alone, the training of the tokenizer, and of a sample. Each writes what it decided part by
part, so that the maps behind it again see one part and nothing else.
"""

import hashlib
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.columns import aligned, batches, documents, numbers, read, survivors
from pipeline.corpus.ledger import Ledger
from pipeline.dedup import stage as dedup
from pipeline.dedup.clusters import cluster
from pipeline.dedup.stage import DUPLICATES_SCHEMA, DedupConfig
from pipeline.engine.local import Mark
from pipeline.engine.task import Result, Task
from pipeline.files import Output, TableWriter, file_digest, sync, temporary_name
from pipeline.hosts import stage as hosts
from pipeline.maps import signature_settings
from pipeline.quality.config import PROFILES
from pipeline.removals.log import removed_ids
from pipeline.rules import VERDICT_SCHEMA, judge
from pipeline.tokenize.cuts import Cut, gather, id_numbers, plan_shards
from pipeline.tokens import store as token_store
from pipeline.tokens.tokenizer import TokenizerError, load_tokenizer, open_tokenizer
from pipeline.tokens.training import train_tokenizer

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


# The tokenizer


def make_tokenizer(task: Task, mark: Mark) -> Result:
    """tokenizer: the given model, or one trained on a sample, into `tokens/tokenizer`."""
    config = task.manifest.tokenizer
    tokenizer = open_tokenizer(config) if config.model else train_tokenizer(_sample(task, config.sample_characters), config)
    folder = task.folder / "tokens" / "tokenizer"
    with tempfile.TemporaryDirectory(prefix=".tokenizer-", suffix=".tmp", dir=task.folder) as made:
        tokenizer.save(Path(made))
        outputs = []
        for path in sorted(Path(made).iterdir()):
            folder.mkdir(parents=True, exist_ok=True)
            temporary = temporary_name(folder / path.name)
            shutil.copyfile(path, temporary)
            sync(temporary)
            final = f"tokens/tokenizer/{path.name}"
            outputs.append(Output(str(temporary), final, file_digest(temporary), temporary.stat().st_size, 1))
    return Result(tokenizer.vocabulary_size, tuple(outputs), {"tokenizer": tokenizer.digest})


def _sample(task: Task, characters: int) -> Iterator[str]:
    """Texts to train a tokenizer on, in the order of their ids, until there are enough `characters`.

    They are chosen by id among the documents that pass the published Swallow rules, whatever rules the manifest has: a
    changed threshold must not change every token, and menus and spam are no text to learn words from. When nothing
    passes, all documents are taken.
    """
    gate = PROFILES["swallow_code"]
    columns = sorted({rule.measured for rule in gate} | {"num_letters"})
    chosen: list[tuple[bool, str, str, int]] = []
    for part in task.parts:
        for batch in batches(task.folder, f"features/{part}.parquet", ["doc_id", *columns]):
            doc_ids = batch["doc_id"].to_pylist()
            failed = (~judge(gate, doc_ids, numbers(batch, columns))["kept"].to_numpy()).tolist()
            sizes = batch["num_letters"].to_pylist()
            chosen += zip(failed, doc_ids, itertools.repeat(part), sizes)
        # Only the best so far can be in the sample; this keeps the list short however large the corpus.
        chosen = _first_characters(sorted(set(chosen)), characters)
    if not chosen:
        raise TokenizerError(
            "no document was extracted, so there is nothing to train a tokenizer on; `yield` shows which rules dropped the pages"
        )
    if not chosen[0][0]:
        chosen = [item for item in chosen if not item[0]]
    texts: dict[str, str] = {}
    for part in {part for _, _, part, _ in chosen}:
        wanted = pa.array([doc_id for _, doc_id, of_part, _ in chosen if of_part == part])
        for batch in documents(task.folder, part, ["doc_id", "text"], wanted):
            texts.update(zip(batch["doc_id"].to_pylist(), batch["text"].to_pylist(), strict=True))
    return (texts[doc_id] for doc_id in sorted(texts))


def _first_characters(items: list[tuple[bool, str, str, int]], characters: int) -> list[tuple[bool, str, str, int]]:
    """The first items whose sizes (their last fields) add up to `characters`."""
    total = 0
    for index, item in enumerate(items):
        if total >= characters:
            return items[:index]
        total += item[-1]
    return items


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


# Hosts


def judge_all_hosts(task: Task, mark: Mark) -> Result:
    """hosts: lists and statistics of hosts over the deduplicated pages, into `host_counts.parquet`."""
    config = task.manifest.hosts
    tables = []
    for part in task.parts:
        kept = survivors(task.folder, "dedup", part)
        numbers = aligned(read(task.folder, f"features/{part}.parquet", _HOST_NUMBERS), pa.chunked_array([kept]))
        places = aligned(read(task.folder, f"documents/{part}.parquet", ["doc_id", "host", "url"]), numbers["doc_id"])
        tables.append(numbers.append_column("host", places["host"]).append_column("url", places["url"]))
    pages = pa.concat_tables(tables)
    verdicts, host_counts = hosts.judge_hosts(
        doc_id=pages["doc_id"],
        host=pages["host"],
        url=pages["url"],
        n_chars=pages["num_letters"].to_numpy(),
        ng_characters=pages["num_ng_letters_not_allowed"].to_numpy(),
        is_dating_page=pages["has_dating_expression"].to_numpy(),
        lists=hosts.HostLists.load(config),
        config=config,
    )
    outputs, digests, start = [], {}, 0
    for part, table in zip(task.parts, tables, strict=True):
        output, digest = _write_verdicts(task, part, verdicts.slice(start, table.num_rows))
        start += table.num_rows
        outputs.append(output)
        digests[f"survivors/{task.stage}/{part}"] = digest
    with TableWriter(task.folder, "host_counts.parquet", host_counts.schema) as writer:
        writer.write(host_counts)
        outputs.append(writer.finish())
    return Result(verdicts.num_rows, tuple(outputs), digests)


_HOST_NUMBERS = ["doc_id", "num_letters", "num_ng_letters_not_allowed", "has_dating_expression"]


# Shards


def order_shards(task: Task, mark: Mark) -> Result:
    """order: where the token stream is cut, into `order.parquet`, and a digest of what was removed of each shard's range.

    It is cut as if nothing had been removed, so that a removal moves no boundary.
    """
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
        return Result(len(rows), (writer.finish(),), _removed_of_shards(task, cuts))


def _removed_of_shards(task: Task, cuts: list[Cut]) -> dict[str, str]:
    removed = np.array(sorted(removed_ids(task.folder, task.parts)), dtype=object)
    numbers = id_numbers(removed.tolist())
    digests = {}
    for cut in cuts:
        inside = "".join(removed[cut.holds(numbers, task.manifest.tokenize)])
        digests[f"removed/{cut.split}-{cut.ordinal:05d}"] = hashlib.blake2b(inside.encode(), digest_size=16).hexdigest()
    return digests


def write_one_shard(task: Task, mark: Mark) -> Result:
    """shards: one token shard, none where all of it was removed.

    Its name carries its digest, so that a new dataset never changes a file of the old.
    """
    row = next(row for row in read(task.folder, "order.parquet", ORDER_SCHEMA.names).to_pylist() if row.pop("name") == task.part)
    cut = Cut(**row)
    tokenizer = load_tokenizer(task.folder / "tokens" / "tokenizer")
    meta = token_store.TokenMeta.of(tokenizer)
    paths = [task.folder / f"encoded/{part}.arrow" for part in task.parts]
    gathered = gather(paths, cut, task.manifest.tokenize, meta.dtype, removed_ids(task.folder, task.parts))
    if not gathered.doc_ids:
        return Result(0, ())
    temporary = temporary_name(task.folder / "tokens" / f"{task.part}.arrow")
    info = token_store.write_shard(temporary, *gathered, meta)
    final = f"tokens/{task.part}-{info.sha256[:8]}.arrow"
    output = Output(str(temporary), final, info.sha256, temporary.stat().st_size, info.documents)
    return Result(info.documents, (output,))
