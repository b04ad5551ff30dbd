"""One process or many: everything that the training loop needs to know of the others, behind one object.

`torchrun --nproc-per-node N -m trainer.pretrain …` starts N ranks. With `ddp` each holds the whole model and gradients are
summed; with `fsdp` parameters, gradients and moments are sharded over the ranks, and a block's parameters are gathered when
it is their turn (FSDP2: Zhao et al. 2023, arXiv 2304.11277). GPUs talk by NCCL, CPUs by gloo. Without torchrun there is one
rank, the same calls, and no communication.

Both ways *average* gradients over ranks, while the loss is normalised by the targets of all ranks together: the loss is
multiplied by `gradient_scale` before its backward pass so that the average is the sum.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from model.gpt import GPT
from model.sharding import whole
from trainer.config import Strategy
from trainer.errors import TrainerError


class Parallel:
    """The ranks of a run. A context: leaving it ends the communication."""

    def __init__(self, strategy: Strategy, device_type: str) -> None:
        """device_type: cpu, cuda, …; under torchrun each rank takes the device of its number on its machine.

        Raises TrainerError when torchrun has started more ranks on a machine than it has GPUs.
        """
        self.strategy = strategy
        self.rank = int(os.environ.get("RANK", "0"))
        self.world_size = int(os.environ.get("WORLD_SIZE", "1"))
        self.distributed = "RANK" in os.environ and self.world_size > 1
        self.device = torch.device(device_type)
        if device_type == "cuda":
            local_rank = int(os.environ.get("LOCAL_RANK", "0"))
            if local_rank >= torch.cuda.device_count():
                raise TrainerError(
                    f"rank {self.rank} has no GPU: this machine has {torch.cuda.device_count()}; "
                    "start torchrun with --nproc-per-node of that number"
                )
            self.device = torch.device("cuda", local_rank)
            torch.cuda.set_device(self.device)

    def __enter__(self) -> "Parallel":
        if self.distributed:
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
        return self

    def __exit__(self, *_: object) -> None:
        if self.distributed:
            dist.destroy_process_group()

    @property
    def first(self) -> bool:
        """Is this the rank that writes and speaks?"""
        return self.rank == 0

    @property
    def sharded(self) -> bool:
        """Does each rank hold a part of the parameters only?"""
        return self.distributed and self.strategy == "fsdp"

    @property
    def gradient_scale(self) -> int:
        """By what the loss is multiplied so that averaged gradients are summed ones."""
        return self.world_size

    def place(self, model: GPT, precision: torch.dtype, fill: Callable[[GPT], None]) -> nn.Module:
        """Bring a model without storage (of device meta) onto this rank's device, and return it as training calls it.

        Under `fsdp`, `model` is sharded before it takes memory. `fill` gives the parameters their values.
        """
        if self.sharded:
            _shard(model, precision, self.device.type, self.world_size)
        model.to_empty(device=self.device)
        fill(model)
        if self.distributed and not self.sharded:
            return DistributedDataParallel(model, device_ids=None if self.device.type == "cpu" else [self.device.index])
        return model

    @contextlib.contextmanager
    def accumulate(self, model: nn.Module, last: bool) -> Iterator[None]:
        """Communicate gradients with the last micro-batch of a step only."""
        if self.sharded:
            cast(Any, model).set_requires_gradient_sync(last)  # FSDP2 has given the module this method
            yield
        elif isinstance(model, DistributedDataParallel) and not last:
            with model.no_sync():
                yield
        else:
            yield

    def clip(self, model: nn.Module, maximum: float) -> Tensor:
        """Scale gradients so that their norm over all parameters of all ranks is at most `maximum`; the norm before that."""
        norm = nn.utils.clip_grad_norm_(model.parameters(), maximum)
        return whole(norm)

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over ranks, elementwise; `tensor` is overwritten."""
        if self.distributed:
            dist.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """Is it so on any rank? All ranks get the same answer."""
        return bool(self.sum(torch.tensor(int(flag), device=self.device))) if self.distributed else flag

    def from_first(self, value: Any) -> Any:
        """What the first rank has, on every rank. Waits for all."""
        if not self.distributed:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device if self.device.type == "cuda" else None)
        return box[0]


def _shard(model: GPT, precision: torch.dtype, device_type: str, ranks: int) -> None:
    # Imported where there are ranks: it takes seconds.
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device_type, (ranks,))
    # Parameters travel and multiply in the run's precision; gradients are summed in fp32.
    policy = MixedPrecisionPolicy(param_dtype=precision, reduce_dtype=torch.float32)
    for block in model.blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    register_fsdp_forward_method(model, "logits")
