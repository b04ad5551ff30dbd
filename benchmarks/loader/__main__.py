"""The speed of the training loader beside its peers, and how long it takes to go on from anywhere.

    python -m benchmarks.loader TOKENS [--scratch FOLDER]

TOKENS is a folder of token shards. Its training split, repeated until there are 2^27 tokens, is written to FOLDER in each
loader's format, once. Every turn is a process of its own: it checks a batch against the stream, then counts tokens for some
seconds; the loaders take turns, and the table has medians. Pages come from memory, as the stream fits there. Memory is what the
turn added to the process and its workers (proportional set size, so that shared pages count once). On a busy machine look at
CPU time, which sums all threads and workers; for its column the smallest of the turns is taken.

`benchmarks/loader/memory.py` shows that memory does not grow with the shards.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.loader.peers import LOADERS, SEED, Data, write_litdata, write_mds, write_raw
from pipeline.tokens.dataset import TokenDataset, TokenSplit
from pipeline.tokens.store import ShardInfo, TokenShard, write_dataset, write_shard
from trainer.data.loader import Loader
from trainer.data.order import Dataset, Order
from trainer.data.windows import Windows

SHAPES = ((8, 512), (64, 1024))  # windows of a batch, tokens of a window
TURNS = 3
SECONDS = 2.0  # of each turn
PARTS = 4  # memory is looked at between the parts of a turn
STREAM_TOKENS = 2**27
SHARD_TOKENS = 2**26
RESTORED_TOKENS = 10**10
console = Console()


@dataclass(frozen=True)
class Turn:
    """What a turn measured: seconds and CPU seconds a million tokens, and bytes of memory added."""

    seconds: float
    cpu_seconds: float
    memory: int


def write_stream(tokens: Path, data: Data) -> None:
    """Write the training split of `tokens`, repeated, as shards with doc_ids of their own, and in the peers' formats."""
    dataset = TokenDataset.open(tokens)
    shards = dataset.split("train").shards
    stream, offsets, n_bytes, n_chars = (np.concatenate(columns) for columns in zip(*map(_columns, shards), strict=True))
    times = -(-SHARD_TOKENS // len(stream))
    starts = np.cumsum([0, *np.tile(offsets, times)])
    data.shards.mkdir(parents=True)
    infos: list[ShardInfo] = []
    for number in range(STREAM_TOKENS // SHARD_TOKENS):
        doc_ids = [f"{number:016x}{document:016x}" for document in range(len(starts) - 1)]
        path = data.shards / f"train-{number}.arrow"
        columns = np.tile(stream, times), starts, np.tile(n_bytes, times), np.tile(n_chars, times)
        infos.append(write_shard(path, doc_ids, *columns, dataset.meta))
    write_dataset(data.shards, {"train": infos}, dataset.meta)
    write_raw(data)
    write_litdata(data)
    for _, length in SHAPES:
        write_mds(replace(data, length=length))


def _columns(shard: TokenShard) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Tokens, lengths of documents, and sizes of their texts."""
    return shard.tokens, np.diff(shard.offsets), shard.n_bytes, shard.n_chars


def check(data: Data, inputs_BT: np.ndarray, targets_BT: np.ndarray, starts_BT: np.ndarray) -> None:
    """Hold a batch against the stream, window by window and token by token; ends the program when it is another."""
    stream = np.asarray(np.memmap(data.raw, dtype=np.uint16, mode="r"))
    for inputs, targets, starts in zip(inputs_BT.tolist(), targets_BT.tolist(), starts_BT.tolist(), strict=True):
        window = np.array([*inputs, targets[-1]])
        candidates = np.flatnonzero(stream[: len(stream) - len(inputs)] == window[0])
        for place in range(1, 4):
            candidates = candidates[stream[candidates + place] == window[place]]
        found = any(np.array_equal(stream[at : at + len(window)], window) for at in candidates)
        start, expected = 0, []
        for index, token in enumerate(inputs):
            start = index if token == data.delimiter else start
            expected.append(start)
        if not (found and targets[:-1] == inputs[1:] and starts == expected):
            sys.exit("a window is not one of the stream, or its targets or borders are wrong")


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
    children = [Path(f"/proc/{own}/task/{task}/children").read_text().split() for task in os.listdir(f"/proc/{own}/task")]
    return [own, *(int(child) for of_task in children for child in of_task)]


def memory_of_family() -> int:
    """Proportional set size in bytes, as the kernel sums it."""
    rollups = (Path(f"/proc/{process}/smaps_rollup").read_text().splitlines() for process in family())
    return sum(int(line.split()[1]) * 1024 for lines in rollups for line in lines if line.startswith("Pss:"))


def cpu_of_family() -> float:
    """CPU seconds so far. Fields 14 and 15 of `stat`, counted from behind the program's name (proc(5))."""
    fields = (Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in family())
    return sum(int(of_process[11]) + int(of_process[12]) for of_process in fields) / os.sysconf("SC_CLK_TCK")


def show_speed(data: Data) -> None:
    """Let the loaders take turns, for each shape, and print a table."""
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
    """`turn` in a new process."""
    described = json.dumps([str(data.folder), data.length, data.delimiter, name, workers, batch])
    command = [sys.executable, "-m", "benchmarks.loader", "--turn", described]
    # What a peer has to say goes to the user; the last line is the figures'.
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Turn(*json.loads(printed.splitlines()[-1]))


def show_restoring(data: Data) -> None:
    """Time how long it takes from mapped shards to the first batch, at places anywhere in ten epochs of 10^10 tokens."""
    split = data.split()
    large = TokenSplit("train", split.shards * -(-RESTORED_TOKENS // split.tokens), split.dtype)
    random = np.random.default_rng(SEED)
    table = Table(f"{large.tokens:,} tokens", "median ms", "longest ms", "longest, CPU ms")
    for batch, length in SHAPES:
        for name, weights in (("one source", (1.0,)), ("a mixture of two", (0.9, 0.1))):
            places = random.integers(0, 10 * large.tokens // length, 50).tolist()
            first_batch(large, weights, batch, length, 0)  # loads the compiled code
            spent, cpu = zip(*(first_batch(large, weights, batch, length, consumed) for consumed in places), strict=True)
            figures = (1000 * statistics.median(spent), 1000 * max(spent), 1000 * max(cpu))
            table.add_row(f"{batch} x {length}, {name}", *(f"{figure:.2f}" for figure in figures))
    console.print(table)


def first_batch(split: TokenSplit, weights: tuple[float, ...], batch: int, length: int, consumed: int) -> tuple[float, float]:
    """Seconds and CPU seconds to make windows, order and loader and to have the first batch after `consumed` sequences. No other
    is asked for, as the thread would take processor time for it."""
    began, cpu_began = time.perf_counter(), time.process_time()
    windows = [Windows(split, length) for _ in weights]
    order = Order([Dataset("train", len(own), weight) for own, weight in zip(windows, weights, strict=True)], SEED)
    stream = Loader(order, windows, global_batch=batch, micro_batch=batch, rank=0, world_size=1).steps(consumed, 1)
    next(stream)
    spent = time.perf_counter() - began, time.process_time() - cpu_began
    stream.close()
    return spent


def main() -> None:
    """Write what is missing, time, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokens", type=Path, nargs="?", help="folder of token shards")
    parser.add_argument("--scratch", type=Path, help="where the formats are written, and kept; by default nowhere")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.turn:
        folder, length, delimiter, name, workers, batch = json.loads(arguments.turn)
        measured = turn(Data(Path(folder), length, delimiter), name, workers, batch)
        sys.stdout.write(json.dumps([measured.seconds, measured.cpu_seconds, measured.memory]) + "\n")
        return
    if arguments.tokens is None:
        parser.error("name a folder of token shards")
    with tempfile.TemporaryDirectory(prefix="loader-") as temporary:
        data = Data(arguments.scratch or Path(temporary), 0, TokenDataset.open(arguments.tokens).meta.delimiter_id)
        if not data.shards.exists():
            write_stream(arguments.tokens, data)
        show_restoring(data)
        show_speed(data)


if __name__ == "__main__":
    main()
