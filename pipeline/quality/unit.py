"""features/ and documents/ → verdicts/quality/: a verdict on each document, from its numbers and fields; no text is read."""

from pipeline.corpus import layout
from pipeline.corpus.columns import aligned, batches, numbers, read
from pipeline.corpus.writer import TableWriter
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task, finished
from pipeline.quality.config import QualityConfig, all_rules_of, rules_of
from pipeline.quality.fields import field_numbers
from pipeline.rules import VERDICT_SCHEMA, judge


def judge_quality(task: Task[QualityConfig], mark: Mark) -> Result:
    """Judge the documents of a part."""
    rules = all_rules_of(task.settings)
    columns = sorted({rule.measured for rule in rules_of(task.settings)})
    # Fields are read only if they are judged, since most corpora have none.
    has_fields = bool(task.settings.fields.by_path)
    came_with = read(task.folder, layout.documents(task.part), ["doc_id", "metadata"]) if has_fields else None
    with TableWriter(task.folder, layout.verdicts(task.stage, task.part), VERDICT_SCHEMA) as verdicts:
        for batch in batches(task.folder, layout.features(task.part), ["doc_id", *columns]):
            measured = numbers(batch, columns)
            if came_with is not None:
                metadata = aligned(came_with, batch["doc_id"])["metadata"].to_pylist()
                measured |= field_numbers(metadata, task.settings.fields.by_path)
            verdicts.write(judge(rules, batch["doc_id"].to_pylist(), measured))
        return finished(task, verdicts)


STAGE = Stage(
    "quality",
    "part",
    judge_quality,
    reads=(layout.documents(), layout.features()),
    writes={layout.verdicts("quality"): VERDICT_SCHEMA},
    settings="quality",
)
