"""signatures/ → verdicts/dedup/ and duplicates.parquet: one survivor per cluster of near-duplicates."""

from pipeline.corpus import layout
from pipeline.corpus.writer import TableWriter
from pipeline.dedup.columns import earlier_digests, earlier_groups, group_of_part, judged
from pipeline.dedup.config import DUPLICATES_SCHEMA, DedupConfig
from pipeline.dedup.stage import duplicates
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task, write_verdicts_by_part
from pipeline.rules import VERDICT_SCHEMA


def deduplicate(task: Task[DedupConfig], mark: Mark) -> Result:
    """Judge the documents of all parts. Raises EarlierCorpusError."""
    groups = [group_of_part(task.folder, part) for part in task.parts]
    found = judged([*earlier_groups(task.settings), *groups], task.settings, scratch=task.folder)
    counts = [len(group.rows) for group in groups]
    outputs, digests = write_verdicts_by_part(task, found.verdicts, found.rows, counts)
    with TableWriter(task.folder, layout.DUPLICATES, DUPLICATES_SCHEMA) as writer:
        writer.write(duplicates(found.doc_ids, found.earlier, found.clusters))
        outputs.append(writer.finish())
    return Result(found.verdicts.num_rows, tuple(outputs), digests)


STAGE = Stage(
    "dedup",
    "corpus",
    deduplicate,
    reads=(layout.documents(), layout.features(), layout.signatures(), layout.survivors_name("{judge}")),
    writes={layout.verdicts("dedup"): VERDICT_SCHEMA, layout.DUPLICATES: DUPLICATES_SCHEMA},
    settings="dedup",
    outside=earlier_digests,
)
