"""Stage 7, tokenize: the final texts as token shards, in an order that content alone decides.

Keeps every document that reached it. Each part's texts are encoded where they are (`encoded/`, a cache from which shards
are cut); then all documents are ordered by `doc_id`, which is a hash and so shuffles them, split into training and
validation by its last digits, and cut into shards of about `shard_tokens` tokens. Neither the number of workers nor the
order of the inputs enters anywhere.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.config import Config
from pipeline.files import Output, file_digest, sync, temporary_name
from pipeline.tokens.store import token_dtype
from pipeline.tokens.tokenizer import Tokenizer


class TokenizeConfig(Config):
    """How the token stream is cut."""

    shard_tokens: int = Field(2**26, ge=1024, description="about so many tokens a shard: 128 MiB at two bytes a token")
    validation_share: float = Field(
        0.01, ge=0, lt=1, description="share of documents set aside for validation, chosen by a hash of their id"
    )


class Cut(NamedTuple):
    """A shard to be: the documents of a split whose id's first 16 hex digits lie in [first, last]."""

    split: str
    ordinal: int
    first: int
    last: int
    documents: int
    tokens: int

    def holds(self, numbers: np.ndarray, config: "TokenizeConfig") -> np.ndarray:
        """Which documents (rows of `id_numbers`) belong to the shard, bool (N,)."""
        inside = (numbers[:, 0] >= np.uint64(self.first)) & (numbers[:, 0] <= np.uint64(self.last))
        return inside & (is_validation(numbers, config.validation_share) == (self.split == "val"))


def id_numbers(doc_ids: Sequence[str]) -> np.ndarray:
    """The ids as pairs of 64-bit numbers, shape (N, 2): the first and the last 16 of their 32 hex digits."""
    return np.frombuffer(bytes.fromhex("".join(doc_ids)), dtype=">u8").astype(np.uint64).reshape(-1, 2)


def is_validation(numbers: np.ndarray, share: float) -> np.ndarray:
    """Which documents (rows of `id_numbers`) are for validation: those whose id's second half, a hash, is small."""
    return numbers[:, 1] < np.uint64(int(share * 2**64))


def plan_shards(numbers: np.ndarray, n_tokens: np.ndarray, config: TokenizeConfig) -> list[Cut]:
    """The shards of a corpus with the ids `numbers` (N, 2) and token counts `n_tokens` (N,), a pure function of both.

    Documents are taken in the order of their ids; a shard ends with the document that fills it.
    """
    cuts = []
    validation = is_validation(numbers, config.validation_share)
    for split, chosen in (("train", ~validation), ("val", validation)):
        order = np.lexsort((numbers[chosen, 1], numbers[chosen, 0]))
        firsts, tokens = numbers[chosen, 0][order], n_tokens[chosen][order]
        shard = (np.cumsum(tokens) - tokens) // config.shard_tokens
        for ordinal, index in enumerate(np.unique(shard)):
            members = shard == index
            inside = firsts[members]
            cuts.append(Cut(split, ordinal, int(inside[0]), int(inside[-1]), len(inside), int(tokens[members].sum())))
    return cuts


class EncodedWriter:
    """`encoded/part-*.arrow` in the making: an Arrow IPC file of batches (doc_id, tokens, n_bytes, n_chars)."""

    def __init__(self, root: Path, final: str, tokenizer: Tokenizer) -> None:
        self.final = final
        self.tokenizer = tokenizer
        self.dtype = token_dtype(tokenizer.vocabulary_size)
        self.schema = encoded_schema(self.dtype)
        target = root / final
        target.parent.mkdir(parents=True, exist_ok=True)
        self.temporary = temporary_name(target)
        self.rows = 0
        self._stream: pa.OSFile | None = pa.OSFile(str(self.temporary), "wb")
        self._writer = pa.ipc.new_file(self._stream, self.schema)

    def __enter__(self) -> "EncodedWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._stream is not None:
            self._close()
            self.temporary.unlink(missing_ok=True)

    def write(self, doc_ids: Sequence[str], texts: Sequence[str]) -> None:
        """Append documents: the delimiter, then the text's tokens."""
        flat, offsets = self.tokenizer.encode_batch(list(texts))
        count = len(texts)
        # One delimiter before each document: its tokens move right by one more than those of the document before.
        starts = offsets[:-1] + np.arange(count)
        tokens = np.empty(len(flat) + count, dtype=self.dtype)
        is_delimiter = np.zeros(len(tokens), dtype=bool)
        is_delimiter[starts] = True
        tokens[is_delimiter] = self.tokenizer.delimiter_id
        tokens[~is_delimiter] = flat
        shifted = offsets + np.arange(count + 1)
        columns = [
            pa.array(doc_ids, pa.string()),
            pa.LargeListArray.from_arrays(pa.array(shifted, pa.int64()), pa.array(tokens)),
            pa.array([len(text.encode("utf-8")) for text in texts], pa.int64()),
            pa.array([len(text) for text in texts], pa.int64()),
        ]
        self._writer.write_batch(pa.record_batch(columns, schema=self.schema))
        self.rows += count

    def finish(self) -> Output:
        """Close, sync and hash the file; it keeps its temporary name until the driver commits it."""
        self._close()
        sync(self.temporary)
        size = self.temporary.stat().st_size
        return Output(str(self.temporary), self.final, file_digest(self.temporary), size, self.rows)

    def _close(self) -> None:
        if self._stream is not None:
            self._writer.close()
            self._stream.close()
            self._stream = None


def encoded_schema(dtype: np.dtype) -> pa.Schema:
    """The columns of an encoded part."""
    return pa.schema(
        [
            pa.field("doc_id", pa.string(), nullable=False),
            pa.field("tokens", pa.large_list(pa.field("item", pa.from_numpy_dtype(dtype)))),
            pa.field("n_bytes", pa.int64(), nullable=False),
            pa.field("n_chars", pa.int64(), nullable=False),
        ]
    )


def encoded_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The batches of an encoded part, mapped, not read; they keep the mapping alive."""
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)


class Gathered(NamedTuple):
    """The documents of one shard, in the order of their ids: what `token_store.write_shard` takes."""

    doc_ids: list[str]
    tokens: np.ndarray
    offsets: np.ndarray
    n_bytes: np.ndarray
    n_chars: np.ndarray


def gather(
    paths: Sequence[Path], cut: Cut, config: TokenizeConfig, dtype: np.dtype, removed: frozenset[str] = frozenset()
) -> Gathered:
    """Collect the documents of `cut` from the encoded parts, without those whose ids are in `removed`.

    Raises ValueError when there are not as many as planned, the removed ones included.
    """
    found: list[tuple[str, np.ndarray, int, int]] = []
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
