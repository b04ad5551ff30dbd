"""documents/ → token_counts/: the number of tokens of each extracted document, its delimiter included."""

import pyarrow as pa

from pipeline.corpus import layout
from pipeline.corpus.columns import documents
from pipeline.corpus.writer import TableWriter
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task, finished
from pipeline.tokens.opening import load_tokenizer
from pipeline.tokens.tokenizer import DELIMITER_TOKENS

TOKEN_COUNT_SCHEMA = pa.schema([pa.field("doc_id", pa.string(), nullable=False), pa.field("n_tokens", pa.int64())])


def count_tokens(task: Task[None], mark: Mark) -> Result:
    """Count the tokens of each document of a part, as extracted. Raises TokenizerError if the tokenizer cannot be loaded."""
    tokenizer = load_tokenizer(task.folder / layout.TOKENIZER)
    with TableWriter(task.folder, layout.token_counts(task.part), TOKEN_COUNT_SCHEMA) as counts:
        for batch in documents(task.folder, task.part, ["doc_id", "text"]):
            n_tokens = tokenizer.count_batch(batch["text"].to_pylist()) + DELIMITER_TOKENS
            counts.write(pa.table({"doc_id": batch["doc_id"], "n_tokens": n_tokens}))
        return finished(task, counts)


STAGE = Stage(
    "count",
    "part",
    count_tokens,
    reads=(layout.documents(), "tokenizer"),
    writes={layout.token_counts(): TOKEN_COUNT_SCHEMA},
    counted_as="tokenize",
)
