"""What a run would take, without running it: `--dry-run` builds the model, takes a few steps in memory and writes nothing.

Weights, gradients and moments are computed; activations and the time of a step are measured, because they depend on the batch,
the documents in it, the kernels and what else the machine does.
"""

import resource
import sys
import time
from collections.abc import Callable

import torch

from model.gpt import parameter_count
from trainer.machine.parallel import Parallel
from trainer.optimization.step import train_step
from trainer.record.live_line import duration
from trainer.run.prepare import Run

# The first step also allocates memory and loads kernels. Of the others at most so many are timed, for at most so many seconds,
# but at least one.
_STEPS = 5
_SECONDS = 20.0
# AdamW keeps two moments, as fp32, for each parameter.
_MOMENTS_BYTES = 8


def rehearse(run: Run, parallel: Parallel, say: Callable[[str], None]) -> None:
    """Print the size of the model, the memory of a rank, the length of the run and its time, from a few steps of training."""
    ranks = parallel.world_size if parallel.sharded else 1
    parameters = parameter_count(run.model)
    blocks = parameter_count(run.model, embeddings=False)
    size = run.model.head_VE.element_size() if not parallel.sharded else 4
    static = {
        "weights": parameters * size // ranks,
        "gradients": parameters * size // ranks,
        "optimizer": parameters * _MOMENTS_BYTES // ranks,
    }
    before = _peak_memory(parallel.device)
    seconds = _seconds_per_step(run, parallel)
    after = _peak_memory(parallel.device)
    say(f"model {run.config.model}: {parameters:,} parameters, {blocks:,} of them in blocks")
    parts = [f"{name} {_bytes(number)}" for name, number in static.items()]
    total = sum(static.values())
    if before is None or after is None:
        say(f"memory per rank: {', '.join(parts)} (computed); activations are not measured on {parallel.device.type}")
    else:
        # Weights are there before the first step; gradients, moments and activations come with it.
        activations = max(0, after - before - static["gradients"] - static["optimizer"])
        say(
            f"memory per rank: {', '.join(parts)} (computed), activations {_bytes(activations)} (measured): "
            f"{_bytes(total + activations)}, besides the program's own"
        )
    windows = sum(source.windows for source in run.loader.order.sources)
    left = run.steps - run.progress.step
    length, batch = run.model.config.context_length, run.config.windows_per_step
    say(
        f"run: {left:,} steps of {batch} windows of {length:,} tokens, {left * batch * length:,} "
        f"tokens, {run.sequences / windows:.2f} epochs in all"
    )
    speed = batch * length / seconds
    say(
        f"time: {seconds:.3g} s per step, {speed:,.0f} tokens/s (measured, as busy as the machine is now): "
        f"{duration(left * seconds)}, {left * seconds / 3600:.2f} hours, besides validation, samples and checkpoints"
    )
    say("nothing was written; leave out --dry-run to train")


def _seconds_per_step(run: Run, parallel: Parallel) -> float:
    steps = min(1 + _STEPS, max(1, run.steps - run.progress.step))
    taken: list[float] = []
    for batches in run.loader.steps(run.progress.sequences, steps, run.sequences):
        started = time.perf_counter()
        train_step(run.wrapped, batches, run.optimizer, 0.0, run.config.clip_norm, run.computation, parallel)
        taken.append(time.perf_counter() - started)
        if parallel.any(sum(taken) > _SECONDS and len(taken) > 1):
            break
    timed = taken[1:] or taken
    return sum(timed) / len(timed)


def _peak_memory(device: torch.device) -> int | None:
    """The most memory in bytes that was in use so far: of the GPU, or of this process. None where it cannot be asked."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "cpu":
        # Linux counts in KiB, macOS in bytes (getrusage(2) of both).
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return None


def _bytes(number: int) -> str:
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
