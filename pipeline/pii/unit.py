"""documents/ → edits/pii/ and verdicts/pii/: edits that mask personal data, or the verdict that drops a document with some."""

from pipeline.corpus import layout
from pipeline.editing import EDITING_READS, SIZED_VERDICT_SCHEMA, edit_part
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task
from pipeline.pii.config import PiiConfig, rules_of
from pipeline.pii.stage import find_personal_data_batch
from pipeline.text.edits import EDIT_SCHEMA


def mask_part(task: Task[PiiConfig], mark: Mark) -> Result:
    """Mask personal data in the documents of a part."""
    return edit_part(task, rules_of(task.settings), lambda texts, _: find_personal_data_batch(texts, task.settings))


STAGE = Stage(
    "pii",
    "part",
    mask_part,
    reads=EDITING_READS,
    writes={layout.verdicts("pii"): SIZED_VERDICT_SCHEMA, layout.edits("pii"): EDIT_SCHEMA},
    settings="pii",
)
