"""The model that a run begins with: from its checkpoint, from another model's folder, from a preset, or from a YAML file."""

from collections.abc import Callable
from pathlib import Path

import torch
import yaml
from pydantic import ValidationError

from model.config import ModelConfig
from model.gpt import GPT
from model.initialization import initialize
from model.presets import PRESETS, preset
from model.weights import assign, load_weights, read_config
from pipeline.config import explained
from trainer.checkpoints.folder import Checkpoint
from trainer.checkpoints.models import model_folder, read_model
from trainer.config import PretrainConfig
from trainer.data.same_tokenizer import check_same_tokenizer
from trainer.data.sources import Sources
from trainer.errors import TrainerError


def initial_model(
    config: PretrainConfig, checkpoint: Checkpoint | None, sources: Sources, say: Callable[[str], None]
) -> tuple[ModelConfig, Callable[[GPT], None]]:
    """Return the configuration of the run's model, and a function that sets its initial parameters.

    Raises TrainerError or ModelError for a model that cannot be read, or whose tokenizer is not that of the shards.
    """
    if checkpoint:
        folder = checkpoint.path
        return read_config(folder), lambda model: load_weights(folder, model)
    changes = {
        key: value
        for key in ("context_length", "vocabulary_size", "dropout", "tie_embeddings")
        if (value := getattr(config, key)) is not None
    }
    try:
        if config.start_from:
            folder = model_folder(Path(config.start_from))
            note = check_same_tokenizer(sources, folder)
            if note is not None:
                say(note)
            model = read_model(folder, torch.device("cpu"))
            weights = model.state_dict()
            shape = ModelConfig.model_validate({**model.config.model_dump(), **changes})
            return shape, lambda model: assign(model, weights, config.start_from)
        changes = {"vocabulary_size": sources.meta.vocabulary_size, **changes}
        if config.model in PRESETS or not Path(config.model).exists():
            shape = preset(config.model, **changes)
        else:
            content = yaml.safe_load(Path(config.model).read_text(encoding="utf-8"))
            shape = ModelConfig.model_validate({**content, **changes})
    except ValidationError as error:
        raise TrainerError(f"model {config.model}: {explained(error, ModelConfig)}") from error
    except (OSError, TypeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainerError(
            f"model {config.model}: is not a YAML file of a model configuration ({' '.join(str(error).split())}); "
            f"or choose one of {', '.join(PRESETS)}"
        ) from error
    return shape, lambda model: initialize(model, config.seed)
