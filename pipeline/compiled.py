"""Where compiled code is kept: a folder for exactly these sources.

numba keeps what it compiles, and takes it again as long as the file of the function is as old and as long as it was. Of what that
function calls in another file it knows nothing: after a change there, it would go on with the old code in silence, and the same
version of the sources would read pages in two ways. So every state of the files that hold compiled code has a folder of its own.
"""

import hashlib
import os
from pathlib import Path

_VARIABLE = "NUMBA_CACHE_DIR"


def keep_compiled_code(sources: Path) -> None:
    """Make numba keep the code of the files in `sources` where `cache_folder` says, here and in processes started from here.

    To be called before numba is imported. What the environment says already stands. Where the folder cannot be made, numba finds
    one in the user's home.
    """
    folder = cache_folder(sources)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    os.environ.setdefault(_VARIABLE, str(folder))


def cache_folder(sources: Path) -> Path:
    """The folder for what is compiled of the Python files in `sources`, by the content of those that use numba."""
    state = hashlib.blake2b(digest_size=8)
    for path in sorted(sources.rglob("*.py")):
        content = path.read_bytes()
        if b"numba" in content:
            state.update(str(path.relative_to(sources)).encode() + b"\0" + hashlib.blake2b(content).digest())
    return sources / "__pycache__" / f"compiled-{state.hexdigest()}"
