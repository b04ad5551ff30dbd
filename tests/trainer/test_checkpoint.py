"""Checkpoints survive kills, full disks and damage; retention never deletes what is still needed."""

import itertools
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from trainer.checkpoint import (
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


def save(run: Path, step: int, content: str = "", validation: float | None = None, permanent: bool = False) -> Checkpoint:
    """A checkpoint of two files, one of them in a folder."""
    with writing(run, step) as temporary:
        (temporary / "state").mkdir()
        (temporary / "state" / "rank-0").write_text(f"state {step} {content}")
        (temporary / "model").write_text(f"model {step} {content}")
        return commit(temporary, step, validation=validation, permanent=permanent)


def steps(run: Path) -> list[int]:
    return [checkpoint.step for checkpoint in checkpoints(run)]


def names(run: Path) -> list[str]:
    """Everything in the folder of checkpoints, hidden or not."""
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def silent(line: str) -> None:
    pytest.fail(f"nothing is damaged, yet it was reported: {line}")


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked process; its wait status: 0 when it ended well, the signal's number when one killed it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


# Writing and reading


def test_a_checkpoint_reads_back_as_it_was_committed(tmp_path):
    run = tmp_path / "runs" / "first"
    written = save(run, 1000, validation=1.25, permanent=True)
    assert written.path == run / "checkpoints" / "step-00001000"
    assert (written.step, written.validation, written.permanent) == (1000, 1.25, True)
    assert list(written.files) == ["model", "state/rank-0"]
    assert written.size == len("model 1000 ") + len("state 1000 ")
    assert checkpoints(run) == [written]
    assert newest(run, silent) == open_checkpoint(run) == open_checkpoint(written.path) == written
    assert names(run) == ["step-00001000"]


def test_checkpoints_are_listed_by_step_and_the_newest_has_the_highest(tmp_path):
    for step in (900, 100_000_000, 1000):
        save(tmp_path, step)
    assert steps(tmp_path) == [900, 1000, 100_000_000]
    assert newest(tmp_path, silent).step == open_checkpoint(tmp_path).step == 100_000_000


def test_a_run_without_checkpoints_has_no_newest_one(tmp_path):
    assert checkpoints(tmp_path / "missing") == []
    assert newest(tmp_path / "missing", silent) is None


@pytest.mark.parametrize("validation", [float("nan"), float("inf"), None])
def test_a_validation_that_is_no_number_counts_as_none(tmp_path, validation):
    assert save(tmp_path, 1, validation=validation).validation is None
    assert newest(tmp_path, silent).validation is None


def test_another_process_may_write_into_the_folder_before_the_commit(tmp_path):
    with writing(tmp_path, 7) as temporary:
        assert temporary == temporary_folder(tmp_path, 7)
        (temporary / "rank-0").write_text("zero")
        assert in_child(lambda: (temporary_folder(tmp_path, 7) / "rank-1").write_text("one")) == 0
        commit(temporary, 7, validation=None, permanent=False)
    assert list(newest(tmp_path, silent).files) == ["rank-0", "rank-1"]


def test_a_step_written_again_replaces_its_checkpoint(tmp_path):
    save(tmp_path, 5, "before", validation=2.0)
    save(tmp_path, 5, "after", validation=1.0)
    assert names(tmp_path) == ["step-00000005"]
    assert newest(tmp_path, silent).validation == 1.0
    assert (open_checkpoint(tmp_path).path / "model").read_text() == "model 5 after"


def interrupted(run: Path) -> None:
    with writing(run, 2) as temporary:
        (temporary / "model").write_text("half")
        raise KeyboardInterrupt


def test_a_block_that_fails_or_forgets_to_commit_leaves_nothing(tmp_path):
    save(tmp_path, 1)
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path)
    with writing(tmp_path, 3) as temporary:
        (temporary / "model").write_text("whole, not committed")
    assert names(tmp_path) == ["step-00000001"]


# Kills

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}


def killed_at(change: int) -> None:
    """Have the system kill this process right before its `change`-th change of a folder or file from now, counting from 0."""
    number = itertools.count()

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (event in CHANGES or writes) and next(number) == change:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


@pytest.mark.parametrize("step", [2, 3], ids=["written again", "new"])
def test_a_kill_at_any_moment_leaves_a_whole_checkpoint_and_a_run_that_goes_on(tmp_path, step):
    template = tmp_path / "template"
    for earlier in (1, 2):
        save(template, earlier, "before")
    seen = set()
    for change in range(1000):
        run = tmp_path / str(change)
        shutil.copytree(template, run)

        def work(run: Path = run, change: int = change) -> None:
            killed_at(change)
            save(run, step, "after")
            retain(run, 1, silent)

        status = in_child(work)
        assert status in (0, signal.SIGKILL)
        for path in (run / "checkpoints").glob("step-*"):
            assert open_checkpoint(path).path == path
        found = newest(run, silent)
        assert open_checkpoint(run) == found
        content = (found.path / "model").read_text()
        seen.add((content, *steps(run)))
        with pytest.raises(KeyboardInterrupt):
            interrupted(run)
        assert (newest(run, silent).path / "model").read_text() == content
        save(run, step, "again")
        assert all(re.fullmatch(r"step-\d{8}", name) for name in names(run))
        assert (open_checkpoint(run).path / "model").read_text() == f"model {step} again"
        shutil.rmtree(run)
        if status == 0:
            break
    assert status == 0
    assert change > 15
    # Before the commit, after it, and after the deletion of what is no longer kept.
    after = f"model {step} after"
    listed = {2: {(after, 1, 2), (after, 2)}, 3: {(after, 1, 2, 3), (after, 2, 3), (after, 3)}}[step]
    assert seen == {("model 2 before", 1, 2), *listed}


def test_a_process_killed_while_it_writes_leaves_a_folder_that_is_never_read_and_cleared_by_the_next(tmp_path):
    whole = save(tmp_path, 1)
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with writing(tmp_path, 2) as temporary, (temporary / "model").open("wb", buffering=0) as stream:
                while stream.write(bytes(1 << 16)):
                    os.write(writable, bytes(1 << 16))  # as much as the pipe holds, so the second write waits for the kill
        finally:
            os._exit(1)
    try:
        os.read(readable, 1)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(readable)
        os.close(writable)
    assert names(tmp_path) == [".step-00000002.tmp", "step-00000001"]
    assert newest(tmp_path, silent) == open_checkpoint(tmp_path) == whole
    save(tmp_path, 3)
    assert names(tmp_path) == ["step-00000001", "step-00000003"]


# A full disk


def write_tensors(folder: Path) -> None:
    save_file({"weight": np.zeros(100_000)}, folder / "model.safetensors")


def write_bytes(folder: Path) -> None:
    (folder / "model").write_bytes(bytes(800_000))


@pytest.mark.parametrize("write", [write_tensors, write_bytes])
def test_a_full_disk_is_one_message_and_nothing_is_lost(tmp_path, write):
    before = [save(tmp_path / "run", 1), save(tmp_path / "run", 2)]
    heard = tmp_path / "heard"

    def work() -> None:
        # A limit on the size of a file makes the kernel refuse the write, as a full disk does; Python ignores the signal.
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            with writing(tmp_path / "run", 2) as temporary:
                write(temporary)
                commit(temporary, 2, validation=None, permanent=False)
        except TrainerError as error:
            heard.write_text(str(error))

    assert in_child(work) == 0
    message = heard.read_text()
    assert message.startswith(f"{tmp_path}/run/checkpoints/step-00000002: the checkpoint cannot be written (")
    assert re.search(r"File too large.*the one before has 16 bytes, [\d,]+ bytes are free; make room there or choose", message)
    assert "\n" not in message
    assert checkpoints(tmp_path / "run") == before
    assert names(tmp_path / "run") == ["step-00000001", "step-00000002"]


def test_a_run_folder_that_cannot_be_made_is_one_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainerError, match=r"file/run/checkpoints/step-00000001.*Not a directory.*choose another folder"):
        save(tmp_path / "file" / "run", 1)


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
        ("model", flip, "model: its bytes have changed since it was written"),
        ("state/rank-0", Path.unlink, r"state/rank-0: cannot be read \(No such file or directory\)"),
        ("checkpoint.json", Path.unlink, r"checkpoint.json: cannot be read \(No such file or directory\)"),
        ("checkpoint.json", halve, "checkpoint.json: is not JSON"),
        ("checkpoint.json", lambda path: path.write_text(""), "checkpoint.json: is not JSON"),
        ("checkpoint.json", lambda path: path.write_text("[]"), "checkpoint.json: format_version is None"),
        ("checkpoint.json", of_a_later_format, "checkpoint.json: format_version is 2, this program reads 1; use the program"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_taken(tmp_path, name, damage, message):
    whole = save(tmp_path, 1)
    damaged = save(tmp_path, 2)
    damage(damaged.path / name)
    lines: list[str] = []
    assert newest(tmp_path, lines.append) == whole
    (line,) = lines
    assert re.match(re.escape(f"{damaged.path}/") + message, line)
    assert line.endswith("; this checkpoint is passed over")
    for path in (tmp_path, damaged.path):
        with pytest.raises(TrainerError, match=message + ".*; try an earlier one, such as .*step-00000001"):
            open_checkpoint(path)
    assert open_checkpoint(whole.path) == whole


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_no_flipped_bit_goes_unnoticed_unless_it_changes_nothing(checkpoint_files, data):
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
    # White space between the parts of checkpoint.json may change; its values may not.
    assert str(whole.path / name) in message or (name == "checkpoint.json" and read == whole)


@pytest.fixture(scope="module")
def checkpoint_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, dict[str, bytes]]:
    """A checkpoint, and the bytes of all its files, checkpoint.json among them."""
    whole = save(tmp_path_factory.mktemp("run"), 3, validation=0.5)
    return whole, {name: (whole.path / name).read_bytes() for name in (*whole.files, "checkpoint.json")}


def test_when_no_checkpoint_is_whole_the_error_names_what_is_wrong_with_each(tmp_path):
    truncate(save(tmp_path, 1).path / "model")
    flip(save(tmp_path, 2).path / "model")
    lines: list[str] = []
    with pytest.raises(TrainerError, match=r"none .* is whole: .*2/model: its bytes.*; .*1/model: 7 bytes, not 8; copy one"):
        newest(tmp_path, lines.append)
    assert len(lines) == 2


def test_a_folder_that_is_no_checkpoint_is_refused_with_what_to_name(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(TrainerError, match=r"neither a checkpoint nor a run that has one; name a folder such as runs/NAME"):
            open_checkpoint(path)
    with pytest.raises(TrainerError, match=r"step-00000009/checkpoint.json: cannot be read .*; copy it again"):
        open_checkpoint(tmp_path / "step-00000009")


# Retention


@settings(deadline=None, max_examples=25)
@given(
    history=st.lists(st.tuples(st.sampled_from([None, 1.0, 2.0, 3.0]), st.booleans()), max_size=5),
    keep_last=st.integers(1, 3),
)
def test_what_remains_is_the_last_the_best_and_the_permanent(history, keep_last):
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


def test_the_best_is_the_latest_of_the_lowest(tmp_path):
    for step, validation in enumerate([None, 1.5, 1.5, 1.75]):
        save(tmp_path, step, validation=validation)
    assert best(checkpoints(tmp_path)).step == 2
    assert best([]) is None


@pytest.mark.parametrize("name", ["model", "checkpoint.json"])
def test_nothing_is_deleted_while_the_newest_is_damaged(tmp_path, name):
    for step in (1, 2, 3):
        newest_one = save(tmp_path, step)
    truncate(newest_one.path / name)
    (newest_one.path / name).write_text("damaged")
    lines: list[str] = []
    assert retain(tmp_path, 1, lines.append) == []
    assert names(tmp_path) == ["step-00000001", "step-00000002", "step-00000003"]
    (line,) = lines
    assert line.startswith(str(newest_one.path / name))
    assert line.endswith("no older checkpoint is deleted while the newest is not whole")
