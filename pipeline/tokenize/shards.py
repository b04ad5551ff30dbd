"""encoded/ and order.parquet → tokens/*.arrow: one token shard per unit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.corpus import layout
from pipeline.corpus.columns import read
from pipeline.corpus.writer import Output
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task
from pipeline.files import temporary_name
from pipeline.tokenize.config import TokenizeConfig
from pipeline.tokenize.cuts import Cut, id_numbers
from pipeline.tokenize.encode import encoded_batches
from pipeline.tokenize.order import ORDER_SCHEMA, removed_ids, shard_names
from pipeline.tokens import store as token_store
from pipeline.tokens.opening import load_tokenizer


def write_one_shard(task: Task[TokenizeConfig], mark: Mark) -> Result:
    """Write one token shard; no file if all its documents were removed.

    Its name contains its digest, so that a new dataset never changes a file of the old one. Raises ValueError if the documents
    are not those planned, and TokenStoreError if the shard cannot be written.
    """
    row = next(row for row in read(task.folder, layout.ORDER, ORDER_SCHEMA.names).to_pylist() if row.pop("name") == task.part)
    cut = Cut(**row)
    tokenizer = load_tokenizer(task.folder / layout.TOKENIZER)
    meta = token_store.TokenMeta.of(tokenizer)
    paths = [task.folder / layout.encoded(part) for part in task.parts]
    gathered = gather(paths, cut, task.settings, meta.dtype, removed_ids(task))
    if not gathered.doc_ids:
        return Result(0, ())
    temporary = temporary_name(task.folder / layout.TOKENS / f"{task.part}.arrow")
    info = token_store.write_shard(temporary, *gathered, meta)
    final = f"{layout.TOKENS}/{task.part}-{info.sha256[:8]}.arrow"
    output = Output(str(temporary), final, info.sha256, temporary.stat().st_size, info.documents)
    return Result(info.documents, (output,))


class Gathered(NamedTuple):
    """The documents of one shard in the order of their ids: the arguments of `tokens.store.write_shard`, with its shapes."""

    doc_ids: list[str]
    tokens: npt.NDArray[np.unsignedinteger[Any]]
    offsets: npt.NDArray[np.int64]
    n_bytes: npt.NDArray[np.int64]
    n_chars: npt.NDArray[np.int64]


def gather(
    paths: Sequence[Path], cut: Cut, config: TokenizeConfig, dtype: np.dtype, removed: frozenset[str] = frozenset()
) -> Gathered:
    """Collect the documents of `cut` from the encoded parts, except those whose ids are in `removed`.

    Raises ValueError if the numbers of documents and tokens, removed ones included, are not those planned.
    """
    found: list[tuple[str, npt.NDArray[np.unsignedinteger[Any]], int, int]] = []
    for path in paths:
        for batch in encoded_batches(path):
            doc_ids = batch["doc_id"].to_pylist()
            inside = cut.holds(id_numbers(doc_ids), config)
            starts, values = batch["tokens"].offsets.to_numpy(), batch["tokens"].values.to_numpy()
            for row in np.flatnonzero(inside):
                tokens = values[starts[row] : starts[row + 1]]
                found.append((doc_ids[row], tokens, batch["n_bytes"][row].as_py(), batch["n_chars"][row].as_py()))
    found.sort(key=lambda document: document[0])
    n_tokens = sum(len(tokens) for _, tokens, _, _ in found)
    if (len(found), n_tokens) != (cut.documents, cut.tokens):
        raise ValueError(
            f"{cut.split} shard {cut.ordinal}: {len(found)} documents with {n_tokens} tokens found, "
            f"{cut.documents} with {cut.tokens} planned"
        )
    found = [document for document in found if document[0] not in removed]
    offsets = np.zeros(len(found) + 1, dtype=np.int64)
    np.cumsum([len(tokens) for _, tokens, _, _ in found], out=offsets[1:])
    stream = np.empty(offsets[-1], dtype=dtype)
    for start, (_, tokens, _, _) in zip(offsets, found, strict=False):
        stream[start : start + len(tokens)] = tokens
    sizes = np.array([(n_bytes, n_chars) for _, _, n_bytes, n_chars in found], dtype=np.int64).reshape(-1, 2)
    return Gathered([doc_id for doc_id, *_ in found], stream, offsets, sizes[:, 0], sizes[:, 1])


STAGE = Stage(
    "shards",
    "shard",
    write_one_shard,
    reads=(layout.encoded(), layout.ORDER, "removed/{shard}", "tokenizer"),
    settings="tokenize",
    counted_as="tokenize",
    shards=shard_names,
)
