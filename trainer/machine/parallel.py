"""One process or many: all communication between the ranks of a run, behind one object.

`torchrun --nproc-per-node N -m trainer.pretrain …` starts N ranks. With `ddp` each has the whole model and gradients are summed;
with `fsdp` parameters, gradients and moments are sharded over the ranks, and each block's parameters are gathered when they are
needed (FSDP2: Zhao et al. 2023, arXiv 2304.11277). GPUs communicate by NCCL, CPUs by gloo. Without torchrun there is one rank,
the same calls, and no communication.

Both strategies *average* gradients over ranks, while the loss is normalized by the targets of all ranks together: the loss is
multiplied by `gradient_scale` before its backward pass so that the average is the sum.

The end needs care on CPUs. Gloo's threads drop the tensors of a collective after it is complete, and to drop a tensor that Python
knows they need the interpreter's lock. If the interpreter is already ending, such a thread is killed inside a destructor, and the
process aborts ("terminate called without an active exception"). If the last reference to the process group is in the reducer of
DistributedDataParallel, the main thread holds the lock while it waits for the threads, forever. So leaving the block drops the
reducers first, and then the group, whose destructor waits for the threads without the lock. After an error nobody waits: another
rank may never join the collective that is under way, so the rank ends without destructors once its error has been printed.
"""

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from model.gpt import GPT
from model.sharding import whole
from trainer.config import Strategy
from trainer.errors import TrainerError

# What `from_first` broadcasts: anything that can be pickled.
T = TypeVar("T")
INTERRUPTED = 130  # as shells report a program ended by Ctrl-C


class Parallel:
    """The ranks of a run. A context manager: leaving it ends the communication, and models that it placed cannot train on."""

    def __init__(self, strategy: Strategy, device_type: str) -> None:
        """device_type: cpu, cuda, …; under torchrun each rank uses the device with its number on its machine.

        Raises TrainerError if torchrun started more ranks on a machine than it has GPUs.
        """
        self.strategy = strategy
        self.rank = int(os.environ.get("RANK", "0"))
        self.world_size = int(os.environ.get("WORLD_SIZE", "1"))
        self.distributed = "RANK" in os.environ and self.world_size > 1
        self._replicas: list[DistributedDataParallel] = []
        self.device = torch.device(device_type)
        if device_type == "cuda":
            local_rank = int(os.environ.get("LOCAL_RANK", "0"))
            if local_rank >= torch.cuda.device_count():
                raise TrainerError(
                    f"rank {self.rank} has no GPU: this machine has {torch.cuda.device_count()}; "
                    "start torchrun with that number as --nproc-per-node"
                )
            self.device = torch.device("cuda", local_rank)
            torch.cuda.set_device(self.device)

    def __enter__(self) -> "Parallel":
        if self.distributed:
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
            # Cycles of objects that hold a process group, as FSDP makes them, must go before the interpreter ends.
            atexit.register(gc.collect)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self.distributed:
            return
        if kind is not None:
            atexit.register(_end_at_once, INTERRUPTED if issubclass(kind, KeyboardInterrupt) else 1)
            return
        for replica in self._replicas:
            del replica.reducer, replica.logger, replica.process_group
        self._replicas.clear()
        gc.collect()
        dist.destroy_process_group()

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes files and prints."""
        return self.rank == 0

    @property
    def sharded(self) -> bool:
        """Whether each rank has only a part of the parameters."""
        return self.distributed and self.strategy == "fsdp"

    @property
    def gradient_scale(self) -> int:
        """The factor of the loss that turns averaged gradients into summed ones."""
        return self.world_size

    def place(self, model: GPT, precision: torch.dtype, fill: Callable[[GPT], None]) -> nn.Module:
        """Allocate a model on the meta device on this rank's device, and return it as training calls it.

        Under `fsdp`, `model` is sharded before memory is allocated. fill: sets the values of the parameters.
        """
        if self.sharded:
            _shard(model, precision, self.device.type, self.world_size)
        model.to_empty(device=self.device)
        fill(model)
        if self.distributed and not self.sharded:
            replica = DistributedDataParallel(model, device_ids=None if self.device.type == "cpu" else [self.device.index])
            self._replicas.append(replica)
            return replica
        return model

    @contextlib.contextmanager
    def accumulate(self, model: nn.Module, last: bool) -> Iterator[None]:
        """Communicate gradients only with the last micro-batch of a step."""
        if self.sharded:
            cast("Any", model).set_requires_gradient_sync(last)  # FSDP2 adds this method to the module
            yield
        elif isinstance(model, DistributedDataParallel) and not last:
            with model.no_sync():
                yield
        else:
            yield

    def clip(self, model: nn.Module, maximum: float) -> Tensor:
        """Scale gradients to a norm of at most `maximum` over all parameters of all ranks; return the norm before."""
        norm = nn.utils.clip_grad_norm_(model.parameters(), maximum)
        return whole(norm)

    def sum(self, tensor: Tensor) -> Tensor:
        """Return the elementwise sum over ranks; `tensor` is overwritten."""
        if self.distributed:
            dist.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """Return whether `flag` is set on any rank, the same on all ranks."""
        return bool(self.sum(torch.tensor(int(flag), device=self.device))) if self.distributed else flag

    def from_first(self, value: T) -> T:
        """Return the first rank's value on every rank. Waits for all ranks."""
        if not self.distributed:
            return value
        box: list[T] = [value]
        dist.broadcast_object_list(box, src=0, device=self.device if self.device.type == "cuda" else None)
        return box[0]

    def failure(self, own: str | None) -> str | None:
        """Return what failed on the first rank on which anything did, the same on all ranks; None if all succeeded.

        own: what failed on this rank. Waits for all ranks, so that none waits later for one that has ended.
        """
        if not self.distributed:
            return own
        found: list[str | None] = [None] * self.world_size
        dist.all_gather_object(found, own)
        return next((text for text in found if text is not None), None)


def _end_at_once(status: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, full or not there
            stream.flush()
    os._exit(status)


def _shard(model: GPT, precision: torch.dtype, device_type: str, ranks: int) -> None:
    # Imported only with several ranks: it takes seconds.
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device_type, (ranks,))
    # Parameters are gathered and multiplied in the run's precision; gradients are summed in fp32.
    policy = MixedPrecisionPolicy(param_dtype=precision, reduce_dtype=torch.float32)
    for block in model.blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    register_fsdp_forward_method(model, "logits")
