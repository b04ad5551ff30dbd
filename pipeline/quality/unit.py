"""features/ → verdicts/quality/: a verdict on each document, from its numbers alone; no text is read."""

from pipeline.corpus import layout
from pipeline.corpus.columns import batches, numbers
from pipeline.corpus.writer import TableWriter
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task, finished
from pipeline.quality.config import QualityConfig, rules_of
from pipeline.rules import VERDICT_SCHEMA, judge


def judge_quality(task: Task[QualityConfig], mark: Mark) -> Result:
    """Judge the documents of a part."""
    rules = rules_of(task.settings)
    columns = sorted({rule.measured for rule in rules})
    with TableWriter(task.folder, layout.verdicts(task.stage, task.part), VERDICT_SCHEMA) as verdicts:
        for batch in batches(task.folder, layout.features(task.part), ["doc_id", *columns]):
            verdicts.write(judge(rules, batch["doc_id"].to_pylist(), numbers(batch, columns)))
        return finished(task, verdicts)


STAGE = Stage(
    "quality",
    "part",
    judge_quality,
    reads=(layout.features(),),
    writes={layout.verdicts("quality"): VERDICT_SCHEMA},
    settings="quality",
)
