"""Checkpoints on disk: complete or absent, verified before use, and never deleted before a newer one is complete.

The contents are the caller's; here a checkpoint is a folder of files.

    RUN/checkpoints/step-00001000/          a checkpoint: the caller's files, and checkpoint.json, which is written last and
                                            records step, validation, and the size and SHA-256 of every file
    RUN/checkpoints/.step-00001000.tmp/     one being written, or left by a killed process: never read
    RUN/checkpoints/.step-00001000.old/     the former checkpoint of a step that is written again, between two renames: read
                                            only while the folder without the dot is missing
    RUN/checkpoints/.step-00001000.deleted/ one being deleted: never read

Files are synced to the disk before the rename that makes them a checkpoint, and the folder after it, so that neither a killed
process nor a power cut leaves an incomplete one under a final name. Only one process at a time may write to a run (rank 0); any
number may read, and reading changes nothing.
"""

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from pipeline.tokens.store import fingerprint_of
from trainer.errors import TrainerError

FORMAT_VERSION = 1
CHECKPOINT_FILE = "checkpoint.json"
_FOLDER = "checkpoints"
_NAME = re.compile(r"step-(\d+)")


@dataclass(frozen=True)
class StoredFile:
    """A file of a checkpoint: its size in bytes and its SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint, as its checkpoint.json describes it.

    validation: bits per byte, or None. permanent: never deleted. files: by name relative to `path`, with slashes.
    """

    path: Path
    step: int
    validation: float | None
    permanent: bool
    files: Mapping[str, StoredFile]

    @property
    def size(self) -> int:
        """Total size of its files in bytes."""
        return sum(file.size for file in self.files.values())


class _Damaged(Exception):
    """The fault of a checkpoint, and the file that has it."""


# Writing


def temporary_folder(run: Path, step: int) -> Path:
    """Return where the checkpoint of `step` is written before it is committed, the same on every rank."""
    return run / _FOLDER / f".{_name(step)}.tmp"


@contextmanager
def writing(run: Path, step: int) -> Iterator[Path]:
    """Yield an empty folder, `temporary_folder(run, step)`, to write files to and `commit` before the block ends.

    With several ranks, only rank 0 enters the block and commits; the others write their own files to the folder in between. What
    a killed process left is removed first, and nothing temporary remains after the block, however it ends.

    Raises TrainerError if something cannot be written, here, in the block (as an OSError or SafetensorError) or in `commit`; the
    existing checkpoints are unchanged.
    """
    folder = run / _FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _settle(folder)
            temporary = temporary_folder(run, step)
            temporary.mkdir()
            yield temporary
        finally:
            _settle(folder)
    except (OSError, SafetensorError) as error:
        raise TrainerError(
            f"{folder / _name(step)}: the checkpoint cannot be written ({error}){_room(run)}; free disk space or choose another "
            "folder for the run; the existing checkpoints are unchanged"
        ) from error


def commit(temporary: Path, step: int, *, validation: float | None, permanent: bool) -> Checkpoint:
    """Make a checkpoint of the files in `temporary`, the folder of the enclosing `writing` block.

    validation: bits per byte at this step, by which `retain` finds the best checkpoint; a value that is not finite counts as
    None. A checkpoint of the same step is replaced: it is renamed aside, and deleted at the end of the block.
    """
    paths = sorted(path for path in temporary.rglob("*") if path.is_file())
    files = {path.relative_to(temporary).as_posix(): StoredFile(path.stat().st_size, _sha256(path)) for path in paths}
    finite = validation if validation is not None and math.isfinite(validation) else None
    checkpoint = Checkpoint(temporary.with_name(_name(step)), step, finite, permanent, files)
    described = {
        "format_version": FORMAT_VERSION,
        "step": step,
        "validation": finite,
        "permanent": permanent,
        "files": {name: asdict(file) for name, file in files.items()},
    }
    mark = temporary / CHECKPOINT_FILE
    mark.write_text(json.dumps({**described, "fingerprint": fingerprint_of(described)}, indent=1) + "\n", encoding="utf-8")
    for path in (*paths, mark, *(path for path in temporary.rglob("*") if path.is_dir()), temporary):
        _sync(path)
    if checkpoint.path.exists():
        checkpoint.path.rename(temporary.with_suffix(".old"))
    temporary.rename(checkpoint.path)
    for folder in temporary.parents[:3]:  # checkpoints, the run and its parent: a first checkpoint may have created all of them
        _sync(folder)
    return checkpoint


def retain(run: Path, keep_last: int, report: Callable[[str], None]) -> list[Path]:
    """Delete all checkpoints except the last `keep_last` (1 or more), the best by validation and the permanent ones.

    Returns the deleted folders. The newest checkpoint is verified first: if it is damaged, `report` gets a line that says so, and
    nothing is deleted. A folder whose checkpoint.json is damaged is left for inspection. Do not call this in a `writing` block
    before its `commit`.

    Raises TrainerError if one cannot be deleted.
    """
    try:
        _settle(run / _FOLDER)
        found = checkpoints(run)
        lowest = best(found)
        kept = [*found[-keep_last:], *(checkpoint for checkpoint in found if checkpoint.permanent or checkpoint is lowest)]
        doomed = [checkpoint.path for checkpoint in found if checkpoint not in kept]
        if doomed:
            _verified(_folders(run)[-1])
        for path in doomed:
            path.rename(path.with_name(f".{path.name}.deleted"))
        _settle(run / _FOLDER)
    except _Damaged as damage:
        report(f"{damage}; no older checkpoint is deleted while the newest is damaged")
        return []
    except OSError as error:
        raise TrainerError(f"{run / _FOLDER}: old checkpoints cannot be deleted ({error}); check permissions") from error
    return doomed


# Reading


def checkpoints(run: Path) -> list[Checkpoint]:
    """Return the checkpoints of a run whose checkpoint.json is intact, oldest first, without verifying their files."""
    found = []
    for folder in _folders(run):
        try:
            found.append(_read(folder))
        except _Damaged:
            continue  # `newest` and `open_checkpoint`, which give access to files, report it
    return found


def best(found: Iterable[Checkpoint]) -> Checkpoint | None:
    """Return the checkpoint with the lowest validation, the latest of equals; None if none has a validation."""
    judged = [checkpoint for checkpoint in found if checkpoint.validation is not None]
    return min(judged, key=lambda checkpoint: (checkpoint.validation, -checkpoint.step), default=None)


def newest(run: Path, report: Callable[[str], None]) -> Checkpoint | None:
    """Return the newest checkpoint whose files are complete and unchanged; None for a run without checkpoints.

    `report` gets one line for each damaged one that is skipped. Raises TrainerError, with the fault of each, if there are
    checkpoints and all are damaged.
    """
    faults = []
    for folder in reversed(_folders(run)):
        try:
            return _verified(folder)
        except _Damaged as damage:
            faults.append(str(damage))
            report(f"{damage}; this checkpoint is skipped")
    if faults:
        raise TrainerError(f"{run}: all of its checkpoints are damaged: {'; '.join(faults)}; restore one or start another run")
    return None


def open_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in the folder `path`, or the newest of the run in `path`, after verifying its files.

    Raises TrainerError if there is none or it is damaged: no other checkpoint is substituted.
    """
    folder = path
    if not (path / CHECKPOINT_FILE).exists() and not _NAME.fullmatch(path.name):
        folders = _folders(path)
        if not folders:
            raise TrainerError(
                f"{path}: neither a checkpoint nor a run with one; name a folder such as runs/NAME or "
                f"runs/NAME/{_FOLDER}/{_name(1000)}"
            )
        folder = folders[-1]
    try:
        return _verified(folder)
    except _Damaged as damage:
        others = [checkpoint.path for checkpoint in checkpoints(folder.parent.parent) if checkpoint.path != folder]
        remedy = f"try an earlier one, such as {others[-1]}" if others else "copy it again"
        raise TrainerError(f"{damage}; {remedy}") from damage


def _verified(folder: Path) -> Checkpoint:
    """Return the checkpoint in `folder` after reading all of its files. Raises _Damaged."""
    checkpoint = _read(folder)
    for name, file in checkpoint.files.items():
        path = folder / name
        try:
            size = path.stat().st_size
            if size != file.size:
                raise _Damaged(f"{path}: {size} bytes, not {file.size}")
            if _sha256(path) != file.sha256:
                raise _Damaged(f"{path}: has changed since it was written")
        except OSError as error:
            raise _Damaged(f"{path}: cannot be read ({error.strerror})") from error
    return checkpoint


def _read(folder: Path) -> Checkpoint:
    """Return the checkpoint in `folder` as its checkpoint.json describes it. Raises _Damaged."""
    mark = folder / CHECKPOINT_FILE
    try:
        content: Any = json.loads(mark.read_text(encoding="utf-8"))
    except OSError as error:
        raise _Damaged(f"{mark}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise _Damaged(f"{mark}: is not JSON ({error})") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise _Damaged(f"{mark}: format_version is {version}, this program reads {FORMAT_VERSION}; use the program that wrote it")
    if content.get("fingerprint") != fingerprint_of(content):
        raise _Damaged(f"{mark}: has changed since it was written")
    try:
        files = {name: StoredFile(**file) for name, file in content["files"].items()}
        checkpoint = Checkpoint(folder, content["step"], content["validation"], content["permanent"], files)
    except (KeyError, TypeError, AttributeError) as error:
        raise _Damaged(f"{mark}: does not describe a checkpoint ({error!r})") from error
    # A checkpoint may come from a stranger; none of its files is outside its folder.
    outside = next((name for name in files if Path(name).is_absolute() or ".." in Path(name).parts), None)
    if outside is not None:
        raise _Damaged(f"{mark}: names {outside}, which is outside the checkpoint")
    return checkpoint


def _folders(run: Path) -> list[Path]:
    """Return the folders of the run's checkpoints, damaged or not, oldest first."""
    found: dict[int, Path] = {}
    # One that was renamed aside counts only until its replacement is in place.
    for path in (*(run / _FOLDER).glob(".step-*.old"), *(run / _FOLDER).glob("step-*")):
        if match := _NAME.fullmatch(path.name.removeprefix(".").removesuffix(".old")):
            found[int(match[1])] = path
    return [found[step] for step in sorted(found)]


# The folder


def _name(step: int) -> str:
    return f"step-{step:08d}"  # eight digits, so that a listing by name is one by step up to 100 million steps


def _settle(folder: Path) -> None:
    """Finish the work of a killed process: delete what is temporary, and restore what was renamed aside and not replaced."""
    for hidden in folder.glob(".step-*"):
        final = folder / hidden.stem.removeprefix(".")
        if hidden.suffix == ".old" and not final.exists():
            hidden.rename(final)
        else:
            shutil.rmtree(hidden)


def _room(run: Path) -> str:
    """Return the known sizes, of the last checkpoint and of the free space, for a message."""
    known = [f"the previous one has {checkpoint.size:,} bytes" for checkpoint in checkpoints(run)[-1:]]
    if run.exists():
        known.append(f"{shutil.disk_usage(run).free:,} bytes are free")
    return "".join(f", {part}" for part in known)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
