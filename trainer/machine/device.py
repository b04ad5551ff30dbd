"""The device and precision of a run, chosen if the user leaves them open."""

import torch

from trainer.config import DeviceName, PrecisionName
from trainer.errors import TrainerError


def chosen_device(name: DeviceName) -> torch.device:
    """Return the device called `name`; `auto` prefers a GPU. Raises TrainerError if this machine has no such device."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if present[kind]))
    if not present[name]:
        raise TrainerError(f"device {name}: not available on this machine or in this build of torch; use --device auto")
    return torch.device(name)


def chosen_precision(name: PrecisionName, device: torch.device) -> torch.dtype:
    """Return the precision of matrix products.

    `auto` is bf16 on hardware that multiplies it faster than fp32: GPUs from Ampere on, and CPUs with AMX tiles. Other CPUs
    multiply bf16 several times slower than fp32.
    """
    if name != "auto":
        return torch.bfloat16 if name == "bf16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32
