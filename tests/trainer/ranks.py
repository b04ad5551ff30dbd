"""Run by torchrun in tests/trainer/machine/test_parallel.py: rank 0 writes what two ranks compute."""

import sys
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import save_file
from torch.distributed.tensor import DTensor

from model.gpt import GPT
from model.initialization import initialize
from tests.trainer.optimization.test_step import COMPUTATION, CONFIG, batch_of
from trainer.config import Strategy
from trainer.machine.parallel import Parallel
from trainer.optimization.optimizer import adamw
from trainer.optimization.step import train_step


def main(strategy: Strategy, output: Path) -> None:
    """Take one step over sequences 0 to 7, four per rank in two micro-batches, and one with a NaN on rank 1."""
    with Parallel(strategy, "cpu") as parallel:
        with torch.device("meta"):
            model = GPT(CONFIG)
        wrapped = parallel.place(model, torch.float32, lambda model: initialize(model, 0))
        optimizer = adamw(model, 1e-3)
        seen: dict[str, torch.Tensor] = {}

        def record(*_: object) -> None:
            for name, parameter in model.named_parameters():
                gradient = parameter.grad
                assert gradient is not None
                seen[name] = (gradient.full_tensor() if isinstance(gradient, DTensor) else gradient).clone()

        optimizer.register_step_pre_hook(record)
        first = 4 * parallel.rank
        batches = [batch_of(range(first, first + 2)), batch_of(range(first + 2, first + 4))]
        result = train_step(wrapped, batches, optimizer, 1e-3, 1e9, COMPUTATION, parallel)
        before = [value.clone() for value in model.parameters()]
        if parallel.rank == 1:
            model.register_forward_hook(lambda _module, _inputs, output: (output[0] * float("nan"), output[1]))
        skipped = train_step(wrapped, batches, optimizer, 1e-3, 1e9, COMPUTATION, parallel)
        same = all(
            torch.equal(old.to_local() if isinstance(old, DTensor) else old, new.to_local() if isinstance(new, DTensor) else new)
            for old, new in zip(before, model.parameters(), strict=True)
        )
        unchanged = not parallel.any(not same)
        if parallel.first:
            seen["loss"] = torch.tensor(result.loss, dtype=torch.float64)
            seen["losses"] = torch.from_numpy(result.losses_G.copy())
            seen["norm"] = torch.tensor(result.gradient_norm, dtype=torch.float64)
            seen["tokens"] = torch.tensor(result.tokens)
            seen["skipped"] = torch.tensor([skipped.skipped, unchanged])
            save_file({name: value.contiguous() for name, value in seen.items()}, output)


if __name__ == "__main__":
    main(cast("Strategy", sys.argv[1]), Path(sys.argv[2]))
