"""encoded/ → order.parquet: where the token stream is cut into shards, and which range of ids each shard has."""

import hashlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pipeline.corpus import layout
from pipeline.corpus.columns import aligned, read, survivors
from pipeline.corpus.writer import TableWriter
from pipeline.editing import sizes_after
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task
from pipeline.tokenize.config import TokenizeConfig
from pipeline.tokenize.cuts import Cut, id_numbers, is_validation, plan_shards

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


def order_shards(task: Task[TokenizeConfig], mark: Mark) -> Result:
    """Plan the shards, and compute per shard a digest of the removed ids in its range.

    The stream is cut as if nothing had been removed, so that a removal moves no boundary. Raises KeyError if a surviving
    document has no size.
    """
    numbers, counts = [np.empty((0, 2), dtype=np.uint64)], [np.empty(0, dtype=np.int64)]
    for part in task.parts:
        kept = pa.chunked_array([survivors(task.folder, task.upstream.judge, part)])
        sizes = aligned(sizes_after(task.folder, part, task.upstream.editors), kept)
        numbers.append(id_numbers(kept.to_pylist()))
        counts.append(sizes["n_tokens"].to_numpy())
    cuts = plan_shards(np.concatenate(numbers), np.concatenate(counts), task.settings)
    rows = [{"name": f"{cut.split}-{cut.ordinal:05d}", **cut._asdict()} for cut in cuts]
    with TableWriter(task.folder, layout.ORDER, ORDER_SCHEMA) as writer:
        writer.write(pa.Table.from_pylist(rows, schema=ORDER_SCHEMA))
        return Result(len(rows), (writer.finish(),), _removed_of_shards(task, cuts))


def _removed_of_shards(task: Task[TokenizeConfig], cuts: list[Cut]) -> dict[str, str]:
    removed = np.array(sorted(removed_ids(task)), dtype=object)
    numbers = id_numbers(removed.tolist())
    digests = {}
    for cut in cuts:
        inside = "".join(removed[cut.holds(numbers, task.settings)])
        digests[f"removed/{cut.split}-{cut.ordinal:05d}"] = hashlib.blake2b(inside.encode(), digest_size=16).hexdigest()
    return digests


def removed_ids(task: Task[Any]) -> frozenset[str]:
    """The ids of documents, in all parts, that are left out when shards are written."""
    ids: set[str] = set()
    for stage, part in itertools.product(task.upstream.removals, task.parts):
        verdicts = read(task.folder, layout.verdicts(stage, part), ["doc_id", "rule"])
        ids.update(verdicts.filter(verdicts["rule"].is_valid())["doc_id"].to_pylist())
    return frozenset(ids)


def shard_names(root: Path) -> list[str]:
    """The names of the shards planned in `order.parquet`; none without that file."""
    return [row["name"] for row in planned_shards(root)]


def planned_shards(root: Path) -> list[dict[str, Any]]:
    """The rows of `order.parquet`; none without that file."""
    path = root / layout.ORDER
    return pq.read_table(path).to_pylist() if path.exists() else []


def split_of(root: Path, doc_id: str) -> str:
    """The split of a document, `train` or `val`, by the validation share that the corpus was built with. Raises OSError."""
    resolved = yaml.safe_load((root / layout.MANIFEST).read_text(encoding="utf-8"))
    share = TokenizeConfig.model_validate(resolved["tokenize"]).validation_share
    return "val" if is_validation(id_numbers([doc_id]), share)[0] else "train"


STAGE = Stage(
    "order",
    "corpus",
    order_shards,
    reads=(layout.encoded(), layout.survivors_name("{removal}")),
    writes={layout.ORDER: None},
    settings="tokenize",
    counted_as="tokenize",
)
