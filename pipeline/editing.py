"""How a stage edits texts without a second copy of them: it finds edits against the text as extracted, and judges by them.

The stage keeps the documents that none of its rules drops. Their edits are in `edits/<stage>/`; their sizes, after the edits of
all stages so far, are in the verdicts.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.corpus import layout
from pipeline.corpus.columns import aligned, batches, came_as_text, documents, read, survivors
from pipeline.corpus.writer import TableWriter
from pipeline.engine.task import Result, Task, finished
from pipeline.rules import VERDICT_SCHEMA, Rule, judge
from pipeline.text import edits
from pipeline.text.edits import EDIT_SCHEMA, Edit
from pipeline.tokens.opening import load_tokenizer
from pipeline.tokens.tokenizer import DELIMITER_TOKENS

# The sizes of each text after a stage that edits texts: code points, bytes of UTF-8, tokens with the delimiter.
SIZES = ("n_chars", "n_bytes", "n_tokens")
SIZED_VERDICT_SCHEMA = pa.schema([*VERDICT_SCHEMA, *(pa.field(name, pa.int64(), nullable=False) for name in SIZES)])
# The files that a stage that edits texts reads, whichever stages precede it.
EDITING_READS = (
    layout.documents(),
    layout.token_counts(),
    layout.survivors_name("{judge}"),
    layout.verdicts("{editor}"),
    layout.edits("{editor}"),
    "tokenizer",
)


# What a stage finds in a batch of texts, each of which came as text or from a page.
Find = Callable[[list[str], list[bool]], list[list[Edit]]]


def edit_part(task: Task[Any], rules: Sequence[Rule], find: Find) -> Result:
    """Write the edits and verdicts of one part for a stage that edits texts, with the size of each text after it.

    find: takes a batch of texts as extracted, and whether each came as text; returns the edits of each. The sizes are those after
    the edits of all stages so far; rules may judge them and `n_edits`, the number of edits of this stage. Raises KeyError if a
    document has no sizes, TokenizerError if the corpus's tokenizer cannot be loaded.
    """
    kept = survivors(task.folder, task.upstream.judge, task.part)
    sizes = sizes_after(task.folder, task.part, task.upstream.editors)
    earlier = edits_of(task.folder, task.part, task.upstream.editors)
    tokenizer = load_tokenizer(task.folder / layout.TOKENIZER)
    with ExitStack() as stack:
        spans = stack.enter_context(TableWriter(task.folder, layout.edits(task.stage, task.part), EDIT_SCHEMA))
        verdicts = stack.enter_context(TableWriter(task.folder, layout.verdicts(task.stage, task.part), SIZED_VERDICT_SCHEMA))
        for batch in documents(task.folder, task.part, ["doc_id", "text", "extractor"], kept):
            doc_ids, texts = batch["doc_id"].to_pylist(), batch["text"].to_pylist()
            before = aligned(sizes, batch["doc_id"])
            measured = {name: before[name].to_numpy().copy() for name in SIZES}
            found = find(texts, came_as_text(batch))
            changed = [index for index, spans_found in enumerate(found) if spans_found]
            after = [edits.apply(texts[index], edits.merge(earlier.get(doc_ids[index], []), found[index])) for index in changed]
            if changed:
                measured["n_chars"][changed] = [len(text) for text in after]
                measured["n_bytes"][changed] = [len(text.encode("utf-8")) for text in after]
                measured["n_tokens"][changed] = tokenizer.count_batch(after) + DELIMITER_TOKENS
            measured["n_edits"] = np.array([len(spans_found) for spans_found in found])
            judged = judge(rules, doc_ids, measured)
            sized = {name: pa.array(measured[name], pa.int64()) for name in SIZES}
            verdicts.write(pa.table({**dict(zip(judged.column_names, judged.columns, strict=True)), **sized}))
            is_kept = judged["kept"].to_pylist()
            spans.write(_edit_rows(doc_ids, [each if good else [] for each, good in zip(found, is_kept, strict=True)]))
        return finished(task, verdicts, spans)


def sizes_after(root: Path, part: str, editors: Sequence[str]) -> pa.Table:
    """doc_id, n_chars, n_bytes and n_tokens of the documents of a part, after the edits of `editors`; as extracted if empty."""
    if editors:
        return read(root, layout.verdicts(editors[-1], part), ["doc_id", *SIZES])
    counts = read(root, layout.token_counts(part), ["doc_id", "n_tokens"])
    features = read(root, layout.features(part), ["doc_id", "n_chars", "n_bytes"])
    features = aligned(features, counts["doc_id"])
    return pa.table(
        {
            "doc_id": counts["doc_id"],
            "n_chars": features["n_chars"].cast(pa.int64()),
            "n_bytes": features["n_bytes"].cast(pa.int64()),
            "n_tokens": counts["n_tokens"],
        }
    )


def edits_of(root: Path, part: str, stages: Sequence[str]) -> dict[str, list[Edit]]:
    """The edits that `stages` made in a part, as doc_id -> edits, merged so that they are ordered and do not overlap."""
    groups: dict[str, list[list[Edit]]] = {}
    for rank, stage in enumerate(stages):
        for batch in batches(root, layout.edits(stage, part)):
            for row in batch.to_pylist():
                of_document = groups.setdefault(row.pop("doc_id"), [[] for _ in stages])
                of_document[rank].append(Edit(**row))
    return {doc_id: edits.merge(*of_document) for doc_id, of_document in groups.items()}


def _edit_rows(doc_ids: Sequence[str], found: Sequence[Sequence[Edit]]) -> pa.Table:
    rows = [(doc_id, *edit) for doc_id, of_document in zip(doc_ids, found, strict=True) for edit in of_document]
    columns: list[Sequence[object]] = list(zip(*rows, strict=True)) if rows else [[] for _ in EDIT_SCHEMA]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, EDIT_SCHEMA, strict=True)], EDIT_SCHEMA)
