"""The local files that a name means: a file, a folder, a `file://` URI, or a pattern.

A name that exists is that file or folder, whatever characters it has; only what does not exist is read as a pattern.
"""

import difflib
import glob
import os
import unicodedata
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from pipeline.inputs.formats import format_of, is_list
from pipeline.inputs.record import InputError

# A folder with this file is a corpus that the program built: its Parquet files are results, not inputs.
_CORPUS_FILE = "manifest.duckdb"
_SHOWN = 5


def local_files(name: str) -> list[str]:
    """The files that a local name means, sorted, as absolute real paths, so that a file with two names is found once.

    Raises InputError, naming what is there instead, if there are none.
    """
    if not name.strip():
        raise InputError("an input has an empty name; name a file, a folder, a pattern or a URI")
    path = _path_of(name)
    if path.is_dir():
        return _in_folder(path, name)
    if path.exists() and not path.is_file():
        raise InputError(f"input {name!r} is no regular file; an input is read more than once, so save it to a file first")
    found = [path] if path.is_file() else _matching(str(path), name)
    if not found:
        raise InputError(f"input {name!r} matches no file; {_nearest(path)}relative names start at {Path.cwd()}")
    return sorted(os.path.realpath(each) for each in found)


def absolute(name: str, folder: Path) -> str:
    """The real path of a name in a list in `folder`: relative to that folder, or, if it is not there, to the current one."""
    path = _path_of(name)
    beside = folder / path
    return os.path.realpath(beside if beside.exists() or not path.exists() else path)


def _path_of(name: str) -> Path:
    """The path of a name: without `file://` and its %-escapes, and with the home folder for `~`, unless such a file exists."""
    if name.lower().startswith("file://"):
        path = name[len("file://") :].removeprefix("localhost")
        return Path(path if Path(path).exists() else urllib.parse.unquote(path))
    path_as_given = Path(name)
    try:
        return path_as_given if path_as_given.exists() else path_as_given.expanduser()
    except RuntimeError:  # no such user
        return path_as_given


def _matching(pattern: str, name: str) -> list[Path]:
    """The files that match a pattern; if it matches folders alone, the files in them. As much of it as exists is no pattern."""
    prefix, rest = "", pattern
    for end in [index for index, letter in enumerate(pattern) if letter == "/"]:
        if Path(pattern[: end + 1]).is_dir():
            prefix, rest = pattern[: end + 1], pattern[end + 1 :]
    if not glob.has_magic(rest):
        return []
    found = [Path(match) for match in glob.glob(glob.escape(prefix) + rest, recursive=True)]  # noqa: PTH207  Path.glob takes no absolute pattern
    files = [path for path in found if path.is_file()]
    if files or not found:
        return files
    return [Path(file) for folder in found if folder.is_dir() for file in _in_folder(folder, name)]


def _in_folder(folder: Path, name: str) -> list[str]:
    """The inputs in a folder and the folders beneath it: files with a known suffix, no lists, nothing hidden, no corpus."""
    if (folder / _CORPUS_FILE).exists():
        raise InputError(
            f"input {name!r} is a corpus that the program built (it holds {_CORPUS_FILE}); name the folder of its inputs, "
            "or export its texts and name the folder of the export"
        )
    files = list(_walk(folder, set()))
    found = sorted({os.path.realpath(path) for path in files if format_of(path.name) is not None})
    if not found:
        lists = [path for path in files if is_list(path.name)]
        if lists:
            raise InputError(f"folder {name!r} holds no input but a list of inputs; name it: {lists[0]}")
        there = [path.relative_to(folder).as_posix() for path in files] or [f"{each.name}/" for each in _entries(folder)]
        raise InputError(f"folder {name!r} holds no file with a known suffix; in it {_some(there)}")
    return found


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    """The files under `folder`, without hidden ones and without corpora; links to folders are followed, each folder once."""
    real = os.path.realpath(folder)
    if real in seen or (folder / _CORPUS_FILE).exists():
        return
    seen.add(real)
    for path in _entries(folder):
        if path.is_dir():
            yield from _walk(path, seen)
        elif path.is_file():
            yield path


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, without hidden names. Raises InputError if it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"folder {folder} cannot be read: {error.strerror}") from error


def _nearest(path: Path) -> str:
    """In words: the existing name that is most like `path`, or what is in the nearest folder above it."""
    folder, wanted = path.parent, path.name
    while not folder.is_dir():
        folder, wanted = folder.parent, folder.name
    # macOS writes a kana with its voicing mark as two characters, most keyboards as one.
    names = {unicodedata.normalize("NFC", each.name).lower(): each for each in _entries(folder)}
    close = difflib.get_close_matches(unicodedata.normalize("NFC", wanted).lower(), list(names), n=1)
    if close:
        return f"the nearest that exists is {str(names[close[0]])!r}; "
    return f"in {folder} {_some([each.name for each in names.values()])}; "


def _some(names: list[str]) -> str:
    if not names:
        return "there is nothing"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(names[:_SHOWN])}{more}"
