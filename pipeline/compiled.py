"""Caches machine code in one folder per state of the sources.

numba reuses cached code as long as the function's own file keeps its time stamp and size. It does not notice a change in another
file that the function calls: it would silently run the old code, and the same sources could give two results. So each state of
the files with compiled code has its own cache folder.

The folder is beside the package, or in the user's cache if the package is read-only. If neither can be written, each process
compiles again, and one line says so. The folder is created when the first compiled function is defined; importing the package
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
# numba's own setting: if the user has set it, it wins.
_VARIABLE = "NUMBA_CACHE_DIR"


def njit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """`numba.njit`, with or without options; caches the machine code for later processes if a folder can be written."""
    decorate = numba.njit(cache=_is_kept(), **options)
    return decorate(function) if function is not None else decorate


@functools.cache
def _is_kept() -> bool:
    """Set numba's cache folder; return False if no folder can be written."""
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
    """The user's folder for caches, by the XDG base directory specification; of the system's temporary ones without a home."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "kotokura"
    except RuntimeError:  # no HOME, and no entry of the user in the system's list
        return Path(tempfile.gettempdir()) / f"kotokura-{os.getuid()}"


def cache_folder(sources: Sequence[Path], places: Sequence[Path]) -> Path | None:
    """Create the cache folder for the Python files in `sources`, in the first of `places` that can be written.

    Its name contains `state_of(sources)`. Returns None if no place can be written.
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
    """BLAKE2b-64 (16 hex digits) of the names and bytes of all Python files under `sources` that contain `njit`."""
    state = hashlib.blake2b(digest_size=8)
    for source in sources:
        for path in sorted(source.rglob("*.py")):
            content = path.read_bytes()
            if b"njit" in content:
                state.update(f"{source.name}/{path.relative_to(source)}\0".encode() + hashlib.blake2b(content).digest())
    return state.hexdigest()
