"""documents/ → edits/clean/ and verdicts/clean/: edits of punctuation, footers and left-overs, and the sizes after them."""

from pipeline.clean.config import CleanConfig, rules_of
from pipeline.clean.stage import find_edits_batch
from pipeline.corpus import layout
from pipeline.editing import EDITING_READS, SIZED_VERDICT_SCHEMA, edit_part
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task
from pipeline.text.edits import EDIT_SCHEMA


def clean_part(task: Task[CleanConfig], mark: Mark) -> Result:
    """Clean the documents of a part."""
    return edit_part(task, rules_of(task.settings), lambda texts, came: find_edits_batch(texts, task.settings, came))


STAGE = Stage(
    "clean",
    "part",
    clean_part,
    reads=EDITING_READS,
    writes={layout.verdicts("clean"): SIZED_VERDICT_SCHEMA, layout.edits("clean"): EDIT_SCHEMA},
    settings="clean",
)
