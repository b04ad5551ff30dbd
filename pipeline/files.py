"""Files that are whole or absent: written under a temporary name, synced, then renamed. Also the lock of a folder.

A worker of a run writes and hashes temporary files and never touches a final name; the driver renames them (`corpus.writer`).
Everything else that replaces a file does it through `replacing`. So a final name always holds a complete file, whatever is
killed.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

TEMPORARY_SUFFIX = ".tmp"


def temporary_name(final: Path) -> Path:
    """A name beside `final`, of this process alone, that `remove_temporary_files` recognises."""
    return final.with_name(f".{final.name}.{os.getpid()}{TEMPORARY_SUFFIX}")


def file_digest(path: Path) -> str:
    """BLAKE2b-128 of a file's bytes, as 32 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def sync(path: Path) -> None:
    """Flush a file or folder to the disk, so that a rename never outlives the bytes it names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` for a file.

    It replaces `path`, synced, when the block ends well, and is removed when it does not. Raises OSError.
    """
    temporary = temporary_name(path)
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a small text file as a whole, in UTF-8, and make its folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, made with its folder, for this process alone.

    The lock is the kernel's, on an open file, so it ends with the process however that ends. Raises BlockingIOError when
    another process holds it, any other OSError when the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stream: IO[str] = path.open("a+")
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def remove_temporary_files(root: Path) -> None:
    """Remove what a killed run left under temporary names; only for the holder of the corpus's lock."""
    for path in root.rglob(f".*{TEMPORARY_SUFFIX}"):
        path.unlink(missing_ok=True)
