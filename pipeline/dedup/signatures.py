"""documents/ → signatures/: MinHash values of the documents that passed quality."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.corpus import layout
from pipeline.corpus.columns import aligned, documents, survivors
from pipeline.corpus.writer import TableWriter
from pipeline.dedup import minhash
from pipeline.dedup.config import SignatureSettings, signature_settings
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task, finished
from pipeline.files import file_digest


def sign_part(task: Task[SignatureSettings], mark: Mark) -> Result:
    """Sign the documents of a part that reach the stage.

    A signature is a pure function of the text, so those of an earlier run, from the same documents under the same settings, are
    reused: a stricter threshold reads no text, a looser one only the texts that are newly kept.
    """
    settings = task.settings
    name = layout.signatures(task.part)
    origin = {
        "settings": json.dumps(settings),
        "documents": file_digest(task.folder / layout.documents(task.part)),
    }
    known = _known_signatures(task.folder / name, origin)
    kept = survivors(task.folder, task.upstream.judge, task.part)
    schema = pa.schema(
        [pa.field("doc_id", pa.string(), nullable=False), pa.field("signature", pa.binary(settings.values))],
        metadata=origin,
    )
    with TableWriter(task.folder, name, schema) as signatures:
        if known is not None and pc.all(pc.is_in(kept, value_set=known["doc_id"])).as_py() is not False:
            if len(kept):
                signatures.write(aligned(known, pa.chunked_array([kept])))
            return finished(task, signatures)
        for batch in documents(task.folder, task.part, ["doc_id", "text"], kept):
            signatures.write(_signed(batch, known, settings, schema))
        return finished(task, signatures)


def _known_signatures(path: Path, origin: dict[str, str]) -> pa.Table | None:
    """The signatures of an earlier run, if they were made from the same documents under the same settings."""
    if not path.exists():
        return None
    with pq.ParquetFile(path) as parquet:
        metadata = parquet.schema_arrow.metadata or {}
        if {key: metadata.get(key.encode(), b"").decode() for key in origin} != origin:
            return None
        return parquet.read()


def _signed(batch: pa.Table, known: pa.Table | None, settings: SignatureSettings, schema: pa.Schema) -> pa.Table:
    """Signatures of a batch of documents, in its order; only texts whose signature is not known are hashed."""
    doc_ids = batch["doc_id"]
    fresh = batch if known is None else batch.filter(pc.invert(pc.is_in(doc_ids, value_set=known["doc_id"])))
    values = minhash.signatures(fresh["text"].to_pylist(), shingle=settings.shingle, values=settings.values)
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
    settings="dedup",
    obeys=signature_settings,
    counted_as="dedup",
)
