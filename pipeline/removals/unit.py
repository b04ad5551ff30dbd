"""documents/ → verdicts/removals/: which documents someone asked to take down, by their URLs and hosts."""

import numpy as np

from pipeline.corpus import layout
from pipeline.corpus.columns import documents, survivors
from pipeline.corpus.writer import TableWriter
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task, finished
from pipeline.removals.log import REMOVAL_SCHEMA, in_force
from pipeline.rules import VERDICT_SCHEMA, Rule, judge

RULES = (Rule("taken_down", maximum=0, source="the requests in removals.parquet"),)


def judge_removals(task: Task[None], mark: Mark) -> Result:
    """Judge the documents of a part by the requests in force."""
    asked = in_force(task.folder)
    kept = survivors(task.folder, task.upstream.judge, task.part)
    with TableWriter(task.folder, layout.verdicts(task.stage, task.part), VERDICT_SCHEMA) as verdicts:
        for batch in documents(task.folder, task.part, ["doc_id", "url", "host"], kept):
            named = asked.match(batch["url"].to_pylist(), batch["host"].to_pylist())
            verdicts.write(judge(RULES, batch["doc_id"].to_pylist(), {"taken_down": named.astype(np.float64)}))
        return finished(task, verdicts)


STAGE = Stage(
    "removals",
    "part",
    judge_removals,
    reads=(layout.documents(), layout.survivors_name("{judge}")),
    writes={layout.verdicts("removals"): VERDICT_SCHEMA},
    keeps={layout.REMOVALS: REMOVAL_SCHEMA},
    outside=lambda root, settings: in_force(root).digest(),
    leaves_room=True,
)
