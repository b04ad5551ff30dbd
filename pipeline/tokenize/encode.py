"""documents/ and edits/ → encoded/: the final texts of a part as tokens, from which shards are cut."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.corpus import layout
from pipeline.corpus.columns import documents, survivors
from pipeline.corpus.writer import Output
from pipeline.editing import edits_of
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task, finished
from pipeline.files import file_digest, sync, temporary_name
from pipeline.text import edits
from pipeline.tokens.opening import load_tokenizer
from pipeline.tokens.store import token_dtype
from pipeline.tokens.tokenizer import Tokenizer


class EncodedWriter:
    """Writes `encoded/part-*.arrow`: an Arrow IPC file of batches (doc_id, tokens, n_bytes, n_chars). Raises OSError."""

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
        """Append documents, each as the delimiter and then its text's tokens. Raises TokenizerError for a lone surrogate."""
        flat, offsets = self.tokenizer.encode_batch(list(texts))
        count = len(texts)
        # One delimiter per document, so the tokens of document i move right by i + 1.
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
        """Close, sync and hash the file, which keeps its temporary name until the driver commits it."""
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
    """The columns of an encoded part whose tokens have this dtype."""
    return pa.schema(
        [
            pa.field("doc_id", pa.string(), nullable=False),
            pa.field("tokens", pa.large_list(pa.field("item", pa.from_numpy_dtype(dtype)))),
            pa.field("n_bytes", pa.int64(), nullable=False),
            pa.field("n_chars", pa.int64(), nullable=False),
        ]
    )


def encoded_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the batches of an encoded part, mapped rather than read; a batch keeps the mapping alive. Raises OSError."""
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)


def encode_part(task: Task[None], mark: Mark) -> Result:
    """Encode the final texts of a part in input order, documents that were taken down included. Raises TokenizerError."""
    tokenizer = load_tokenizer(task.folder / layout.TOKENIZER)
    final_edits = edits_of(task.folder, task.part, task.upstream.editors)
    kept = survivors(task.folder, task.upstream.judge, task.part)
    with EncodedWriter(task.folder, layout.encoded(task.part), tokenizer) as encoded:
        for batch in documents(task.folder, task.part, ["doc_id", "text"], kept):
            doc_ids = batch["doc_id"].to_pylist()
            texts = [
                edits.apply(text, final_edits.get(doc_id, []))
                for doc_id, text in zip(doc_ids, batch["text"].to_pylist(), strict=True)
            ]
            encoded.write(doc_ids, texts)
        return finished(task, encoded)


STAGE = Stage(
    "encode",
    "part",
    encode_part,
    reads=(layout.documents(), layout.survivors_name("{judge}"), layout.edits("{editor}"), "tokenizer"),
    writes={layout.encoded(): None},
    counted_as="tokenize",
)
