"""Preparation of a run: from a configuration, or a checkpoint to resume, to everything that the loop needs.

Errors in shards, model, batch size or length are found here, before the first step.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from pydantic import ValidationError
from torch import nn

from model.config import ModelConfig
from model.gpt import GPT
from model.hugging_face.folder import read_hugging_face
from model.initialization import initialize
from model.mixers.documents import attention_method
from model.presets import PRESETS, preset
from model.weights import CONFIG_FILE, assign, load_model, load_weights, read_config
from pipeline.config import explained
from pipeline.files import exclusive_lock
from pipeline.tokens.tokenizer import Tokenizer
from trainer.checkpoints.folder import Checkpoint, open_checkpoint
from trainer.checkpoints.state import Progress, Stored, read_stored, restore_moments
from trainer.config import FIXED, PretrainConfig
from trainer.data.loader import Loader
from trainer.data.order import Order
from trainer.data.sources import Sources
from trainer.data.windows import Windows
from trainer.errors import TrainerError
from trainer.machine.device import chosen_precision
from trainer.machine.parallel import Parallel
from trainer.optimization.computation import Computation
from trainer.optimization.optimizer import adamw
from trainer.optimization.schedule import warmup_of

# Length if none is given: about ten minutes of the default model on two CPU cores, and no more epochs of a small corpus than
# still help (Muennighoff et al. 2023, arXiv 2305.16264, find little gain beyond four epochs and almost none beyond 16).
DEFAULT_TOKENS = 2_000_000
DEFAULT_EPOCHS = 10
# Default limit of windows computed at once: more hardly speed up matrix products, and need memory.
LARGEST_MICRO_BATCH = 16


@dataclass(eq=False)
class Run:
    """A prepared run.

    model: with the parameter names of checkpoints; wrapped: as called in training. validation: windows of each source. sequences,
    steps: length of the run from its first step.
    """

    config: PretrainConfig
    sources: Sources
    tokenizer: Tokenizer
    model: GPT
    wrapped: nn.Module
    optimizer: torch.optim.Optimizer
    computation: Computation
    loader: Loader
    validation: list[Windows]
    progress: Progress
    sequences: int
    steps: int


def prepare(config: PretrainConfig, checkpoint: Checkpoint | None, parallel: Parallel) -> Run:
    """Prepare training under `config`, from the beginning or from `checkpoint`.

    Raises TrainerError or ModelError for anything in configuration, shards or model with which it cannot start.
    """
    sources = Sources.open(config.shards)
    tokenizer = sources.tokenizer()
    stored = read_stored(checkpoint.path) if checkpoint else None
    if stored:
        check_continues(config, stored, sources)
    shape, fill = _model(config, checkpoint, sources)
    sources.check_model(shape, checkpoint.path if checkpoint else config.start_from or config.model)
    windows = sources.windows("train", shape.context_length)
    order = sources.order(windows, config.seed)
    progress = stored.progress if stored else Progress()
    sequences, steps = length(config, progress, order, shape.context_length)
    order.check_length(sequences)
    # Fixed from now on, so that a run that is extended later does not warm up again.
    schedule = config.schedule.model_copy(update={"warmup_steps": warmup_of(config.schedule, steps)})
    config = config.model_copy(update={"schedule": schedule})
    precision = chosen_precision(config.precision, parallel.device)
    with torch.device("meta"):
        model = GPT(shape)
    wrapped = parallel.place(model, precision, fill)
    optimizer = adamw(model, config.schedule.peak, weight_decay=config.weight_decay, betas=(config.beta1, config.beta2))
    if checkpoint:
        restore_moments(checkpoint, model, optimizer)
    if config.compile or (config.compile is None and parallel.device.type == "cuda"):
        for block in model.blocks:
            block.compile()
    each = config.batch_size // parallel.world_size
    return Run(
        config=config,
        sources=sources,
        tokenizer=tokenizer,
        model=model,
        wrapped=wrapped,
        optimizer=optimizer,
        computation=Computation(
            attention_method(parallel.device, precision), precision, config.seed if shape.dropout > 0 else None
        ),
        loader=Loader(
            order,
            windows,
            global_batch=config.batch_size,
            micro_batch=config.micro_batch_size or _largest_divisor(each, LARGEST_MICRO_BATCH),
            rank=parallel.rank,
            world_size=parallel.world_size,
        ),
        validation=_validation(config, sources, shape.context_length),
        progress=progress,
        sequences=sequences,
        steps=steps,
    )


def length(config: PretrainConfig, progress: Progress, order: Order, context_length: int) -> tuple[int, int]:
    """Return the sequences and steps of the whole run, including those of `progress`. The last step may be incomplete."""
    if config.steps is not None:
        return progress.sequences + max(0, config.steps - progress.step) * config.batch_size, config.steps
    windows = sum(source.windows for source in order.sources)
    if config.epochs is not None:
        sequences = math.ceil(config.epochs * windows)
    elif config.tokens is not None:
        sequences = math.ceil(config.tokens / context_length)
    else:
        sequences = min(math.ceil(DEFAULT_TOKENS / context_length), DEFAULT_EPOCHS * windows)
    return sequences, progress.step + max(0, math.ceil((sequences - progress.sequences) / config.batch_size))


def check_continues(config: PretrainConfig, stored: Stored, sources: Sources) -> None:
    """Raise TrainerError if the run cannot be resumed under `config`: other shards, or another value of a fixed key."""
    if stored.tokenizer_sha256 != sources.meta.tokenizer_sha256:
        raise TrainerError(
            f"{sources.names[0]}: its tokenizer is {sources.meta.tokenizer_sha256[:12]}, the run's was "
            f"{stored.tokenizer_sha256[:12]}; give the shards that the run started with, or start another run with --start-from"
        )
    if stored.fingerprints != sources.fingerprints:
        was, now = ([print_[:12] for print_ in prints] for prints in (stored.fingerprints, sources.fingerprints))
        raise TrainerError(
            f"{', '.join(sources.names)}: fingerprint {', '.join(now)}, but the run started with {', '.join(was)}; give those "
            "shards, or start another run on these with --start-from"
        )
    content = config.model_dump(mode="json")
    for key in FIXED:
        if content[key] != stored.configuration.get(key):
            raise TrainerError(
                f"{key}: the run has {stored.configuration.get(key)!r} and cannot continue with {content[key]!r}; leave it out, "
                "or start another run with --start-from"
            )


def _model(config: PretrainConfig, checkpoint: Checkpoint | None, sources: Sources) -> tuple[ModelConfig, Callable[[GPT], None]]:
    """Return the configuration of the run's model, and a function that sets its initial parameters."""
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
            model = _foreign_model(Path(config.start_from))
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


def _foreign_model(path: Path) -> GPT:
    """Return the model in a checkpoint, a run or a Hugging Face folder."""
    if not path.exists():
        raise TrainerError(
            f"start_from: {path} is no folder; a model of the Hugging Face hub is downloaded first: "
            f"hf download {path} --local-dir FOLDER, then --start-from FOLDER"
        )
    if (path / "config.json").exists():
        return read_hugging_face(path)
    folder = path if (path / CONFIG_FILE).exists() else open_checkpoint(path).path
    return load_model(folder)


def _validation(config: PretrainConfig, sources: Sources, context_length: int) -> list[Windows]:
    if not config.validate_every:
        return []
    try:
        return sources.windows("val", context_length)
    except TrainerError as error:
        folders = ", ".join(dataset.folder.as_posix() for dataset in sources.datasets)
        raise TrainerError(f"{folders}: {error}; or train without validation: --validate-every 0") from error


def _largest_divisor(number: int, limit: int) -> int:
    return next((divisor for divisor in range(min(number, limit), 0, -1) if number % divisor == 0), 1)


@contextmanager
def held(run: Path, parallel: Parallel) -> Iterator[None]:
    """Create the run's folder if necessary, and reserve it for these ranks within the block.

    Raises TrainerError if another process trains there, or the folder cannot be used.
    """
    with ExitStack() as stack:
        if parallel.first:
            try:
                stack.enter_context(exclusive_lock(run / "lock"))
            except BlockingIOError as error:
                raise TrainerError(f"{run}: another process is training there; wait for it or choose another --output") from error
            except OSError as error:
                raise TrainerError(f"{run}: cannot be used ({error.strerror}); choose another --output") from error
        yield
