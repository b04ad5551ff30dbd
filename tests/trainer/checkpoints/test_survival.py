"""After a kill or a full disk, checkpoints are complete and the run can resume."""

import itertools
import os
import re
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.trainer.checkpoint_files import in_child, interrupted, names, newest_of, save, silent, steps
from trainer.checkpoints.folder import checkpoints, commit, newest, open_checkpoint, retain, writing
from trainer.errors import TrainerError

# Kills

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}


def killed_at(change: int) -> None:
    """Have the system kill this process right before its `change`-th change of the file system from now, counting from 0."""
    number = itertools.count()

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (event in CHANGES or writes) and next(number) == change:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


@pytest.mark.parametrize("step", [2, 3], ids=["written again", "new"])
def test_a_kill_at_any_moment_leaves_a_whole_checkpoint_and_a_run_that_goes_on(tmp_path: Path, step: int) -> None:
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
        found = newest_of(run)
        assert open_checkpoint(run) == found
        content = (found.path / "model").read_text()
        seen.add((content, *steps(run)))
        with pytest.raises(KeyboardInterrupt):
            interrupted(run)
        assert (newest_of(run).path / "model").read_text() == content
        save(run, step, "again")
        assert all(re.fullmatch(r"step-\d{8}", name) for name in names(run))
        assert (open_checkpoint(run).path / "model").read_text() == f"model {step} again"
        shutil.rmtree(run)
        if status == 0:
            break
    assert status == 0
    assert change > 15
    # Before the commit, after it, and after the deletion of old checkpoints.
    after = f"model {step} after"
    listed = {2: {(after, 1, 2), (after, 2)}, 3: {(after, 1, 2, 3), (after, 2, 3), (after, 3)}}[step]
    assert seen == {("model 2 before", 1, 2), *listed}


def test_a_process_killed_while_it_writes_leaves_a_folder_that_is_never_read_and_cleared_by_the_next(tmp_path: Path) -> None:
    whole = save(tmp_path, 1)
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with writing(tmp_path, 2) as temporary, (temporary / "model").open("wb", buffering=0) as stream:
                while stream.write(bytes(1 << 16)):
                    os.write(writable, bytes(1 << 16))  # as much as the pipe holds, so the second write blocks until the kill
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
def test_a_full_disk_is_one_message_and_nothing_is_lost(tmp_path: Path, write: Callable[[Path], None]) -> None:
    before = [save(tmp_path / "run", 1), save(tmp_path / "run", 2)]
    heard = tmp_path / "heard"

    def work() -> None:
        # With a limit on the size of a file the kernel refuses the write, as on a full disk; Python ignores the signal.
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
    assert re.search(r"File too large.*the previous one has 16 bytes, [\d,]+ bytes are free; free disk space or choose", message)
    assert "\n" not in message
    assert checkpoints(tmp_path / "run") == before
    assert names(tmp_path / "run") == ["step-00000001", "step-00000002"]


def test_a_run_folder_that_cannot_be_made_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainerError, match=r"file/run/checkpoints/step-00000001.*Not a directory.*choose another folder"):
        save(tmp_path / "file" / "run", 1)
