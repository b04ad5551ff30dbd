"""Which training runs have read documents that are being taken down."""

from collections.abc import Sequence
from pathlib import Path

from trainer.errors import TrainerError
from trainer.where.trained_run import runs_that_saw


def training_text(runs: Sequence[Path], doc_ids: Sequence[str]) -> str:
    """Return one line per training run: whether it has read any of the documents, and in which steps."""
    lines = []
    for folder in runs:
        try:
            seen = runs_that_saw([folder], doc_ids)
        except TrainerError as error:
            lines.append(f"training run {folder}: cannot tell: {error}")
            continue
        read = [document for document in seen if document.first_step is not None]
        if read:
            first, last = min(each.first_step or 0 for each in read), max(each.last_step or 0 for each in read)
            lines.append(f"training run {folder}: has read {len(read):,} of them, in steps {first:,} to {last:,}")
        else:
            lines.append(f"training run {folder}: has read none of them" + (f", and would read {len(seen):,}" if seen else ""))
    return "\n".join(lines) or "no training run was checked; give the runs that may have read them with --runs"
