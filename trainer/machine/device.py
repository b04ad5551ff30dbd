"""Where to compute and how precisely, when the user leaves it open."""

import torch

from trainer.config import DeviceName, PrecisionName
from trainer.errors import TrainerError


def chosen_device(name: DeviceName) -> torch.device:
    """The device called `name`; `auto` prefers a GPU. Raises TrainerError when this machine has none of that name."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if present[kind]))
    if not present[name]:
        raise TrainerError(f"device {name}: this machine, or this build of torch, has none; take --device auto")
    return torch.device(name)


def chosen_precision(name: PrecisionName, device: torch.device) -> torch.dtype:
    """The precision of matrix products. `auto` is bf16 where hardware multiplies it faster than fp32: GPUs from Ampere on, and
    CPUs with AMX tiles. Other CPUs compute bf16 several times slower than fp32."""
    if name != "auto":
        return torch.bfloat16 if name == "bf16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32
