"""How long the trainer's loader takes to resume from any place."""

import statistics
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.loader.peers import SEED, SHAPES, Data
from pipeline.tokens.dataset import TokenSplit
from trainer.data.loader import Loader
from trainer.data.order import Dataset, Order
from trainer.data.windows import Windows

RESTORED_TOKENS = 10**10
console = Console()


def show_restoring(data: Data) -> None:
    """Time the way from mapped shards to the first batch, at places anywhere in ten epochs of 10^10 tokens."""
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
    """Seconds and CPU seconds to make windows, order and loader and to get the first batch after `consumed` sequences. Only one
    batch is requested, since the loader's thread would spend processor time on more."""
    began, cpu_began = time.perf_counter(), time.process_time()
    windows = [Windows(split, length) for _ in weights]
    order = Order([Dataset("train", len(own), weight) for own, weight in zip(windows, weights, strict=True)], SEED)
    stream = Loader(order, windows, global_batch=batch, micro_batch=batch, rank=0, world_size=1).steps(consumed, 1)
    next(stream)
    spent = time.perf_counter() - began, time.process_time() - cpu_began
    stream.close()
    return spent
