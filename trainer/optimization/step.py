"""One optimizer step: many micro-batches on many ranks, as if they were one batch.

Losses are summed and divided by the number of targets in the whole step, over micro-batches and ranks, known before the
first backward pass. A mean of micro-batches' means would weigh a target of a padded or masked window more than another's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from model.cross_entropy import IGNORE
from model.mixers.attention import Documents, Method
from trainer.data.loader import Batch
from trainer.machine.parallel import Parallel


@dataclass(frozen=True)
class StepResult:
    """What a step did. loss: nats a target, over all ranks. tokens: targets, over all ranks. gradient_norm: before clipping.
    skipped: whether the parameters were left alone, as loss or gradient was not finite. losses_G: float32, nats a target of
    each of the step's sequences, over all ranks in their order; NaN for one without targets."""

    loss: float
    tokens: int
    gradient_norm: float
    skipped: bool
    losses_G: np.ndarray


@dataclass(frozen=True)
class Computation:
    """How passes are computed, the same for all of a run. precision: of matrix products. dropout_seed: None without dropout."""

    method: Method
    precision: torch.dtype
    dropout_seed: int | None

    def loss(self, model: nn.Module, batch: Batch, device: torch.device, *, training: bool) -> tuple[Tensor, Tensor]:
        """The summed loss of `batch` in nats, and each target's own, (B, T)."""
        key_B = None
        if training and self.dropout_seed is not None:
            key_B = torch.from_numpy(dropout_keys(self.dropout_seed, batch.sequences_B)).to(device)
        documents = Documents.of(batch.starts_BT.to(device), self.method)
        with torch.autocast(device.type, self.precision, enabled=self.precision != torch.float32):
            return model(batch.inputs_BT.to(device), batch.targets_BT.to(device), documents, key_B)


def dropout_keys(seed: int, sequences_B: np.ndarray) -> np.ndarray:
    """Keys of the sequences with these global numbers, int32 (B,), by the finaliser of SplitMix64 (Steele et al. 2014)."""
    x = sequences_B.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))).astype(np.uint32).view(np.int32)


def train_step(
    model: nn.Module,
    batches: Sequence[Batch],
    optimizer: torch.optim.Optimizer,
    learning_rate: float,
    clip_norm: float,
    computation: Computation,
    parallel: Parallel,
) -> StepResult:
    """One step over this rank's micro-batches. A step with a non-finite loss or gradient on any rank changes no parameter
    and no moment on any rank."""
    valid_N = torch.cat([(batch.targets_BT != IGNORE).sum(1) for batch in batches]).to(parallel.device)
    tokens = int(parallel.sum(valid_N.sum()))
    total = torch.zeros(1, device=parallel.device)
    sums = []
    for number, batch in enumerate(batches, start=1):
        with parallel.accumulate(model, last=number == len(batches)):
            summed, losses_BT = computation.loss(model, batch, parallel.device, training=True)
            (summed * (parallel.gradient_scale / tokens)).backward()
        total += summed.detach()
        sums.append(losses_BT.detach().sum(1))
    gradient_norm = float(parallel.clip(model, clip_norm))
    # The loss and the rows' own losses travel together: each rank has zeros in place of the others' rows.
    losses_G = torch.zeros(parallel.world_size, len(valid_N), device=parallel.device)
    losses_G[parallel.rank] = torch.cat(sums) / valid_N
    figures = parallel.sum(torch.cat([total, losses_G.flatten()])).cpu().numpy()
    loss = float(figures[0]) / tokens
    # Both numbers are the same on every rank, so that all skip or none does.
    skipped = not (math.isfinite(loss) and math.isfinite(gradient_norm))
    if not skipped:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return StepResult(loss, tokens, gradient_norm, skipped, figures[1:])
