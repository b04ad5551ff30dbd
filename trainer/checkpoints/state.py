"""What a checkpoint of a training run holds, and how it is taken from and given back to a model, an optimizer and the counters.

    model.json, model.safetensors   the model; with tokenizer/ all that generation and export need
    tokenizer/                      the tokenizer of the shards
    training.json                   configuration, progress, the shards' fingerprints, versions
    optimizer.safetensors           AdamW's moments by parameter, from a run whose ranks each hold the whole model
    optimizer/                      the same from a sharded run, in torch's distributed format: each rank writes its own part,
                                    and any number of ranks, or one process, reads it

Nothing of the data order is stored beside `progress.sequences`: the rest follows from seed and shards. The distributed format
keeps an index in pickle, which is read on resuming a run alone: resume your own runs only.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as distributed_checkpoint
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException

from model.gpt import GPT
from model.sharding import placed_like
from trainer.checkpoints.folder import Checkpoint
from trainer.errors import TrainerError

TRAINING_FILE = "training.json"
MOMENTS_FILE = "optimizer.safetensors"
MOMENTS_FOLDER = "optimizer"


@dataclass
class Progress:
    """The counters of a run. sequences: consumed, the loader's whole state. tokens: targets trained on.
    best, waited: the lowest validation in bits per byte and the validations since, for early stopping."""

    step: int = 0
    sequences: int = 0
    tokens: int = 0
    skipped_in_a_row: int = 0
    best: float | None = None
    waited: int = 0


@dataclass(frozen=True)
class Stored:
    """`training.json`: the configuration as plain data, the progress, and what the run was trained on."""

    configuration: dict[str, Any]
    progress: Progress
    fingerprints: list[str]
    tokenizer_sha256: str


def read_stored(checkpoint: Path) -> Stored:
    """What `checkpoint` says of its run. Raises TrainerError."""
    path = checkpoint / TRAINING_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(Progress)}
        progress = Progress(**{key: value for key, value in content["progress"].items() if key in known})
        return Stored(content["configuration"], progress, content["fingerprints"], content["tokenizer_sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainerError(f"{path}: cannot be read as a run's state ({error}); resume from another checkpoint") from error


def moments(model: GPT, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """AdamW's state by parameter and kind: `<parameter>.exp_avg`, `.exp_avg_sq` and `.step`; empty before the first step."""
    return {
        f"{name}.{kind}": value
        for name, parameter in model.named_parameters()
        for kind, value in optimizer.state[parameter].items()
    }


def restore_moments(checkpoint: Checkpoint, model: GPT, optimizer: torch.optim.Optimizer) -> None:
    """Give `optimizer` the moments that `checkpoint` holds, whatever number of ranks wrote it.

    Raises TrainerError when they are not those of this model.
    """
    # What AdamW would make at its first step: the fused kernel keeps the count of steps beside the parameter.
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
            distributed_checkpoint.load(named, checkpoint_id=checkpoint.path / MOMENTS_FOLDER)
        else:
            stored = load_file(checkpoint.path / MOMENTS_FILE)
            if not stored:
                return  # saved before the first step
            for name, value in named.items():
                value.copy_(placed_like(stored[name], value))
    except (OSError, SafetensorError, KeyError, RuntimeError, CheckpointException) as error:
        raise TrainerError(
            f"{checkpoint.path}: its optimizer state does not fit the model ({' '.join(str(error).split())}); "
            "begin another run with --start-from"
        ) from error
    for parameter, values in state.items():
        optimizer.state[parameter] = values
