"""The configuration of a training run: one frozen object, from a YAML file and from flags, which take precedence.

Every field is a key of the YAML file and a flag (`batch_size` is `--batch-size`, `schedule.kind` is `--schedule-kind`); its
description is the flag's help. Each checkpoint stores the whole configuration.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from model.presets import PRESETS
from pipeline.config import Config, explained
from trainer.errors import TrainerError

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
PrecisionName = Literal["auto", "fp32", "bf16"]
Strategy = Literal["ddp", "fsdp"]
Kind = Literal["cosine", "linear", "inverse_square_root", "step", "constant", "wsd"]

# In the folder of a run: its settings when it was last started.
CONFIGURATION_FILE = "config.yaml"

# Fields that determine the order of the data or the parameters: a resumed run cannot change them.
FIXED = ("model", "start_from", "context_length", "vocabulary_size", "dropout", "tie_embeddings", "seed")


class ShardsConfig(Config):
    """A folder of token shards to train on: `DIR` or `DIR:WEIGHT` on the command line."""

    path: str = Field(min_length=1)
    name: str | None = Field(None, min_length=1, description="name in metrics and tables; default: the folder as it was given")
    weight: float | None = Field(None, gt=0, description="share of the training tokens, relative to the other weights")
    max_epochs: float | None = Field(None, gt=0, description="refuse runs that would pass over the folder more often")

    @property
    def label(self) -> str:
        """What metrics and tables call it."""
        return self.name or self.path

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        path, colon, weight = value.rpartition(":")
        try:
            return {"path": path, "weight": float(weight)} if colon else {"path": value}
        except ValueError:
            return {"path": value}


class ScheduleConfig(Config):
    """The learning rate over a run."""

    kind: Kind = Field("cosine", description="shape of the learning rate after the warm-up")
    peak: float | None = Field(
        None, gt=0, description="highest learning rate, after the warm-up; default: 0.5 / width of the model, at most 4e-3"
    )
    warmup_steps: int | None = Field(
        None, ge=0, description="length of the linear rise to the peak in steps; default: a tenth of the run, at most 100"
    )
    # As in GPT-3 (appendix B) and nanoGPT.
    minimum_ratio: float = Field(0.1, ge=0, le=1, description="lowest learning rate after the warm-up, as a share of the peak")
    # A decay over 10 to 20 % of the run is as good as a cosine over all of it (Hägele et al. 2024, arXiv 2405.18392).
    decay_share: float = Field(0.2, gt=0, le=1, description="wsd: final share of the steps in which the rate falls")
    # The same study finds a lower final loss with 1 - sqrt than with a straight line.
    decay_shape: Literal["one_minus_sqrt", "linear"] = Field("one_minus_sqrt", description="wsd: shape of the fall")
    milestones: tuple[float, ...] = Field(
        (0.8, 0.9), description="step: shares of the run after which the rate falls, each time by the same factor"
    )

    @property
    def highest_rate(self) -> float:
        """The peak, of a run that is prepared."""
        assert self.peak is not None
        return self.peak

    @model_validator(mode="after")
    def _check_milestones(self) -> Self:
        if not self.milestones or list(self.milestones) != sorted({*self.milestones}):
            raise ValueError(f"milestones must increase; they are {list(self.milestones)}")
        if self.milestones[0] <= 0 or self.milestones[-1] >= 1:
            raise ValueError(f"milestones are shares of the run, between 0 and 1; they are {list(self.milestones)}")
        if self.kind == "step" and self.minimum_ratio == 0:
            raise ValueError("the kind step falls by equal factors and cannot reach a minimum_ratio of 0; set it above 0")
        return self


class PretrainConfig(Config):
    """A training run. The defaults train a small model on two CPU cores in minutes."""

    shards: tuple[ShardsConfig, ...] = Field(
        min_length=1,
        description="folder that the pipeline wrote, with dataset.json in it; several form a mixture, as DIR:WEIGHT",
    )
    output: str = Field("runs/default", description="folder of the run, for checkpoints, metrics, loss curve and samples")

    model: str = Field("modern-1m", description=f"preset, or YAML file of a model configuration; presets: {', '.join(PRESETS)}")
    start_from: str | None = Field(
        None, description="checkpoint, run or Hugging Face folder whose weights the run starts from, instead of a preset"
    )
    context_length: int | None = Field(None, ge=1, description="tokens per window; default: the model's")
    vocabulary_size: int | None = Field(None, ge=1, description="number of ids of the model; default: the tokenizer's")
    dropout: float | None = Field(None, ge=0, lt=1, description="dropout probability; default: the model's")
    tie_embeddings: bool | None = Field(None, description="use the embedding as output matrix; default: the model's")

    steps: int | None = Field(None, ge=1, description="length of the run in steps")
    tokens: int | None = Field(
        None, ge=1, description="length of the run in tokens; default without any length: 2,000,000, at most 8 epochs"
    )
    epochs: float | None = Field(None, gt=0, description="length of the run in passes over the shards")
    batch_size: int | None = Field(
        None, ge=1, description="windows per step, over all ranks; default: 16, or fewer so that a short run has 1,000 steps"
    )
    micro_batch_size: int | None = Field(
        None, ge=1, description="windows that a rank computes at once; default: its share of the step, at most 16"
    )

    schedule: ScheduleConfig = ScheduleConfig()
    weight_decay: float = Field(0.1, ge=0, description="decay of matrices per step, as a multiple of the learning rate")
    # Brown et al. 2020, appendix B.
    beta1: float = Field(0.9, ge=0, lt=1, description="AdamW's decay of the first moment")
    beta2: float = Field(0.95, ge=0, lt=1, description="AdamW's decay of the second moment")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of a step's gradient")
    seed: int = Field(0, ge=0, description="seed of initial weights, data order, dropout and samples")

    device: DeviceName = Field("auto", description="device to compute on; auto: a GPU if there is one")
    precision: PrecisionName = Field(
        "auto", description="precision of matrix products; auto: bf16 on GPUs that support it and CPUs with AMX, else fp32"
    )
    compile: bool | None = Field(None, description="torch.compile the blocks, which takes a minute; default: on GPUs only")
    strategy: Strategy = Field("ddp", description="under torchrun: the whole model on each rank, or sharded over ranks")

    log_every: int = Field(1, ge=1, description="steps between rows of metrics.jsonl")
    validate_every: int = Field(100, ge=0, description="steps between validations, with one more at the end; 0: none")
    validation_windows: int = Field(
        256, ge=0, description="windows of each validation split that are scored during training, always the same; 0: all"
    )
    sample_every: int = Field(100, ge=0, description="steps between samples of text, with more at the end; 0: none")
    sample_prompts: tuple[str, ...] = Field(("",), description="prompt of a sample; an empty one begins a document")
    sample_tokens: int = Field(100, ge=1, description="tokens per sample")
    save_every: int = Field(250, ge=1, description="steps between checkpoints, with one more at the end")
    keep_last: int = Field(2, ge=1, description="newest checkpoints to keep, besides the best by validation")
    keep_every: int | None = Field(None, ge=1, description="also keep every checkpoint whose step is a multiple of this")
    early_stopping: int | None = Field(None, ge=1, description="stop after this many validations without a new best")
    skipped_steps: int = Field(10, ge=1, description="stop after this many steps in a row without a finite loss and gradient")
    tensorboard: bool = Field(False, description="write TensorBoard files to the run's folder")
    wandb_project: str | None = Field(None, description="project of Weights & Biases to report to")

    @property
    def windows_per_step(self) -> int:
        """The batch size, of a run that is prepared."""
        assert self.batch_size is not None
        return self.batch_size

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        given = [name for name in ("steps", "tokens", "epochs") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both given; give the length of a run by one of them")
        weights = [shards.weight is not None for shards in self.shards]
        if any(weights) and not all(weights):
            raise ValueError("some shards have a weight and some have none; give each a weight, such as DIR:0.9, or none")
        return self


_FIELDS = frozenset(PretrainConfig.model_fields)


def read_configuration(path: str | None, flags: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> PretrainConfig:
    """Combine `base`, the configuration of a run to resume, the YAML file `path`, and `flags`, by option name.

    The later take precedence. A length of the run (steps, tokens or epochs) replaces one in another unit. Raises TrainerError
    for a file that cannot be read, and for keys or values that are not valid.
    """
    content: dict[str, Any] = dict(base or {})
    for layer in _layers(path, flags):
        if any(layer.get(unit) is not None for unit in ("steps", "tokens", "epochs")):
            content.update(steps=None, tokens=None, epochs=None)
        for key, value in layer.items():
            content[key] = {**content.get(key, {}), **value} if isinstance(value, dict) else value
    if "shards" not in content:
        raise TrainerError("no shards: give --shards DIR, a folder that the pipeline wrote, such as data/tokens")
    try:
        return PretrainConfig.model_validate(content)
    except ValidationError as error:
        wrong = sorted({flag_of(item["loc"]) for item in error.errors() if item["loc"][:1] and item["loc"][0] in _FIELDS})
        named = f" (flag{'s' if len(wrong) > 1 else ''} {', '.join(wrong)})" if wrong else ""
        raise TrainerError(f"{path or 'configuration'}: {explained(error, PretrainConfig)}{named}") from error


def flag_of(location: Sequence[object]) -> str:
    """The flag that sets the key at a place of the configuration: `--schedule-peak` for ("schedule", "peak")."""
    names = [str(part) for part in location[: 2 if location[0] == "schedule" else 1]]
    return "--" + "-".join(names).replace("_", "-")


def stored_form(config: PretrainConfig) -> dict[str, Any]:
    """`config` as plain data that means the same in every current folder: paths are absolute, sources keep their names."""
    content = config.model_dump(mode="json")
    for shards, given in zip(content["shards"], config.shards, strict=True):
        shards.update(path=str(Path(given.path).absolute()), name=given.label)
    return {**content, "output": str(Path(config.output).absolute()), **{key: fixed_form(key, content[key]) for key in FIXED}}


def fixed_form(key: str, value: Any) -> Any:
    """The value of a fixed key as it is stored: the path of a model is absolute, the name of a preset stays."""
    is_path = key == "start_from" or (key == "model" and value not in PRESETS)
    return str(Path(value).absolute()) if is_path and value is not None else value


def read_begun(run: Path) -> dict[str, Any] | None:
    """Return the configuration, as plain data, with which the run in the folder `run` was last started; None for no run.

    Raises TrainerError for a file that cannot be read as a configuration.
    """
    path = run / CONFIGURATION_FILE
    return _read_yaml(str(path)) if path.exists() else None


def output_folder(path: str | None, flags: Mapping[str, Any]) -> Path:
    """Return the folder of the run that the YAML file and the flags describe. Raises TrainerError for an unreadable file."""
    content = {"output": PretrainConfig.model_fields["output"].default}
    for layer in _layers(path, flags):
        content.update(layer)
    return Path(str(content["output"]))


def _layers(path: str | None, flags: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return _read_yaml(path) if path else {}, _nested(flags)


def _read_yaml(path: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainerError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainerError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise TrainerError(
            f"{path}: a configuration is a mapping of keys such as batch_size; see `python -m trainer.pretrain --help`"
        )
    return content


def _nested(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Nest options by name as in a configuration, `schedule_kind` under `schedule`, without those that were not given."""
    content: dict[str, Any] = {}
    for name, value in flags.items():
        if value is None or value == ():
            continue
        section, _, key = name.partition("_")
        if section == "schedule":
            content.setdefault(section, {})[key] = value
        else:
            content[name] = value
    return content
