"""How fast the loaders are and how much memory they add: turns, each in its own process, and the table of their medians."""

import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.loader.peers import LOADERS, SHAPES, Data
from benchmarks.loader.stream import check

TURNS = 3
SECONDS = 2.0  # of each turn
PARTS = 4  # memory is measured between the parts of a turn
console = Console()


@dataclass(frozen=True)
class Turn:
    """The measurements of one turn: seconds and CPU seconds per million tokens, and bytes of memory added."""

    seconds: float
    cpu_seconds: float
    memory: int


def turn(data: Data, name: str, workers: int, batch: int) -> Turn:
    """Time loader `name` in this process."""
    torch.set_num_threads(1)
    timed = next(each for each in LOADERS if each.name == name)
    importlib.import_module(timed.module)
    before = memory_of_family()
    batches = timed.make(data, batch, workers)
    check(data, *(tensor[:2].numpy() for tensor in next(batches)))
    seconds, count, memory = 0.0, 0, 0
    cpu_before = cpu_of_family()
    for part in range(1, PARTS + 1):
        began = time.perf_counter()
        while (spent := seconds + time.perf_counter() - began) < SECONDS * part / PARTS:
            next(batches)
            count += 1
        seconds = spent
        memory = max(memory, memory_of_family())
    millions = count * batch * data.length / 1e6
    return Turn(seconds / millions, (cpu_of_family() - cpu_before) / millions, memory - before)


def family() -> list[int]:
    """This process and its workers."""
    own = os.getpid()
    children = [(task / "children").read_text().split() for task in Path(f"/proc/{own}/task").iterdir()]
    return [own, *(int(child) for of_task in children for child in of_task)]


def memory_of_family() -> int:
    """Proportional set size in bytes, as the kernel sums it."""
    rollups = (Path(f"/proc/{process}/smaps_rollup").read_text().splitlines() for process in family())
    return sum(int(line.split()[1]) * 1024 for lines in rollups for line in lines if line.startswith("Pss:"))


def cpu_of_family() -> float:
    """CPU seconds so far. Fields 14 and 15 of `stat`, counted from the end of the program's name (proc(5))."""
    fields = (Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in family())
    return sum(int(of_process[11]) + int(of_process[12]) for of_process in fields) / os.sysconf("SC_CLK_TCK")


def show_speed(data: Data) -> None:
    """Let the loaders take turns, per shape, and print a table."""
    for batch, length in SHAPES:
        turns: dict[tuple[str, int], list[Turn]] = {(each.name, count): [] for each in LOADERS for count in each.workers}
        for _ in range(TURNS):
            for (name, workers), measured in turns.items():
                measured.append(turn_in_a_process(replace(data, length=length), name, workers, batch))
        ours = turns[LOADERS[0].name, 0]
        table = Table(f"{batch} x {length}", "M tokens/s", "slower", "CPU s/G tokens", "dearer", "memory added, MiB")
        for (name, workers), measured in turns.items():
            seconds, least = statistics.median(each.seconds for each in measured), min(each.cpu_seconds for each in measured)
            table.add_row(
                name + (f", {workers} worker" if workers else ""),
                f"{1 / seconds:,.1f}",
                f"{seconds / statistics.median(each.seconds for each in ours):.1f}",
                f"{1000 * least:,.1f}",
                f"{least / min(each.cpu_seconds for each in ours):.1f}",
                f"{max(each.memory for each in measured) / 2**20:,.1f}",
            )
        console.print(table)


def turn_in_a_process(data: Data, name: str, workers: int, batch: int) -> Turn:
    """Run `turn` in a new process."""
    described = json.dumps([str(data.folder), data.length, data.delimiter, name, workers, batch])
    command = [sys.executable, "-m", "benchmarks.loader", "--turn", described]
    # A peer's own messages go to the user; the last line holds the figures.
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Turn(*json.loads(printed.splitlines()[-1]))
