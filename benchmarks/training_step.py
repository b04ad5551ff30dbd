"""The speed of a training step, compared with transformers' GPT-2 with the same weights, data and optimizer; and the peak share.

    python -m benchmarks.training_step [--threads N] [--rounds N] [--steps N]

The model is a GPT-2 of 35 M parameters: 6 layers, width 512, 32,000 ids, context 512, batch 8. A step is forward pass, loss,
backward pass, clipping and AdamW (torch's fused kernel for all programs). Each turn runs in its own process: one unmeasured
step, which triggers compilation, and then `--steps` measured ones. If the losses of any step disagree, the program exits.

The peak is measured between the steps, because it drifts: products of 2048^3 and of the model's own shapes, in fp32 and bf16;
the fastest is the machine's peak. The peak share is the time of a step's arithmetic at that speed / the time that the step took,
both as processor time. On a busy machine look at processor time on one thread, which leaves out the time of other programs.
"""

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.table import Table

from benchmarks.turns import MISSING, console
from model.config import ModelConfig
from model.cross_entropy import IGNORE
from model.gpt import GPT
from model.hugging_face.folder import read_hugging_face, write_hugging_face
from model.initialization import initialize
from trainer.data.loader import Batch
from trainer.machine.device import chosen_precision
from trainer.machine.flops import operations_per_token
from trainer.machine.malloc import keep_freed_memory
from trainer.machine.parallel import Parallel
from trainer.optimization.computation import Computation
from trainer.optimization.optimizer import adamw
from trainer.optimization.step import train_step

CONTEXT, BATCH = 512, 8
LEARNING_RATE, CLIP_NORM = 3e-4, 1.0
# Losses are about 10 nats after some steps. fp32 differs by the order of sums, bf16 by its 8 bits.
AGREEMENT = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
CPU = torch.device("cpu")
Step = Callable[[], float]


def small_gpt2() -> ModelConfig:
    """A GPT-2 with 35 M parameters, biases and tied embeddings as in transformers."""
    return ModelConfig(
        vocabulary_size=32_000,
        context_length=CONTEXT,
        width=512,
        layers=6,
        heads=8,
        key_value_heads=8,
        feed_forward_width=2048,
        normalization="layer_norm",
        positions="learned",
        feed_forward="gelu",
        query_key_value_bias=True,
        projection_bias=True,
    )


@dataclass(frozen=True)
class Contestant:
    """precision: of matrix products; compiled: by torch.compile."""

    precision: torch.dtype
    compiled: bool
    is_peer: bool


CONTESTANTS = {
    "this project": Contestant(chosen_precision("auto", CPU), compiled=False, is_peer=False),
    "transformers, fp32": Contestant(torch.float32, compiled=False, is_peer=True),
    "transformers, fp32, compiled": Contestant(torch.float32, compiled=True, is_peer=True),
    "transformers, bf16 autocast": Contestant(torch.bfloat16, compiled=False, is_peer=True),
    "transformers, bf16 autocast, compiled": Contestant(torch.bfloat16, compiled=True, is_peer=True),
}


@dataclass(frozen=True)
class Turn:
    """The measurements of one turn: seconds, processor seconds and loss of each step, the loss of the unmeasured step,
    operations per processor second of the fastest product, and peak memory in bytes."""

    seconds: list[float]
    cpu_seconds: list[float]
    losses: list[float]
    peaks: list[float]
    memory: int


def window_tokens() -> torch.Tensor:
    """The ids of the batch, (B, T): each sequence is one document."""
    return torch.randint(0, small_gpt2().vocabulary_size, (BATCH, CONTEXT), generator=torch.Generator().manual_seed(1))


def own_step(folder: Path, contestant: Contestant) -> Step:
    """A step of this project over the model in `folder`."""
    model = read_hugging_face(folder)
    optimizer = adamw(model, LEARNING_RATE)
    computation, parallel = Computation("loop", contestant.precision, dropout_seed=None), Parallel("ddp", "cpu")
    tokens_BT = window_tokens()
    # As transformers treats labels: a sequence's last token has nothing to predict.
    targets_BT = torch.nn.functional.pad(tokens_BT[:, 1:], (0, 1), value=IGNORE)
    zeros_B = np.zeros(BATCH, np.int64)
    batch = Batch(tokens_BT, targets_BT, torch.zeros(BATCH, CONTEXT, dtype=torch.int32), zeros_B, zeros_B)
    return lambda: train_step(model, [batch], optimizer, LEARNING_RATE, CLIP_NORM, computation, parallel).loss


def peers_step(folder: Path, contestant: Contestant) -> Step:
    """A step of transformers over the model in `folder`."""
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, use_cache=False).train()
    optimizer = adamw(model, LEARNING_RATE)
    tokens_BT = window_tokens()
    if contestant.compiled:
        model.compile()

    def step() -> float:
        with torch.autocast("cpu", contestant.precision, enabled=contestant.precision != torch.float32):
            loss = model(input_ids=tokens_BT, labels=tokens_BT).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def fastest_product() -> float:
    """Operations per processor second of the fastest product. Each shape and precision is timed once after an unmeasured call:
    2048^3, and the model's products with its feed-forward and output matrices."""
    config = small_gpt2()
    tokens = BATCH * CONTEXT
    shapes = [(2048, 2048, 2048), (tokens, config.width, config.feed_forward_width), (CONTEXT, config.width, 32_000)]
    best = 0.0
    for precision in (torch.float32, torch.bfloat16):
        for rows, inner, columns in shapes:
            a, b = torch.ones(rows, inner, dtype=precision), torch.ones(inner, columns, dtype=precision)
            out = torch.mm(a, b)
            started = time.process_time()
            torch.mm(a, b, out=out)
            best = max(best, 2 * rows * inner * columns / (time.process_time() - started))
    return best


def turn(folder: Path, name: str, steps: int) -> Turn:
    """Take one unmeasured step and `steps` measured ones in this process."""
    contestant = CONTESTANTS[name]
    if not contestant.is_peer:
        keep_freed_memory()  # as `trainer.pretrain` does
    step = (peers_step if contestant.is_peer else own_step)(folder, contestant)
    measured = Turn([], [], [step()], [], 0)
    for _ in range(steps):
        measured.peaks.append(fastest_product())
        started, cpu_started = time.perf_counter(), time.process_time()
        loss = step()
        measured.seconds.append(time.perf_counter() - started)
        measured.cpu_seconds.append(time.process_time() - cpu_started)
        measured.losses.append(loss)
    return Turn(**{**asdict(measured), "memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss})


def turn_in_a_process(folder: Path, name: str, steps: int, threads: int) -> Turn:
    """Run `turn` in a new process."""
    command = [sys.executable, "-m", "benchmarks.training_step", "--turn", name, "--folder", str(folder), "--steps", str(steps)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if run.returncode:
        sys.exit(f"{name} ended with status {run.returncode}:\n{run.stderr}")
    return Turn(**json.loads(run.stdout.splitlines()[-1]))


def check_losses(turns: dict[str, list[Turn]]) -> None:
    """Exit if the losses of any program differ from those of transformers in fp32."""
    reference = next(iter(turns.get("transformers, fp32") or turns["this project"])).losses
    for name, measured in turns.items():
        tolerance = AGREEMENT[CONTESTANTS[name].precision]
        for each in measured:
            if not np.allclose(each.losses, reference, rtol=0, atol=tolerance):
                sys.exit(f"{name}: the losses are {each.losses}, not {reference}; they do not train the same model")


def show(turns: dict[str, list[Turn]], threads: int) -> None:
    """Print a row per contestant: medians over all steps of all turns."""
    with torch.device("meta"):
        model = GPT(small_gpt2())
    # In a causal sequence of T tokens, a token attends to (T + 1) / 2 tokens on average.
    operations = BATCH * CONTEXT * operations_per_token(model, (CONTEXT + 1) / 2)
    columns = ("s a step", "CPU s a step", "dearer", "share of the peak", "peak GFLOP/s a core", "memory MiB")
    table = Table(f"{threads} thread{'s' * (threads > 1)}", *columns, title=f"{operations / 1e9:,.0f} GFLOP a step")
    own = _median(turns["this project"], "cpu_seconds")
    for name in turns:
        seconds, cpu_seconds = _median(turns[name], "seconds"), _median(turns[name], "cpu_seconds")
        peak = max(rate for each in turns[name] for rate in each.peaks)
        share = operations / peak / cpu_seconds
        figures = (f"{seconds:.2f}", f"{cpu_seconds:.2f}", f"{cpu_seconds / own:.2f}", f"{share:.0%}", f"{peak / 1e9:,.0f}")
        table.add_row(name, *figures, f"{statistics.median(each.memory for each in turns[name]) / 2**20:,.0f}")
    console.print(table)
    if len(turns) == 1:
        console.print(f"transformers: {MISSING}")
    console.print(f"this project multiplies in {str(CONTESTANTS['this project'].precision).removeprefix('torch.')}")


def _median(turns: list[Turn], figure: str) -> float:
    return float(statistics.median(value for each in turns for value in getattr(each, figure)))


def main() -> None:
    """Let the contestants take turns and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2, help="measured in each turn")
    parser.add_argument("--only", choices=CONTESTANTS, action="append", help="this one beside the project's own")
    parser.add_argument("--turn", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.turn:
        sys.stdout.write(json.dumps(asdict(turn(arguments.folder, arguments.turn, arguments.steps))) + "\n")
        return
    model = GPT(small_gpt2())
    initialize(model, 0)
    has_peers = importlib.util.find_spec("transformers") is not None
    chosen = {"this project", *(arguments.only or CONTESTANTS)}
    turns: dict[str, list[Turn]] = {
        name: [] for name, contestant in CONTESTANTS.items() if name in chosen and (has_peers or not contestant.is_peer)
    }
    with tempfile.TemporaryDirectory(prefix="training-step-") as folder:
        write_hugging_face(model, Path(folder))
        for _ in range(arguments.rounds):
            for name, measured in turns.items():
                measured.append(turn_in_a_process(Path(folder), name, arguments.steps, arguments.threads))
    check_losses(turns)
    show(turns, arguments.threads)


if __name__ == "__main__":
    main()
