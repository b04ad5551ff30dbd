"""documents/ → features/: every number that later stages judge by."""

import pyarrow as pa

from pipeline.corpus import layout
from pipeline.corpus.columns import came_as_text, documents
from pipeline.corpus.writer import TableWriter
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task, finished
from pipeline.measure.config import MeasureConfig
from pipeline.measure.expression_lists import read_lists
from pipeline.measure.stage import measure_stored
from pipeline.measure.table import FEATURE_SCHEMA

MEASURED_SCHEMA = pa.schema([pa.field("doc_id", pa.string(), nullable=False), *FEATURE_SCHEMA])


def measure_part(task: Task[MeasureConfig], mark: Mark) -> Result:
    """Measure the documents of a part, batch by batch. Raises ExpressionListError."""
    expressions = read_lists(task.settings)
    with TableWriter(task.folder, layout.features(task.part), MEASURED_SCHEMA) as features:
        for batch in documents(task.folder, task.part, ["doc_id", "text", "extractor"]):
            measured = measure_stored(batch["text"].to_pylist(), came_as_text(batch), expressions)
            features.write(pa.table({"doc_id": batch["doc_id"], **measured}, schema=MEASURED_SCHEMA))
        return finished(task, features)


STAGE = Stage(
    "measure",
    "part",
    measure_part,
    reads=(layout.documents(),),
    writes={layout.features(): MEASURED_SCHEMA},
    settings="measure",
    outside=lambda root, config: read_lists(config).digest,
    counted_as="quality",
)
