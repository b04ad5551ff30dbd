"""Units that see one part and nothing else: read it batch by batch, apply a stage's pure functions, write what they say.

Each function here is the same few lines round a stage: which columns it gets, which files its answers go to. What a stage
decides stands in the stage's own file.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.clean import stage as clean
from pipeline.corpus.columns import aligned, batches, documents, numbers, read, survivors
from pipeline.dedup import minhash
from pipeline.dedup.stage import DedupConfig
from pipeline.engine.local import Mark
from pipeline.engine.task import Result, Task
from pipeline.extract.stage import DOCUMENT_SCHEMA, RECORD_VERDICT_SCHEMA, extract
from pipeline.extract.warm_up import make_ready
from pipeline.files import BATCH_ROWS, TableWriter, file_digest
from pipeline.inputs.sources import read_records
from pipeline.measure.stage import FEATURE_SCHEMA, measure
from pipeline.pii import stage as pii
from pipeline.quality import config as quality
from pipeline.removals import log as removals
from pipeline.rules import VERDICT_SCHEMA, Rule, judge
from pipeline.text import edits
from pipeline.text.edits import EDIT_SCHEMA, Edit
from pipeline.tokenize.cuts import EncodedWriter
from pipeline.tokens.tokenizer import load_tokenizer

MEASURED_SCHEMA = pa.schema([pa.field("doc_id", pa.string(), nullable=False), *FEATURE_SCHEMA])
TOKEN_COUNT_SCHEMA = pa.schema([pa.field("doc_id", pa.string(), nullable=False), pa.field("n_tokens", pa.int64())])
# A stage that changes texts says how large each is afterwards.
SIZED_VERDICT_SCHEMA = pa.schema(
    [*VERDICT_SCHEMA, *(pa.field(name, pa.int64(), nullable=False) for name in ("n_chars", "n_bytes", "n_tokens"))]
)
# In a shard each document begins with the delimiter; counts include it, so that they add up to the shards.
DELIMITER_TOKENS = 1


def extract_input(task: Task, mark: Mark) -> Result:
    """extract: an input's records become `documents` and `verdicts/extract`."""
    assert task.source is not None
    config = task.manifest.extract
    make_ready(config.extractor)
    with ExitStack() as stack:
        text = stack.enter_context(TableWriter(task.folder, f"documents/{task.part}.parquet", DOCUMENT_SCHEMA))
        fate = stack.enter_context(TableWriter(task.folder, f"verdicts/extract/{task.part}.parquet", RECORD_VERDICT_SCHEMA))
        records = read_records(task.source, config.max_page_bytes)
        for extracted in extract(records, task.source.uri, config, task.skip, mark, BATCH_ROWS):
            text.write(extracted.documents)
            fate.write(extracted.verdicts)
        return _finished(task, text, fate)


def measure_part(task: Task, mark: Mark) -> Result:
    """measure: every number that later stages judge by, into `features`."""
    expressions = task.manifest.measure.read_lists()
    with TableWriter(task.folder, f"features/{task.part}.parquet", MEASURED_SCHEMA) as features:
        for batch in documents(task.folder, task.part, ["doc_id", "text"]):
            measured = measure(batch["text"].to_pylist(), expressions)
            features.write(pa.table({"doc_id": batch["doc_id"], **measured}, schema=MEASURED_SCHEMA))
        return _finished(task, features)


def judge_quality(task: Task, mark: Mark) -> Result:
    """quality: a verdict on each document from its numbers alone; no text is read."""
    rules = quality.rules_of(task.manifest.quality)
    columns = sorted({rule.measured for rule in rules})
    with TableWriter(task.folder, f"verdicts/quality/{task.part}.parquet", VERDICT_SCHEMA) as verdicts:
        for batch in batches(task.folder, f"features/{task.part}.parquet", ["doc_id", *columns]):
            verdicts.write(judge(rules, batch["doc_id"].to_pylist(), numbers(batch, columns)))
        return _finished(task, verdicts)


def count_tokens(task: Task, mark: Mark) -> Result:
    """count: how many tokens each extracted document takes in a shard, its delimiter included."""
    tokenizer = load_tokenizer(task.folder / "tokens" / "tokenizer")
    with TableWriter(task.folder, f"token_counts/{task.part}.parquet", TOKEN_COUNT_SCHEMA) as counts:
        for batch in documents(task.folder, task.part, ["doc_id", "text"]):
            n_tokens = tokenizer.count_batch(batch["text"].to_pylist()) + DELIMITER_TOKENS
            counts.write(pa.table({"doc_id": batch["doc_id"], "n_tokens": n_tokens}))
        return _finished(task, counts)


def signature_settings(config: DedupConfig) -> list[int]:
    """What of the dedup section a signature depends on."""
    return [config.shingle, config.rows, config.bands]


def sign_part(task: Task, mark: Mark) -> Result:
    """signatures: MinHash values of the documents that passed quality.

    A signature is a pure function of the text, so those of a document that was signed before, from the same documents
    under the same settings, are taken over: a stricter threshold reads no text, a looser one that of the newly kept.
    """
    config = task.manifest.dedup
    name = f"signatures/{task.part}.parquet"
    origin = {
        "settings": json.dumps(signature_settings(config)),
        "documents": file_digest(task.folder / f"documents/{task.part}.parquet"),
    }
    known = _known_signatures(task.folder / name, origin)
    kept = survivors(task.folder, "quality", task.part)
    schema = pa.schema(
        [pa.field("doc_id", pa.string(), nullable=False), pa.field("signature", pa.binary(config.values))],
        metadata=origin,
    )
    with TableWriter(task.folder, name, schema) as signatures:
        if known is not None and pc.all(pc.is_in(kept, value_set=known["doc_id"])).as_py() is not False:
            if len(kept):
                signatures.write(aligned(known, pa.chunked_array([kept])))
            return _finished(task, signatures)
        for batch in documents(task.folder, task.part, ["doc_id", "text"], kept):
            signatures.write(_signed(batch, known, config, schema))
        return _finished(task, signatures)


def _known_signatures(path: Path, origin: dict[str, str]) -> pa.Table | None:
    """The signatures that an earlier run left, when they were made of the same documents in the same way."""
    if not path.exists():
        return None
    with pq.ParquetFile(path) as parquet:
        metadata = parquet.schema_arrow.metadata or {}
        if {key: metadata.get(key.encode(), b"").decode() for key in origin} != origin:
            return None
        return parquet.read()


def _signed(batch: pa.Table, known: pa.Table | None, config: DedupConfig, schema: pa.Schema) -> pa.Table:
    """Signatures of a batch of documents, in its order, hashing only the texts whose signature is not known."""
    doc_ids = batch["doc_id"]
    fresh = batch if known is None else batch.filter(pc.invert(pc.is_in(doc_ids, value_set=known["doc_id"])))
    values = minhash.signatures(fresh["text"].to_pylist(), shingle=config.shingle, values=config.values)
    # A text without a shingle has no signature: null, so that it is never taken for a duplicate.
    signed = minhash.has_signature(values)
    raw = [row.tobytes() if has else None for row, has in zip(values, signed, strict=True)]
    made = pa.table([fresh["doc_id"], pa.array(raw, schema.field("signature").type)], schema=schema)
    return made if known is None else aligned(pa.concat_tables([known.cast(schema), made]), doc_ids)


def clean_part(task: Task, mark: Mark) -> Result:
    """clean: edits of punctuation, footers and control characters, and the sizes that are left."""
    config = task.manifest.clean
    return _edit_part(task, "hosts", clean.rules_of(config), lambda texts: clean.find_edits_batch(texts, config))


def mask_part(task: Task, mark: Mark) -> Result:
    """pii: edits that mask personal data, or the verdict that a document with some is dropped."""
    config = task.manifest.pii
    return _edit_part(task, "clean", pii.rules_of(config), lambda texts: pii.find_personal_data_batch(texts, config))


def _edit_part(task: Task, previous: str, rules: Sequence[Rule], find: Callable[[list[str]], list[list[Edit]]]) -> Result:
    """Edits and verdicts of a stage that changes texts, with the size of each text after it.

    `find` sees the texts as extracted; the sizes are those after the edits of all stages so far.
    """
    kept = survivors(task.folder, previous, task.part)
    sizes = _sizes_before(task, previous)
    earlier = edits_of(task.folder, task.part, ["clean"]) if previous == "clean" else {}
    tokenizer = load_tokenizer(task.folder / "tokens" / "tokenizer")
    with ExitStack() as stack:
        spans = stack.enter_context(TableWriter(task.folder, f"edits/{task.stage}/{task.part}.parquet", EDIT_SCHEMA))
        verdicts = stack.enter_context(
            TableWriter(task.folder, f"verdicts/{task.stage}/{task.part}.parquet", SIZED_VERDICT_SCHEMA)
        )
        for batch in documents(task.folder, task.part, ["doc_id", "text"], kept):
            doc_ids, texts = batch["doc_id"].to_pylist(), batch["text"].to_pylist()
            before = aligned(sizes, batch["doc_id"])
            measured = {name: before[name].to_numpy().copy() for name in ("n_chars", "n_bytes", "n_tokens")}
            found = find(texts)
            changed = [index for index, spans_found in enumerate(found) if spans_found]
            after = [edits.apply(texts[index], edits.merge(earlier.get(doc_ids[index], []), found[index])) for index in changed]
            if changed:
                measured["n_chars"][changed] = [len(text) for text in after]
                measured["n_bytes"][changed] = [len(text.encode("utf-8")) for text in after]
                measured["n_tokens"][changed] = tokenizer.count_batch(after) + DELIMITER_TOKENS
            measured["n_edits"] = np.array([len(spans_found) for spans_found in found])
            judged = judge(rules, doc_ids, measured)
            sized = {name: pa.array(measured[name], pa.int64()) for name in ("n_chars", "n_bytes", "n_tokens")}
            verdicts.write(pa.table({**dict(zip(judged.column_names, judged.columns, strict=True)), **sized}))
            is_kept = judged["kept"].to_pylist()
            spans.write(_edit_rows(doc_ids, [each if good else [] for each, good in zip(found, is_kept, strict=True)]))
        return _finished(task, verdicts, spans)


def _sizes_before(task: Task, previous: str) -> pa.Table:
    """doc_id, n_chars, n_bytes and n_tokens of each document when it reaches the stage."""
    if previous == "clean":
        return read(task.folder, f"verdicts/clean/{task.part}.parquet", ["doc_id", "n_chars", "n_bytes", "n_tokens"])
    counts = read(task.folder, f"token_counts/{task.part}.parquet", ["doc_id", "n_tokens"])
    features = read(task.folder, f"features/{task.part}.parquet", ["doc_id", "num_letters", "n_bytes"])
    features = aligned(features, counts["doc_id"])
    return pa.table(
        {
            "doc_id": counts["doc_id"],
            "n_chars": features["num_letters"].cast(pa.int64()),
            "n_bytes": features["n_bytes"].cast(pa.int64()),
            "n_tokens": counts["n_tokens"],
        }
    )


def edits_of(root: Path, part: str, stages: Sequence[str]) -> dict[str, list[Edit]]:
    """The edits that `stages` made in a part, by document, settled among one another."""
    groups: dict[str, list[list[Edit]]] = {}
    for rank, stage in enumerate(stages):
        for batch in batches(root, f"edits/{stage}/{part}.parquet"):
            for row in batch.to_pylist():
                of_document = groups.setdefault(row.pop("doc_id"), [[] for _ in stages])
                of_document[rank].append(Edit(**row))
    return {doc_id: edits.merge(*of_document) for doc_id, of_document in groups.items()}


def _edit_rows(doc_ids: Sequence[str], found: Sequence[Sequence[Edit]]) -> pa.Table:
    rows = [(doc_id, *edit) for doc_id, of_document in zip(doc_ids, found, strict=True) for edit in of_document]
    columns: list[Sequence[object]] = list(zip(*rows, strict=True)) if rows else [[] for _ in EDIT_SCHEMA]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, EDIT_SCHEMA, strict=True)], EDIT_SCHEMA)


def judge_removals(task: Task, mark: Mark) -> Result:
    """removals: which documents someone asked to take down, by their URLs and hosts."""
    asked = removals.in_force(Path(task.folder))
    kept = survivors(task.folder, "pii", task.part)
    with TableWriter(task.folder, f"verdicts/removals/{task.part}.parquet", VERDICT_SCHEMA) as verdicts:
        for batch in documents(task.folder, task.part, ["doc_id", "url", "host"], kept):
            named = asked.match(batch["url"].to_pylist(), batch["host"].to_pylist())
            verdicts.write(judge(removals.RULES, batch["doc_id"].to_pylist(), {"taken_down": named.astype(np.float64)}))
        return _finished(task, verdicts)


def encode_part(task: Task, mark: Mark) -> Result:
    """encode: the final texts of a part as tokens, in the order of the input; shards are cut from these."""
    tokenizer = load_tokenizer(task.folder / "tokens" / "tokenizer")
    final_edits = edits_of(task.folder, task.part, ["clean", "pii"])
    kept = survivors(task.folder, "pii", task.part)
    with EncodedWriter(task.folder, f"encoded/{task.part}.arrow", tokenizer) as encoded:
        for batch in documents(task.folder, task.part, ["doc_id", "text"], kept):
            doc_ids = batch["doc_id"].to_pylist()
            texts = [
                edits.apply(text, final_edits.get(doc_id, []))
                for doc_id, text in zip(doc_ids, batch["text"].to_pylist(), strict=True)
            ]
            encoded.write(doc_ids, texts)
        return _finished(task, encoded)


def _finished(task: Task, *writers: TableWriter | EncodedWriter) -> Result:
    """The result of a unit: its files, and the digest of the survivors it names; rows are those of its first table."""
    outputs = tuple(writer.finish() for writer in writers)
    survivors_of = {
        f"survivors/{task.stage}/{task.part}": writer.survivors()
        for writer in writers
        if isinstance(writer, TableWriter) and writer.judges
    }
    return Result(outputs[0].rows, outputs, survivors_of)
