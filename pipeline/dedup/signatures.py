"""documents/ → signatures/: MinHash values of the documents that passed quality.

A signature is of the text that cleaning will leave, so that two documents that end as the same text are found, whatever footers,
invisible characters or commas they had. The edits are found here and again by `clean`, for the documents that stay: finding
them takes 0.1 % of a run, less than storing those of documents that go.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.clean.config import CleanConfig
from pipeline.clean.stage import find_edits_batch
from pipeline.corpus import layout
from pipeline.corpus.columns import aligned, came_as_text, documents, survivors
from pipeline.corpus.writer import TableWriter
from pipeline.dedup import minhash
from pipeline.dedup.config import SigningConfig, signing
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task, finished
from pipeline.files import file_digest
from pipeline.text.edits import apply


def sign_part(task: Task[SigningConfig], mark: Mark) -> Result:
    """Sign the documents of a part that reach the stage.

    A signature is a pure function of the text, so those of an earlier run, from the same documents by the same code and settings,
    are reused: a stricter threshold reads no text, a looser one only the texts that are newly kept.
    """
    settings = task.settings
    name = layout.signatures(task.part)
    origin = {
        "settings": json.dumps(settings.dedup),
        "clean": settings.clean.model_dump_json(),
        "code": task.code,
        "documents": file_digest(task.folder / layout.documents(task.part)),
    }
    known = _known_signatures(task.folder / name, origin)
    kept = survivors(task.folder, task.upstream.judge, task.part)
    signature = pa.field("signature", pa.binary(settings.dedup.rows * settings.dedup.bands))
    schema = pa.schema([pa.field("doc_id", pa.string(), nullable=False), signature], metadata=origin)
    with TableWriter(task.folder, name, schema) as signatures:
        if known is not None and pc.all(pc.is_in(kept, value_set=known["doc_id"])).as_py() is not False:
            if len(kept):
                signatures.write(aligned(known, pa.chunked_array([kept])))
            return finished(task, signatures)
        for batch in documents(task.folder, task.part, ["doc_id", "text", "extractor"], kept):
            signatures.write(_signed(batch, known, settings, schema))
        return finished(task, signatures)


def texts_as_compared(texts: Sequence[str], came_as_text: Sequence[bool], config: CleanConfig) -> list[str]:
    """The texts that cleaning would leave of `texts`, which are not stored.

    came_as_text: whether each text came as text, and is not what an extractor made of a page.
    """
    found = find_edits_batch(texts, config, came_as_text)
    return [apply(text, edits) if edits else text for text, edits in zip(texts, found, strict=True)]


def _known_signatures(path: Path, origin: dict[str, str]) -> pa.Table | None:
    """The signatures of an earlier run, if they were made from the same documents under the same settings."""
    if not path.exists():
        return None
    with pq.ParquetFile(path) as parquet:
        metadata = parquet.schema_arrow.metadata or {}
        if {key: metadata.get(key.encode(), b"").decode() for key in origin} != origin:
            return None
        return parquet.read()


def _signed(batch: pa.Table, known: pa.Table | None, settings: SigningConfig, schema: pa.Schema) -> pa.Table:
    """Signatures of a batch of documents, in its order; only texts whose signature is not known are hashed."""
    doc_ids = batch["doc_id"]
    fresh = batch if known is None else batch.filter(pc.invert(pc.is_in(doc_ids, value_set=known["doc_id"])))
    values = minhash.signatures(
        texts_as_compared(fresh["text"].to_pylist(), came_as_text(fresh), settings.clean),
        shingle=settings.dedup.shingle,
        values=schema.field("signature").type.byte_width,
    )
    # A text without a shingle has no signature. It is null, so that the text is never a duplicate.
    signed = minhash.has_signature(values)
    raw = [row.tobytes() if has else None for row, has in zip(values, signed, strict=True)]
    made = pa.table([fresh["doc_id"], pa.array(raw, schema.field("signature").type)], schema=schema)
    return made if known is None else aligned(pa.concat_tables([known.cast(schema), made]), doc_ids)


STAGE = Stage(
    "signatures",
    "part",
    sign_part,
    reads=(layout.documents(), layout.survivors_name("{judge}")),
    writes={layout.signatures(): None},
    settings=("dedup", "clean"),
    obeys=signing,
    counted_as="dedup",
)
