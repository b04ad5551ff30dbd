"""Checkpoints read back as written, damage is reported, and retention deletes nothing that is still needed."""

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.checkpoint_files import in_child, interrupted, names, newest_of, save, silent, steps
from trainer.checkpoints.folder import (
    Checkpoint,
    best,
    checkpoints,
    commit,
    newest,
    open_checkpoint,
    retain,
    temporary_folder,
    writing,
)
from trainer.errors import TrainerError

# Writing and reading


def test_a_checkpoint_reads_back_as_it_was_committed(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "first"
    written = save(run, 1000, validation=1.25, permanent=True)
    assert written.path == run / "checkpoints" / "step-00001000"
    assert (written.step, written.validation, written.permanent) == (1000, 1.25, True)
    assert list(written.files) == ["model", "state/rank-0"]
    assert written.size == len("model 1000 ") + len("state 1000 ")
    assert checkpoints(run) == [written]
    assert newest(run, silent) == open_checkpoint(run) == open_checkpoint(written.path) == written
    assert names(run) == ["step-00001000"]


def test_checkpoints_are_listed_by_step_and_the_newest_has_the_highest(tmp_path: Path) -> None:
    for step in (900, 100_000_000, 1000):
        save(tmp_path, step)
    assert steps(tmp_path) == [900, 1000, 100_000_000]
    assert newest_of(tmp_path).step == open_checkpoint(tmp_path).step == 100_000_000


def test_a_run_without_checkpoints_has_no_newest_one(tmp_path: Path) -> None:
    assert checkpoints(tmp_path / "missing") == []
    assert newest(tmp_path / "missing", silent) is None


@pytest.mark.parametrize("validation", [float("nan"), float("inf"), None])
def test_a_validation_that_is_no_number_counts_as_none(tmp_path: Path, validation: float | None) -> None:
    assert save(tmp_path, 1, validation=validation).validation is None
    assert newest_of(tmp_path).validation is None


def test_another_process_may_write_into_the_folder_before_the_commit(tmp_path: Path) -> None:
    with writing(tmp_path, 7) as temporary:
        assert temporary == temporary_folder(tmp_path, 7)
        (temporary / "rank-0").write_text("zero")
        assert in_child(lambda: (temporary_folder(tmp_path, 7) / "rank-1").write_text("one")) == 0
        commit(temporary, 7, validation=None, permanent=False)
    assert list(newest_of(tmp_path).files) == ["rank-0", "rank-1"]


def test_a_step_written_again_replaces_its_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, 5, "before", validation=2.0)
    save(tmp_path, 5, "after", validation=1.0)
    assert names(tmp_path) == ["step-00000005"]
    assert newest_of(tmp_path).validation == 1.0
    assert (open_checkpoint(tmp_path).path / "model").read_text() == "model 5 after"


def test_a_block_that_fails_or_forgets_to_commit_leaves_nothing(tmp_path: Path) -> None:
    save(tmp_path, 1)
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path)
    with writing(tmp_path, 3) as temporary:
        (temporary / "model").write_text("whole, not committed")
    assert names(tmp_path) == ["step-00000001"]


# Damage


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def of_a_later_format(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 2}))


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model", truncate, "model: 7 bytes, not 8"),
        ("model", flip, "model: has changed since it was written"),
        ("state/rank-0", Path.unlink, r"state/rank-0: cannot be read \(No such file or directory\)"),
        ("checkpoint.json", Path.unlink, r"checkpoint.json: cannot be read \(No such file or directory\)"),
        ("checkpoint.json", halve, "checkpoint.json: is not JSON"),
        ("checkpoint.json", lambda path: path.write_text(""), "checkpoint.json: is not JSON"),
        ("checkpoint.json", lambda path: path.write_text("[]"), "checkpoint.json: format_version is None"),
        ("checkpoint.json", of_a_later_format, "checkpoint.json: format_version is 2, this program reads 1; use the program"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_taken(
    tmp_path: Path, name: str, damage: Callable[[Path], object], message: str
) -> None:
    whole = save(tmp_path, 1)
    damaged = save(tmp_path, 2)
    damage(damaged.path / name)
    lines: list[str] = []
    assert newest(tmp_path, lines.append) == whole
    (line,) = lines
    assert re.match(re.escape(f"{damaged.path}/") + message, line)
    assert line.endswith("; this checkpoint is skipped")
    for path in (tmp_path, damaged.path):
        with pytest.raises(TrainerError, match=message + ".*; try an earlier one, such as .*step-00000001"):
            open_checkpoint(path)
    assert open_checkpoint(whole.path) == whole


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_no_flipped_bit_goes_unnoticed_unless_it_changes_nothing(
    checkpoint_files: tuple[Checkpoint, dict[str, bytes]], data: st.DataObject
) -> None:
    whole, contents = checkpoint_files
    name = data.draw(st.sampled_from(sorted(contents)))
    content = bytearray(contents[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (whole.path / name).write_bytes(content)
    try:
        read, message = open_checkpoint(whole.path), ""
    except TrainerError as error:
        read, message = None, str(error)
    finally:
        (whole.path / name).write_bytes(contents[name])
    # White space in checkpoint.json may change; its values may not.
    assert str(whole.path / name) in message or (name == "checkpoint.json" and read == whole)


@pytest.fixture(scope="module")
def checkpoint_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, dict[str, bytes]]:
    """A checkpoint, and the bytes of all its files, including checkpoint.json."""
    whole = save(tmp_path_factory.mktemp("run"), 3, validation=0.5)
    return whole, {name: (whole.path / name).read_bytes() for name in (*whole.files, "checkpoint.json")}


def test_when_no_checkpoint_is_whole_the_error_names_what_is_wrong_with_each(tmp_path: Path) -> None:
    truncate(save(tmp_path, 1).path / "model")
    flip(save(tmp_path, 2).path / "model")
    lines: list[str] = []
    with pytest.raises(TrainerError, match=r"all .* are damaged: .*2/model: has changed.*1/model: 7 bytes, not 8; restore one"):
        newest(tmp_path, lines.append)
    assert len(lines) == 2


def test_a_folder_that_is_no_checkpoint_is_refused_with_what_to_name(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(TrainerError, match=r"neither a checkpoint nor a run with one; name a folder such as runs/NAME"):
            open_checkpoint(path)
    with pytest.raises(TrainerError, match=r"step-00000009/checkpoint.json: cannot be read .*; copy it again"):
        open_checkpoint(tmp_path / "step-00000009")


# Retention


@settings(deadline=None, max_examples=25)
@given(
    history=st.lists(st.tuples(st.sampled_from([None, 1.0, 2.0, 3.0]), st.booleans()), max_size=5),
    keep_last=st.integers(1, 3),
)
def test_what_remains_is_the_last_the_best_and_the_permanent(history: list[tuple[float | None, bool]], keep_last: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        for step, (validation, permanent) in enumerate(history):
            save(run, step, validation=validation, permanent=permanent)
        expected = set(range(len(history))[-keep_last:]) | {step for step, (_, permanent) in enumerate(history) if permanent}
        values = [validation for validation, _ in history]
        if any(value is not None for value in values):
            lowest = min(value for value in values if value is not None)
            expected.add(max(step for step, value in enumerate(values) if value == lowest))
        deleted = retain(run, keep_last, silent)
        assert set(steps(run)) == expected
        assert names(run) == [f"step-{step:08d}" for step in sorted(expected)] if history else not deleted
        assert {path.name for path in deleted} == {f"step-{step:08d}" for step in set(range(len(history))) - expected}


def test_the_best_is_the_latest_of_the_lowest(tmp_path: Path) -> None:
    for step, validation in enumerate([None, 1.5, 1.5, 1.75]):
        save(tmp_path, step, validation=validation)
    found = best(checkpoints(tmp_path))
    assert found is not None
    assert found.step == 2
    assert best([]) is None


@pytest.mark.parametrize("name", ["model", "checkpoint.json"])
def test_nothing_is_deleted_while_the_newest_is_damaged(tmp_path: Path, name: str) -> None:
    for step in (1, 2, 3):
        newest_one = save(tmp_path, step)
    truncate(newest_one.path / name)
    (newest_one.path / name).write_text("damaged")
    lines: list[str] = []
    assert retain(tmp_path, 1, lines.append) == []
    assert names(tmp_path) == ["step-00000001", "step-00000002", "step-00000003"]
    (line,) = lines
    assert line.startswith(str(newest_one.path / name))
    assert line.endswith("no older checkpoint is deleted while the newest is damaged")
