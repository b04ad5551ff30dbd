"""Shared by the benchmarks of speed: programs that do the same work are timed in turn, and a table shows the result.

Compare ratios; absolute figures hold for one machine only. The programs of a table run one after the other, several times, so
that a machine that slows down slows them all. The figure is the median of the turns. Time is processor time of all threads
together: it says how much work a core does per hour, and does not grow when other processes take the processor.
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
ROUNDS = 5  # the median of five survives two disturbed turns
MISSING = "not installed; see benchmarks/requirements/peers.txt"
console = Console(width=130)


def peer(package: str, program: Program) -> Program | None:
    """`program`, or None if the package that it needs is not installed: peers are not dependencies of the project."""
    return program if importlib.util.find_spec(package) is not None else None


def seconds_in_turn(programs: Mapping[str, Program], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Processor seconds of each program in each round. Every round calls the programs one after the other."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            started = time.process_time()
            program()
            seconds[name].append(time.process_time() - started)
    return seconds


def peak_bytes(program: Program) -> int:
    """How many bytes `program` adds to the peak memory of a process, measured in a fork of this process."""
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
    """Time `programs`, the project's own first, and print a table; None means a peer that is not installed.

    `amount` is how many `unit` each program works through. Each is called once before it is timed, so that loading and
    compiling at the first call is not counted, and once more in its own process to measure its memory.
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
