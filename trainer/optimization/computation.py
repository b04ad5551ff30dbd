"""How the forward passes of a run are computed, in training and in validation alike."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model.mixers.documents import Documents, Method
from trainer.data.loader import Batch


@dataclass(frozen=True)
class Computation:
    """The settings of all passes of a run. precision: of matrix products. dropout_seed: None for no dropout."""

    method: Method
    precision: torch.dtype
    dropout_seed: int | None

    def loss(self, model: nn.Module, batch: Batch, device: torch.device, *, training: bool) -> tuple[Tensor, Tensor]:
        """Return the summed loss of `batch` in nats, and each target's loss, (B, T)."""
        key_B = None
        if training and self.dropout_seed is not None:
            key_B = torch.from_numpy(dropout_keys(self.dropout_seed, batch.sequences_B)).to(device)
        documents = Documents.of(batch.starts_BT.to(device), self.method)
        with torch.autocast(device.type, self.precision, enabled=self.precision != torch.float32):
            total, losses_BT = model(batch.inputs_BT.to(device), batch.targets_BT.to(device), documents, key_B)
        return total, losses_BT


def dropout_keys(seed: int, sequences_B: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Return the keys of the sequences with these global numbers, int32 (B,): SplitMix64's finalizer (Steele et al. 2014)."""
    x = sequences_B.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))).astype(np.uint32).view(np.int32)
