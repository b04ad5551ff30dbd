"""What a worker tells about its progress inside a unit: numbers in memory that it shares with the executor.

They are of the process, not of a task, because code deep inside a stage reports them; in a process that is no worker, reports go
nowhere. They never change a result.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

# The record that the worker is at and since when (0: between records); of the present task, records begun and bytes of the input
# passed; and since when the worker has been compiling (0: it is not).
POSITION, SINCE, RECORDS, BYTES, COMPILING = range(5)
NUMBERS = 5

_of_this_process: Any = None


class Working(NamedTuple):
    """How far the units of a stage are, finished ones included; `total_bytes` is 0 if it is unknown."""

    records: int
    n_bytes: int
    total_bytes: int
    is_compiling: bool


class _Placed(Protocol):
    @property
    def offset(self) -> int: ...


def share(numbers: Any) -> None:
    """Make `numbers`, an array of NUMBERS doubles in shared memory, those of this process."""
    global _of_this_process
    _of_this_process = numbers


@contextmanager
def compiling() -> Iterator[None]:
    """The block prepares compiled code, which takes about a minute where none is cached."""
    if _of_this_process is not None:
        _of_this_process[COMPILING] = time.monotonic()
    try:
        yield
    finally:
        if _of_this_process is not None:
            _of_this_process[COMPILING] = 0


_R = TypeVar("_R", bound=_Placed)


def passing(records: Iterable[_R], start: int) -> Iterator[_R]:
    """Yield `records`, and report the bytes between `start` and the offset of each."""
    for record in records:
        if _of_this_process is not None:
            _of_this_process[BYTES] = max(0, record.offset - start)
        yield record
