"""Verifies token shards before they are used: each file's SHA-256 is the one in `dataset.json`.

A shard with damaged bytes would train a model on noise without a word. Reading everything takes a second per gigabyte and core,
so what was verified is remembered in the user's cache, one small file per folder of shards: the size, the time of the last change
and the inode of each shard. A file that is still the same is not read again. Bytes that change without a change of time, as on a
failing disk, are found only by `force`.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.files import write_text
from pipeline.tokens.dataset import TokenDataset, verify_shard
from pipeline.tokens.store import TokenStoreError
from trainer.errors import TrainerError

# SHA-256 is arithmetic at a gigabyte per second and core; more readers than this only make a disk seek.
_READERS = 8
# From this size on, the first verification takes seconds, and a line says what the program does.
_WORTH_A_LINE = 2**30


def verify_shards(
    folder: Path, shards: Iterable[tuple[Path, str]], say: Callable[[str], None] = lambda _: None, *, force: bool = False
) -> None:
    """Compare each shard, a file in `folder`, with its SHA-256; skip files that have not changed since they were verified.

    say: gets a line if this takes long, or if the result cannot be remembered. force: skip nothing. Raises TrainerError that
    names the damaged shard.
    """
    expected = dict(shards)
    record = _record(folder)
    known = {} if force else _read(record)
    try:
        states = {path: _state(path, sha256) for path, sha256 in expected.items()}
        unknown = [path for path, state in states.items() if known.get(path.name) != state]
        size = sum(path.stat().st_size for path in unknown)
        if size >= _WORTH_A_LINE:
            say(f"{folder}: verifying {len(unknown):,} shards of {size / 1e9:,.1f} GB, once")
        with ThreadPoolExecutor(_READERS) as readers:
            list(readers.map(lambda path: verify_shard(path, expected[path]), unknown))
    except (TokenStoreError, OSError) as error:
        raise TrainerError(str(error)) from error
    if unknown and record is not None:
        try:
            record.parent.mkdir(parents=True, exist_ok=True)
            write_text(record, json.dumps({path.name: state for path, state in states.items()}) + "\n")
        except OSError as error:
            if size >= _WORTH_A_LINE:
                say(f"{record}: cannot be written ({error.strerror}); the shards are verified at each start")


def verify_dataset(dataset: TokenDataset, say: Callable[[str], None] = lambda _: None, *, force: bool = False) -> None:
    """Verify all shards of `dataset`, as `verify_shards` does."""
    shards = ((dataset.folder / entry["file"], entry["sha256"]) for entry in dataset.content["shards"])
    verify_shards(dataset.folder, shards, say, force=force)


def _state(path: Path, sha256: str) -> list[int | str]:
    """What stays the same as long as the file does; the change time cannot be set back as the modification time can."""
    found = path.stat()
    return [sha256, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _record(folder: Path) -> Path | None:
    """The file that remembers what was verified in `folder`; None for a user without a home."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    except RuntimeError:
        return None
    name = hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return cache / "kotokura" / "verified-shards" / f"{name}.json"


def _read(record: Path | None) -> dict[str, object]:
    """What was remembered; nothing if it cannot be read, since then everything is verified again."""
    try:
        content = json.loads(record.read_text(encoding="utf-8")) if record is not None else {}
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
