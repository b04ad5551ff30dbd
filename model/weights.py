"""A model on disk: its configuration, `model.json`, and its weights in their own dtype, `model.safetensors`. No pickle.

A folder with both, and with the tokenizer in `tokenizer/`, is all that generation and export need; each checkpoint of a
training run is such a folder.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from model.config import ModelConfig, ModelError
from model.gpt import GPT
from model.sharding import placed_like
from model.tensor_file import write_tensors

CONFIG_FILE = "model.json"
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FOLDER = "tokenizer"


def save_weights(folder: Path, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
    """Write both files; a tied head has no tensor of its own. Raises OSError if the disk is full."""
    (folder / CONFIG_FILE).write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")
    write_tensors(folder / WEIGHTS_FILE, weights)


def read_config(folder: Path) -> ModelConfig:
    """Return the configuration of the model in `folder`. Raises ModelError if it is missing or invalid."""
    path = folder / CONFIG_FILE
    try:
        return ModelConfig.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing: give the folder of a checkpoint, such as RUN/checkpoints/step-00001000") from error
    except (OSError, ValueError, ValidationError) as error:
        raise ModelError(f"{path}: is not a valid model configuration ({' '.join(str(error).split())})") from error


@torch.no_grad()
def load_weights(folder: Path, model: GPT) -> None:
    """Fill `model`, sharded or not, with the weights in `folder`.

    Raises ModelError for a file that cannot be read, and as `assign` does.
    """
    path = folder / WEIGHTS_FILE
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); use another checkpoint") from error
    assign(model, weights, path)


@torch.no_grad()
def assign(model: GPT, weights: Mapping[str, Tensor], origin: object) -> None:
    """Set every parameter of `model`, sharded or not, to its value in `weights`, which come from `origin`.

    Raises ModelError for a parameter that is missing, unknown or of another shape.
    """
    parameters = dict(model.named_parameters())
    for name in sorted(parameters.keys() ^ weights.keys()):
        problem = "is missing" if name in parameters else "is no parameter of the model"
        raise ModelError(f"{origin}: {name} {problem}; these are weights of another model")
    for name, parameter in parameters.items():
        if parameter.shape != weights[name].shape:
            shapes = f"{tuple(weights[name].shape)}, not {tuple(parameter.shape)}"
            raise ModelError(f"{origin}: {name} has shape {shapes}; these are weights of another model")
        parameter.copy_(placed_like(weights[name], parameter))


def load_model(folder: Path, device: torch.device | str = "cpu") -> GPT:
    """Return the model in `folder`. Raises ModelError as `read_config` and `load_weights` do."""
    config = read_config(folder)
    with torch.device("meta"):  # no time for initial values that are overwritten
        model = GPT(config)
    model.to_empty(device=device)
    load_weights(folder, model)
    return model
