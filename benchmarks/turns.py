"""What the benchmarks of speed share: programs that do the same work, timed in turn, and the table of what was seen.

Ratios count, absolute figures do not travel. The programs of a table run one after the other, several times over, so that a
machine that slows down slows them all; the median of the turns counts. Time is processor time of all threads together,
which is what a core can do in an hour and does not grow when other processes take the processor away.
"""

import importlib.util
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection

from rich.console import Console
from rich.table import Table

Program = Callable[[], object]
ROUNDS = 5  # the median of five stands where two of them were disturbed
MISSING = "not installed; see benchmarks/requirements/peers.txt"
console = Console(width=130)


def peer(package: str, program: Program) -> Program | None:
    """`program`, or None where the package that it needs is not installed: peers are no dependencies of the project."""
    return program if importlib.util.find_spec(package) is not None else None


def seconds_in_turn(programs: Mapping[str, Program], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Processor seconds of each program in each round, the programs being called one after the other in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            started = time.process_time()
            program()
            seconds[name].append(time.process_time() - started)
    return seconds


def peak_bytes(program: Program) -> int:
    """How many bytes `program` adds to the memory of a process at its peak, seen in a copy of this process."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_report_peak, args=(program, theirs))
    process.start()
    added = int(ours.recv())
    process.join()
    return added


def _report_peak(program: Program, pipe: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    program()
    pipe.send(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))


def compare(title: str, unit: str, amount: float, programs: Mapping[str, Program | None], rounds: int = ROUNDS) -> None:
    """Time `programs`, the project's own first, and print a table; None stands for a peer that is not installed.

    `amount` is how many `unit` each program works through. Each is called once before it is timed, so that what is loaded
    and compiled at the first call is not counted, and once more in a process of its own for its memory.
    """
    present = {name: program for name, program in programs.items() if program is not None}
    for program in present.values():
        program()
    peaks = {name: peak_bytes(program) for name, program in present.items()}
    medians = {name: statistics.median(times) for name, times in seconds_in_turn(present, rounds).items()}
    own = medians[next(iter(medians))]
    table = Table(title, f"{unit}/s", "median s", "this project is faster by", "peak MiB", title=f"{amount:,.0f} {unit}")
    for name in programs:
        if name in medians:
            figures = (f"{amount / medians[name]:,.0f}", f"{medians[name]:.3f}", f"{medians[name] / own:.2f}")
            table.add_row(name, *figures, f"{peaks[name] / 2**20:,.0f}")
        else:
            table.add_row(name, MISSING)
    console.print(table)
