"""The format of token shards on disk, and how a shard is written and opened.

A dataset is a folder with shards and `dataset.json`, which is written last and names the shards in order, with sizes and hashes
(`tokens.dataset` opens it). A shard is one uncompressed Arrow IPC *file* with exactly one record batch and one row per document,
so that the token stream (`tokens.values`) and the document offsets (`tokens.offsets`) are views of the mapped file. The delimiter
is the first token of each document and occurs nowhere else. A split without documents has no shards; a shard has at least one
document.

Every refusal is a `TokenStoreError`.
"""

import hashlib
import json
import mmap
import os
import re
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.errors import RunStopped
from pipeline.files import replacing

FORMAT_VERSION = 1
DATASET_FILE = "dataset.json"
_DOC_ID = re.compile("[0-9a-f]{32}")


class TokenStoreError(RunStopped):
    """A shard or dataset cannot be written or read; the message names the file and what to do."""


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """`files.replacing` for files of a token dataset. Raises TokenStoreError instead of OSError."""
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise TokenStoreError(f"{path}: cannot be written ({error}); make room or choose another folder") from error


class _Tokenizer(Protocol):
    """What the store needs from a tokenizer."""

    @property
    def digest(self) -> str: ...
    @property
    def vocabulary_size(self) -> int: ...
    @property
    def delimiter_id(self) -> int: ...


@dataclass(frozen=True)
class TokenMeta:
    """Which tokenizer made the tokens: the hex SHA-256 of its files, its number of ids, and the id of the delimiter."""

    tokenizer_sha256: str
    vocabulary_size: int
    delimiter_id: int

    @classmethod
    def of(cls, tokenizer: _Tokenizer) -> "TokenMeta":
        """The description of a tokenizer's tokens."""
        return cls(tokenizer.digest, tokenizer.vocabulary_size, tokenizer.delimiter_id)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of stored tokens, see `token_dtype`."""
        return token_dtype(self.vocabulary_size)

    def described(self) -> dict[str, str | int]:
        """The description as written in `dataset.json` and in each shard's schema."""
        return {"format_version": FORMAT_VERSION, **asdict(self), "dtype": self.dtype.name}


@dataclass(frozen=True)
class ShardInfo:
    """A written shard: file name, number of documents and tokens (delimiters included), hex SHA-256 of its bytes, end ids."""

    file: str
    documents: int
    tokens: int
    sha256: str
    first_doc_id: str
    last_doc_id: str


def token_dtype(vocabulary_size: int) -> np.dtype:
    """uint16 for up to 65,536 ids (0 to `vocabulary_size` - 1), uint32 for more."""
    return np.dtype(np.uint16 if vocabulary_size <= 2**16 else np.uint32)


# Writing


def write_shard(
    path: Path,
    doc_ids: Sequence[str],
    tokens: npt.NDArray[np.unsignedinteger[Any]],
    offsets: npt.NDArray[np.int64],
    n_bytes: npt.NDArray[np.integer[Any]],
    n_chars: npt.NDArray[np.integer[Any]],
    meta: TokenMeta,
) -> ShardInfo:
    """Write one shard atomically, without copying `tokens`; an existing file is replaced.

    doc_ids: N ids of 32 hex digits, N > 0. tokens: (T,) of dtype `meta.dtype`; document i is `tokens[offsets[i]:offsets[i + 1]]`
    and begins with the delimiter. offsets: int64 (N + 1,). n_bytes, n_chars: integers (N,), the sizes of the encoded texts in
    UTF-8 bytes and code points.

    Raises TokenStoreError if the columns break the format or the file cannot be written.
    """
    _check_documents(path, doc_ids, {"n_bytes": n_bytes, "n_chars": n_chars})
    _check_tokens(path, len(doc_ids), tokens, offsets, meta)
    schema = _shard_schema(meta, len(doc_ids), len(tokens))
    columns = [
        pa.array(doc_ids, pa.string()),
        pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(tokens), type=schema.field("tokens").type),
        pa.array(n_bytes, pa.uint32()),
        pa.array(n_chars, pa.uint32()),
    ]
    with replacing_file(path) as temporary:
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(pa.record_batch(columns, schema=schema))
        digest = sha256_of(temporary)
    return ShardInfo(path.name, len(doc_ids), len(tokens), digest, doc_ids[0], doc_ids[-1])


def write_dataset(folder: Path, splits: Mapping[str, Sequence[ShardInfo]], meta: TokenMeta) -> str:
    """Write `dataset.json` for the shards in `folder` and return the fingerprint.

    The fingerprint is the hex SHA-256 of everything else in the file: the order, sizes and hashes of the shards, and the
    description of the tokenizer. It depends on no path outside the folder and on no time. The shards are opened and compared
    with `splits`, but their tokens are not read again.

    Raises TokenStoreError if a shard is missing, damaged or made with another tokenizer, or if the file cannot be written.
    """
    shards: list[dict[str, Any]] = []
    totals: dict[str, dict[str, int]] = {}
    for split, infos in splits.items():
        total = {"shards": 0, "documents": 0, "tokens": 0, "n_bytes": 0, "n_chars": 0}
        for info in infos:
            path = folder / info.file
            shard = open_shard(path, info, meta)
            first = {"first_token": total["tokens"], "first_document": total["documents"]}
            shards.append({"split": split, **asdict(info), "size": file_size(path), **first})
            total["shards"] += 1
            total["documents"] += info.documents
            total["tokens"] += info.tokens
            total["n_bytes"] += int(shard.n_bytes.sum(dtype=np.int64))
            total["n_chars"] += int(shard.n_chars.sum(dtype=np.int64))
        totals[split] = total
    content = {**meta.described(), "splits": totals, "shards": shards}
    fingerprint = fingerprint_of(content)
    with replacing_file(folder / DATASET_FILE) as temporary:
        text = json.dumps({**content, "fingerprint": fingerprint}, indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return fingerprint


def _check_documents(path: Path, doc_ids: Sequence[str], sizes: Mapping[str, npt.NDArray[np.integer[Any]]]) -> None:
    count = len(doc_ids)
    if count == 0:
        raise TokenStoreError(f"{path}: a shard needs a document; write no shard for an empty split")
    bad_id = next((doc_id for doc_id in doc_ids if not _DOC_ID.fullmatch(doc_id)), None)
    if bad_id is not None:
        raise TokenStoreError(f"{path}: doc_id {bad_id!r} is not 32 lower-case hex digits")
    for name, values in sizes.items():
        # Stored as uint32; no document has a text of 4 GiB.
        if values.shape != (count,) or values.min() < 0 or values.max() >= 2**32:
            raise TokenStoreError(f"{path}: {name} must hold {count} sizes from 0 to {2**32 - 1}")


def _check_tokens(
    path: Path, documents: int, tokens: npt.NDArray[np.unsignedinteger[Any]], offsets: npt.NDArray[np.int64], meta: TokenMeta
) -> None:
    if tokens.dtype != meta.dtype or tokens.ndim != 1:
        raise TokenStoreError(
            f"{path}: tokens of dtype {tokens.dtype} and shape {tokens.shape}; a vocabulary of {meta.vocabulary_size} ids is "
            f"stored flat as {meta.dtype}"
        )
    if offsets.dtype != np.int64 or offsets.shape != (documents + 1,):
        raise TokenStoreError(
            f"{path}: offsets of dtype {offsets.dtype} and shape {offsets.shape}; they must be int64 of shape ({documents + 1},)"
        )
    if offsets[0] != 0 or offsets[-1] != len(tokens) or (np.diff(offsets) < 1).any():
        raise TokenStoreError(f"{path}: offsets must rise from 0 to the {len(tokens)} tokens; no document is without a token")
    if int(tokens.max()) >= meta.vocabulary_size:
        raise TokenStoreError(f"{path}: token {tokens.max()} is outside the vocabulary of {meta.vocabulary_size} ids")
    delimiter = meta.delimiter_id
    if (tokens[offsets[:-1]] != delimiter).any() or np.count_nonzero(tokens == delimiter) != documents:
        raise TokenStoreError(f"{path}: the delimiter, {delimiter}, must be the first token of each document and no other")


def _shard_schema(meta: TokenMeta, documents: int, tokens: int) -> pa.Schema:
    token = pa.field("item", pa.from_numpy_dtype(meta.dtype), nullable=False)
    described = {**meta.described(), "documents": documents, "tokens": tokens}
    return pa.schema(
        [
            pa.field("doc_id", pa.string(), nullable=False),
            pa.field("tokens", pa.large_list(token), nullable=False),
            pa.field("n_bytes", pa.uint32(), nullable=False),
            pa.field("n_chars", pa.uint32(), nullable=False),
        ],
        metadata={name: str(value) for name, value in described.items()},
    )


# Reading


@dataclass(frozen=True, eq=False)
class TokenShard:
    """One mapped shard of N documents and T tokens. Every array is a read-only view of the file; nothing is copied.

    tokens: uint16 or uint32 (T,). offsets: int64 (N + 1,); document i is `tokens[offsets[i]:offsets[i + 1]]`.
    doc_ids: Arrow strings (N,). n_bytes, n_chars: uint32 (N,), sizes of the encoded texts in UTF-8 bytes and code points.
    descriptor: the open file, closed when the last view is gone. first_byte: the byte of the file at which the tokens begin. With
    these two a reader gets tokens by `pread`, without mapping pages of the file into its memory.
    """

    path: Path
    meta: TokenMeta
    tokens: npt.NDArray[np.unsignedinteger[Any]]
    offsets: npt.NDArray[np.int64]
    doc_ids: pa.StringArray
    n_bytes: npt.NDArray[np.integer[Any]]
    n_chars: npt.NDArray[np.integer[Any]]
    descriptor: int
    first_byte: int

    @classmethod
    def open(cls, path: Path) -> "TokenShard":
        """Map a shard without reading its tokens. Raises TokenStoreError if it is damaged or of another format version."""
        try:
            with path.open("rb") as stream:
                mapping = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
                descriptor = os.dup(stream.fileno())
            weakref.finalize(mapping, os.close, descriptor)
            mapped = pa.py_buffer(mapping)
            reader = pa.ipc.open_file(pa.BufferReader(mapped))
            described = {name.decode(): value.decode() for name, value in (reader.schema.metadata or {}).items()}
            check_version(path, described.get("format_version"))
            meta = TokenMeta(described["tokenizer_sha256"], int(described["vocabulary_size"]), int(described["delimiter_id"]))
            expected = _shard_schema(meta, int(described["documents"]), int(described["tokens"]))
            batch = reader.get_batch(0)
            whole = reader.num_record_batches == 1 and reader.schema.equals(expected, check_metadata=True)
        except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
            raise TokenStoreError(f"{path}: cannot be read as a token shard ({error}); run the pipeline again") from error
        tokens = batch.column("tokens") if whole else None
        if tokens is None or (len(tokens), len(tokens.values)) != (int(described["documents"]), int(described["tokens"])):
            raise TokenStoreError(f"{path}: its columns are not those that it describes; run the pipeline again")
        first_byte = tokens.values.buffers()[1].address - mapped.address
        if not 0 <= first_byte <= len(mapping) - tokens.values.nbytes:
            raise TokenStoreError(f"{path}: its tokens are compressed, and cannot be read in place; run the pipeline again")
        return cls(
            path,
            meta,
            tokens=tokens.values.to_numpy(),
            offsets=tokens.offsets.to_numpy(),
            doc_ids=batch.column("doc_id"),
            n_bytes=batch.column("n_bytes").to_numpy(),
            n_chars=batch.column("n_chars").to_numpy(),
            descriptor=descriptor,
            first_byte=first_byte,
        )


def open_shard(path: Path, info: ShardInfo, meta: TokenMeta) -> TokenShard:
    """Map the shard that `info` describes. Raises TokenStoreError if it is damaged or has another tokenizer or size."""
    shard = TokenShard.open(path)
    if shard.meta != meta:
        raise TokenStoreError(f"{path}: made with {shard.meta}, not with {meta}; tokenize the corpus again")
    if (len(shard.doc_ids), len(shard.tokens)) != (info.documents, info.tokens):
        raise TokenStoreError(
            f"{path}: {len(shard.doc_ids)} documents with {len(shard.tokens)} tokens, not {info.documents} with {info.tokens}; "
            "run the pipeline again"
        )
    return shard


def check_version(path: Path, version: object) -> None:
    """Raise TokenStoreError if `version`, found in the file at `path`, is not the one that this module writes."""
    if str(version) != str(FORMAT_VERSION):
        raise TokenStoreError(
            f"{path}: format_version is {version}, this program reads {FORMAT_VERSION}; use the program that wrote it"
        )


def file_size(path: Path) -> int:
    """Size in bytes of the file at `path`. Raises TokenStoreError if there is none."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise TokenStoreError(f"{path}: {error.strerror}; copy the shard here or run the pipeline again") from error


def sha256_of(path: Path) -> str:
    """The hex SHA-256 of the file at `path`. Raises TokenStoreError if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise TokenStoreError(f"{path}: cannot be read ({error}); copy it again or run the pipeline again") from error


def fingerprint_of(content: Mapping[str, Any]) -> str:
    """The hex SHA-256 of the content of `dataset.json` without its fingerprint, independent of the order of keys."""
    described = {name: value for name, value in content.items() if name != "fingerprint"}
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()
