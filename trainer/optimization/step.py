"""One optimizer step: many micro-batches on many ranks, as if they were one batch.

Losses are summed and divided by the number of targets in the whole step, over all micro-batches and ranks, which is known before
the first backward pass. A mean of the micro-batches' means would give targets of padded or masked windows more weight.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from model.cross_entropy import IGNORE
from trainer.data.loader import Batch
from trainer.machine.parallel import Parallel
from trainer.optimization.computation import Computation


@dataclass(frozen=True)
class StepResult:
    """The figures of a step, over all ranks.

    loss: nats per target. tokens: targets. gradient_norm: before clipping. skipped: whether the step changed nothing, because the
    loss or gradient was not finite. losses_G: float32, nats per target of each of the step's G sequences, in the order of the
    ranks; NaN for one without targets.
    """

    loss: float
    tokens: int
    gradient_norm: float
    skipped: bool
    losses_G: npt.NDArray[np.float32]


def train_step(
    model: nn.Module,
    batches: Sequence[Batch],
    optimizer: torch.optim.Optimizer,
    learning_rate: float,
    clip_norm: float,
    computation: Computation,
    parallel: Parallel,
) -> StepResult:
    """Take one step over this rank's micro-batches.

    If the loss or gradient is not finite on any rank, no rank changes its parameters or moments.
    """
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
    # One reduction for the loss and the rows' losses: each rank has zeros for the rows of the others.
    losses_G = torch.zeros(parallel.world_size, len(valid_N), device=parallel.device)
    losses_G[parallel.rank] = torch.cat(sums) / valid_N
    figures = parallel.sum(torch.cat([total, losses_G.flatten()])).cpu().numpy()
    loss = float(figures[0]) / tokens
    # Both numbers are equal on all ranks, so all skip or none does.
    skipped = not (math.isfinite(loss) and math.isfinite(gradient_norm))
    if not skipped:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return StepResult(loss, tokens, gradient_norm, skipped, figures[1:])
