"""Compiled code, kept in a folder for exactly these sources.

numba keeps what it compiles, and takes it again as long as the file of the function is as old and as long as it was. Of what that
function calls in another file it knows nothing: after a change there, it would go on with the old code in silence, and the same
version of the sources would read pages in two ways. So every state of the files with compiled code has a folder of its own.

The folder is beside the package, or in the user's cache when the package cannot be written; without either, code is compiled
anew in each process, and one line says so. It is made when the first compiled function is defined; importing the package
writes nothing.
"""

import functools
import hashlib
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numba

_HERE = Path(__file__).parent
# The packages whose compiled functions may call one another.
SOURCES = tuple(_HERE.parent / name for name in ("pipeline", "model", "trainer"))
# A user who sets it wants the code there.
_VARIABLE = "NUMBA_CACHE_DIR"


def njit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """`numba.njit`, with or without options, whose machine code is kept for the next process where that is possible."""
    decorate = numba.njit(cache=_is_kept(), **options)
    return decorate(function) if function is not None else decorate


@functools.cache
def _is_kept() -> bool:
    """Tell numba where to keep code; False when it can be kept nowhere."""
    if os.environ.get(_VARIABLE):
        return True
    folder = cache_folder(SOURCES, (_HERE / "__pycache__", _user_cache()))
    if folder is None:
        if multiprocessing.parent_process() is None:  # workers need not repeat it
            places = f"{_HERE} nor in {_user_cache()}"
            sys.stderr.write(f"compiled code cannot be kept in {places}: each start takes a minute longer\n")
        return False
    vars(numba.config)["CACHE_DIR"] = str(folder)
    return True


def _user_cache() -> Path:
    """The user's folder for caches, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "kotokura"


def cache_folder(sources: Sequence[Path], places: Sequence[Path]) -> Path | None:
    """The folder for what is compiled of the Python files in `sources`, made in the first of `places` that can be written.

    Its name is a hash of the files that have compiled functions. None when no place can be written.
    """
    name = f"compiled-{state_of(sources)}"
    for place in places:
        try:
            (place / name).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place / name):
                return place / name
        except OSError:
            continue
    return None


def state_of(sources: Sequence[Path]) -> str:
    """A hash of the Python files in `sources`, sub-folders included, that mention `njit`: their names and their bytes."""
    state = hashlib.blake2b(digest_size=8)
    for source in sources:
        for path in sorted(source.rglob("*.py")):
            content = path.read_bytes()
            if b"njit" in content:
                state.update(f"{source.name}/{path.relative_to(source)}\0".encode() + hashlib.blake2b(content).digest())
    return state.hexdigest()
