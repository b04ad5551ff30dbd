"""The contents of a training run's checkpoint, and how to restore the optimizer and the counters from it.

    model.json, model.safetensors   the model; with tokenizer/, all that generation and export need
    tokenizer/                      the tokenizer of the shards
    training.json                   configuration, progress, the shards' fingerprints, versions
    optimizer.safetensors           AdamW's moments by parameter, from a run whose ranks each have the whole model
    optimizer/                      the same from a sharded run, in torch's distributed format: each rank writes its own part,
                                    and any number of ranks can read it

The data order is determined by `progress.sequences`, seed and shards, and needs no other state. The distributed format has an
index in pickle. It is read with a list of the classes that such an index has, so that one from a stranger can run no program;
the tensors are read with torch's own list (`weights_only`).
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_loader import load as load_distributed

from model.gpt import GPT
from model.sharding import placed_like
from trainer.checkpoints.folder import Checkpoint
from trainer.checkpoints.safe_reader import SafeReader
from trainer.errors import TrainerError

TRAINING_FILE = "training.json"
MOMENTS_FILE = "optimizer.safetensors"
MOMENTS_FOLDER = "optimizer"


@dataclass
class Progress:
    """The counters of a run.

    sequences: consumed so far, the loader's whole state. tokens: targets trained on. best, waited: the lowest validation in bits
    per byte and the validations since then, for early stopping.
    """

    step: int = 0
    sequences: int = 0
    tokens: int = 0
    skipped_in_a_row: int = 0
    best: float | None = None
    waited: int = 0


@dataclass(frozen=True)
class Stored:
    """`training.json`: the configuration as plain data, the progress, and the identity of the data."""

    configuration: dict[str, Any]
    progress: Progress
    fingerprints: list[str]
    tokenizer_sha256: str


def read_stored(checkpoint: Path) -> Stored:
    """Return what the folder `checkpoint` records of its run. Raises TrainerError if that cannot be read."""
    path = checkpoint / TRAINING_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(Progress)}
        progress = Progress(**{key: value for key, value in content["progress"].items() if key in known})
        return Stored(content["configuration"], progress, content["fingerprints"], content["tokenizer_sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainerError(f"{path}: cannot be read as a run's state ({error}); resume from another checkpoint") from error


def moments(model: GPT, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return AdamW's state by name: `<parameter>.exp_avg`, `.exp_avg_sq` and `.step`; empty before the first step."""
    return {
        f"{name}.{kind}": value
        for name, parameter in model.named_parameters()
        for kind, value in optimizer.state[parameter].items()
    }


def restore_moments(checkpoint: Checkpoint, model: GPT, optimizer: torch.optim.Optimizer) -> None:
    """Restore the moments in `checkpoint`, written by any number of ranks, to `optimizer`.

    Raises TrainerError if they are not those of this model.
    """
    # The state that AdamW creates at its first step; the fused kernel keeps the step count on the parameter's device.
    state = {
        parameter: {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
        for parameter in model.parameters()
    }
    named = {f"{name}.{kind}": value for name, p in model.named_parameters() for kind, value in state[p].items()}
    try:
        if (checkpoint.path / MOMENTS_FOLDER).is_dir():
            load_distributed(named, storage_reader=SafeReader(checkpoint.path / MOMENTS_FOLDER))
        else:
            stored = load_file(checkpoint.path / MOMENTS_FILE)
            if not stored:
                return  # saved before the first step
            for name, value in named.items():
                value.copy_(placed_like(stored[name], value))
    except (OSError, SafetensorError, KeyError, RuntimeError, UnpicklingError, CheckpointException) as error:
        raise TrainerError(
            f"{checkpoint.path}: its optimizer state does not fit the model ({' '.join(str(error).split())}); "
            "start another run with --start-from"
        ) from error
    for parameter, values in state.items():
        optimizer.state[parameter] = values
