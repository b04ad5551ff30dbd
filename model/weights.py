"""A model on disk: `model.json`, its shape, and `model.safetensors`, its weights in their own dtype. No pickle.

A folder with both, and the tokenizer's under `tokenizer/`, is all that generation and export ask for: each checkpoint of a
training run is one.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.config import ModelConfig, ModelError
from model.gpt import GPT
from model.sharding import placed_like

CONFIG_FILE = "model.json"
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FOLDER = "tokenizer"


def save_weights(folder: Path, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
    """Write both files; a tied head has no tensor of its own. Raises OSError where there is no room."""
    (folder / CONFIG_FILE).write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")
    try:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / WEIGHTS_FILE)
    except SafetensorError as error:  # it tells of a full disk in its own words
        raise OSError(f"{folder / WEIGHTS_FILE}: {error}") from error


def read_config(folder: Path) -> ModelConfig:
    """The shape of the model in `folder`. Raises ModelError."""
    path = folder / CONFIG_FILE
    try:
        return ModelConfig.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing: give the folder of a checkpoint, such as RUN/checkpoints/step-00001000") from error
    except (OSError, ValueError, ValidationError) as error:
        raise ModelError(f"{path}: describes no model ({' '.join(str(error).split())})") from error


@torch.no_grad()
def load_weights(folder: Path, model: GPT) -> None:
    """Fill `model`, sharded or not, with the weights in `folder`. Raises ModelError for a file that cannot be read, and for
    a tensor that is missing, unknown or of another shape."""
    path = folder / WEIGHTS_FILE
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); take another checkpoint") from error
    assign(model, weights, path)


@torch.no_grad()
def assign(model: GPT, weights: Mapping[str, Tensor], origin: object) -> None:
    """Give every parameter of `model`, sharded or not, its value in `weights`, which came from `origin`. Raises ModelError
    for a name that is missing or unknown, and for another shape."""
    parameters = dict(model.named_parameters())
    for name in sorted(parameters.keys() ^ weights.keys()):
        problem = "is missing" if name in parameters else "is no parameter of the model"
        raise ModelError(f"{origin}: {name} {problem}; the weights are another model's")
    for name, parameter in parameters.items():
        if parameter.shape != weights[name].shape:
            shapes = f"{tuple(weights[name].shape)}, not {tuple(parameter.shape)}"
            raise ModelError(f"{origin}: {name} has shape {shapes}; the weights are another model's")
        parameter.copy_(placed_like(weights[name], parameter))


def load_model(folder: Path, device: torch.device | str = "cpu") -> GPT:
    """The model in `folder`. Raises ModelError."""
    config = read_config(folder)
    with torch.device("meta"):  # no time is spent on initial values that are overwritten
        model = GPT(config)
    model.to_empty(device=device)
    load_weights(folder, model)
    return model
