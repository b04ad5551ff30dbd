"""Threads on a machine that does other work too: one that waits for the others sleeps, so that they can run.

torch splits each product over one thread per core and waits until the last is done. By default a waiting thread spins. When
another program holds one of the cores, it spins in the time that the thread it waits for needs.
"""

import os


def limit_waiting() -> None:
    """Let OpenMP's waiting threads sleep, unless the user has said otherwise. Call it before torch is imported."""
    # GNU's and LLVM's or Intel's names for the same, read once when the library is loaded.
    for name, value in (("OMP_WAIT_POLICY", "passive"), ("KMP_BLOCKTIME", "0")):
        os.environ.setdefault(name, value)
