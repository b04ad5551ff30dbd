"""Small checkpoints, and views of their folder."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.checkpoints.folder import Checkpoint, checkpoints, commit, newest, writing


def save(run: Path, step: int, content: str = "", validation: float | None = None, permanent: bool = False) -> Checkpoint:
    """Write a checkpoint of two files, one of them in a folder."""
    with writing(run, step) as temporary:
        (temporary / "state").mkdir()
        (temporary / "state" / "rank-0").write_text(f"state {step} {content}")
        (temporary / "model").write_text(f"model {step} {content}")
        return commit(temporary, step, validation=validation, permanent=permanent)


def steps(run: Path) -> list[int]:
    return [checkpoint.step for checkpoint in checkpoints(run)]


def names(run: Path) -> list[str]:
    """All names in the folder of checkpoints, hidden or not."""
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def silent(line: str) -> None:
    pytest.fail(f"nothing is damaged, yet it was reported: {line}")


def newest_of(run: Path) -> Checkpoint:
    """The newest checkpoint of a run that has one and in which nothing is damaged."""
    checkpoint = newest(run, silent)
    assert checkpoint is not None
    return checkpoint


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked process and return its wait status: 0 for success, the number of the signal that killed it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def interrupted(run: Path) -> None:
    with writing(run, 2) as temporary:
        (temporary / "model").write_text("half")
        raise KeyboardInterrupt
