"""Writing tensors to a safetensors file."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write `tensors` by name, each contiguous, with the permissions that the umask gives. Raises OSError if the disk is full."""
    # safetensors writes to a temporary file that only its owner may read, and renames it.
    path.touch()
    permissions = path.stat().st_mode
    try:
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()}, path, None if metadata is None else {**metadata}
        )
    except SafetensorError as error:  # safetensors' way of reporting a full disk
        raise OSError(f"{path}: {error}") from error
    path.chmod(permissions)
