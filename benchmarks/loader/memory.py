"""Whether the loader's memory grows with the shards: an epoch of random windows from a dataset and from N copies of it.

    python -m benchmarks.loader.memory --tokens out/tokens --times 20

The copies are shards of one new dataset, each with its own doc_ids. Each epoch runs in its own process, which reads the
kernel's figures after each step: RssAnon, the memory that the process has allocated; RssFile, pages of mapped files (the
shards and the program's libraries); VmHWM, the peak of both together. `before` is the memory of the process before it opens
the dataset, mostly torch.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.tokens.dataset import TokenDataset
from pipeline.tokens.store import ShardInfo, TokenShard, write_dataset, write_shard
from trainer.data.loader import Loader
from trainer.data.order import Dataset, Order
from trainer.data.windows import Windows

FIGURES = ("RssAnon", "RssFile", "VmHWM")


def write_copies(tokens: Path, target: Path, times: int) -> None:
    """Write a dataset to `target` whose training split is that of `tokens`, repeated `times` times."""
    dataset = TokenDataset.open(tokens)
    shards = dataset.split("train").shards
    infos = [write_copy(shard, target / f"train-{copy:05d}-{shard.path.name}", copy) for copy in range(times) for shard in shards]
    write_dataset(target, {"train": infos}, dataset.meta)


def write_copy(shard: TokenShard, path: Path, copy: int) -> ShardInfo:
    """Write `shard` to `path`, with the number of the copy in front of its doc_ids."""
    doc_ids = [f"{copy:08x}{doc_id[8:]}" for doc_id in shard.doc_ids.to_pylist()]
    return write_shard(path, doc_ids, shard.tokens, shard.offsets, shard.n_bytes, shard.n_chars, shard.meta)


def kernel_figures() -> dict[str, int]:
    """The `FIGURES` of this process, in bytes."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {words[0][:-1]: int(words[1]) * 1024 for words in lines if words[0][:-1] in FIGURES}


def read_an_epoch(tokens: Path, length: int, batch: int) -> dict[str, float]:
    """Read each window of the training split once; returns the maximum of each figure, in bytes, and how much was read."""
    before = kernel_figures()
    peak = dict.fromkeys(FIGURES, 0)
    windows = Windows(TokenDataset.open(tokens).split("train"), length)
    order = Order([Dataset("train", len(windows), 1.0)], seed=1)
    loader = Loader(order, [windows], global_batch=batch, micro_batch=batch, rank=0, world_size=1)
    steps = -(-len(windows) // batch)
    began = time.perf_counter()
    for _ in loader.steps(consumed=0, steps=steps):
        peak = {name: max(value, peak[name]) for name, value in kernel_figures().items()}
    return {
        "shard_bytes": sum(shard.path.stat().st_size for shard in windows.split.shards),
        "tokens_per_second": steps * batch * length / (time.perf_counter() - began),
        **{f"{name} before": value for name, value in before.items()},
        **peak,
    }


def measured(tokens: Path, length: int, batch: int) -> dict[str, float]:
    """Run `read_an_epoch` in a new process."""
    command = [sys.executable, "-m", "benchmarks.loader_memory", "--tokens", str(tokens), "--times", "0"]
    command += ["--length", str(length), "--batch", str(batch)]
    figures: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return figures


def main() -> None:
    """Print a row for the dataset as it is and one for its copies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", required=True, type=Path, help="folder of token shards")
    parser.add_argument("--times", type=int, default=20, help="copies in the larger dataset; 0 reads --tokens alone, in JSON")
    parser.add_argument("--length", type=int, default=1024, help="tokens of a window")
    parser.add_argument("--batch", type=int, default=32, help="windows of a step")
    arguments = parser.parse_args()
    if arguments.times == 0:
        sys.stdout.write(json.dumps(read_an_epoch(arguments.tokens, arguments.length, arguments.batch)))
        return
    lines = ["times   shards MiB   M tokens/s" + "".join(f"{name:>10} MiB (before)" for name in FIGURES)]
    for times in (1, arguments.times):
        with tempfile.TemporaryDirectory(prefix="loader-memory-") as folder:
            write_copies(arguments.tokens, Path(folder), times)
            row = measured(Path(folder), arguments.length, arguments.batch)
        memory = "".join(f"{row[name] / 2**20:>14.1f} ({row[f'{name} before'] / 2**20:>6.1f})" for name in FIGURES)
        lines.append(f"{times:>5}  {row['shard_bytes'] / 2**20:>11.1f}  {row['tokens_per_second'] / 1e6:>11.1f}{memory}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
