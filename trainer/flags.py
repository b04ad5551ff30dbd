"""The flags of `trainer.pretrain`, one for each field of its configuration, and what a wrong flag of any command is told."""

import os
import sys
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from pipeline.terminal import Command, prepare_streams
from trainer.config import PretrainConfig, ScheduleConfig, ShardsConfig

# What people type who know another program, and what it is called here. nanoGPT, transformers' Trainer, LLaMA-Factory, litgpt
# and torchtune have most of these names. A flag that a command has itself is never looked up here.
_SPOKEN = {
    "--shards": (
        "--data",
        "--data-dir",
        "--data-path",
        "--dataset",
        "--dataset-name",
        "--train-data",
        "--train-file",
        "--corpus",
    ),
    "--output": ("--out", "--out-dir", "--output-dir", "--save-dir", "--run", "--run-name", "--name"),
    "--model": ("--model-name", "--model-size", "--preset", "--arch", "--architecture", "--model-config"),
    "--start-from": (
        *("--checkpoint", "--ckpt", "--init-from", "--pretrained", "--finetune", "--from-pretrained", "--model-name-or-path"),
        "--load",
    ),
    "--context-length": ("--block-size", "--seq-len", "--seq-length", "--sequence-length", "--max-seq-length", "--max-seq-len"),
    "--vocabulary-size": ("--vocab-size", "--vocab"),
    "--steps": ("--max-steps", "--num-steps", "--total-steps", "--train-steps", "--iters", "--max-iters", "--iterations"),
    "--tokens": ("--max-tokens", "--num-tokens", "--total-tokens", "--max-new-tokens", "--length", "--max-length"),
    "--epochs": ("--epoch", "--num-epochs", "--max-epochs", "--num-train-epochs"),
    "--batch-size": ("--bs", "--batch", "--global-batch-size", "--train-batch-size", "--batchsize", "--eval-batch-size"),
    "--micro-batch-size": ("--per-device-train-batch-size", "--per-device-batch-size", "--micro-batch", "--device-batch-size"),
    "--schedule-peak": ("--lr", "--learning-rate", "--max-lr", "--peak-lr", "--peak", "--peak-learning-rate"),
    "--schedule-kind": (
        "--scheduler",
        "--schedule",
        "--lr-scheduler",
        "--lr-scheduler-type",
        "--lr-schedule",
        "--lr-decay-style",
    ),
    "--schedule-warmup-steps": (
        "--warmup",
        "--warmup-steps",
        "--warm-up",
        "--warmup-iters",
        "--lr-warmup-steps",
        "--num-warmup-steps",
    ),
    "--weight-decay": ("--wd",),
    "--beta1": ("--adam-beta1", "--betas"),
    "--beta2": ("--adam-beta2",),
    "--clip-norm": ("--grad-clip", "--clip", "--max-grad-norm", "--gradient-clip", "--gradient-clip-val", "--clip-grad"),
    "--seed": ("--random-seed", "--rng-seed"),
    "--precision": ("--dtype", "--fp16", "--bf16", "--fp32", "--amp", "--mixed-precision"),
    "--device": ("--gpu", "--cuda", "--cpu", "--no-cuda"),
    "--log-every": ("--log-interval", "--logging-steps", "--log-steps"),
    "--validate-every": (
        "--eval-every",
        "--eval-interval",
        "--eval-steps",
        "--val-every",
        "--valid-every",
        "--val-check-interval",
    ),
    "--save-every": ("--save-steps", "--save-interval", "--checkpoint-every", "--ckpt-interval"),
    "--keep-last": ("--save-total-limit", "--keep-checkpoints"),
    "--early-stopping": ("--patience", "--early-stopping-patience"),
    "--wandb-project": ("--wandb", "--wandb-run", "--report-to"),
    "--resume": ("--continue", "--resume-from-checkpoint", "--resume-from", "--auto-resume"),
    "--strategy": ("--fsdp", "--ddp", "--distributed"),
    "--samples": ("--num-samples", "--num-return-sequences", "-n"),
    "--temperature": ("--temp", "-t"),
    "--beams": ("--num-beams", "--beam-size"),
    "--prompt": ("--text", "--input", "--start", "-p"),
}
_CALLED_HERE = {spoken: flag for flag, others in _SPOKEN.items() for spoken in others}
# What has no flag here, and what to do instead.
_INSTEAD = {
    **dict.fromkeys(
        ("--gradient-accumulation-steps", "--grad-accum", "--accumulate", "--accumulate-grad-batches", "--accumulation-steps"),
        "a step takes --batch-size windows in pieces of --micro-batch-size, and accumulates over the pieces by itself",
    ),
    **dict.fromkeys(("--optimizer", "--optim"), "the optimizer is AdamW, with --beta1, --beta2 and --weight-decay"),
    **dict.fromkeys(
        ("--min-lr", "--minimum-learning-rate", "--end-lr"),
        "the lowest learning rate is --schedule-minimum-ratio, a share of --schedule-peak",
    ),
    **dict.fromkeys(
        ("--warmup-ratio", "--warmup-fraction"),
        "the warm-up is --schedule-warmup-steps, by default a tenth of the run and at most 100 steps",
    ),
    **dict.fromkeys(
        ("--num-workers", "--workers", "--dataloader-num-workers"), "none are needed: a thread prepares the next batches"
    ),
    **dict.fromkeys(
        ("--gpus", "--num-gpus", "--devices", "--nproc-per-node"),
        "start one rank per GPU: torchrun --nproc-per-node N -m trainer.pretrain …",
    ),
    **dict.fromkeys(("--tokenizer", "--tokenizer-name", "--tokenizer-path"), "the tokenizer is the one that made the shards"),
    **dict.fromkeys(
        (
            "--layers",
            "--n-layer",
            "--n-layers",
            "--num-layers",
            "--width",
            "--n-embd",
            "--hidden-size",
            "--heads",
            "--n-head",
            "--num-heads",
        ),
        "the shape of the model is --model: a preset, or a YAML file with the keys of ModelConfig",
    ),
    "--fp8": "--precision knows fp32 and bf16",
}


class TrainerCommand(Command):
    """A command whose wrong flags are told their name here, and of which only the first rank prints what is wrong."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command; under torchrun a rank other than the first ends without a word, with the same exit status."""
        if os.environ.get("RANK", "0") == "0":
            return super().main(*arguments, **options)
        prepare_streams()
        try:
            ended = super().main(*arguments, **{**options, "standalone_mode": False})
        except click.ClickException as error:
            sys.exit(error.exit_code)
        sys.exit(ended if isinstance(ended, int) else 0)

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Parse the flags; an unknown one that has another name here, or that needs none, is told so."""
        try:
            return super().parse_args(context, arguments)
        except click.NoSuchOption as error:
            hint = self._hint(error.option_name)
            if hint is None:
                raise
            raise click.UsageError(f"No such option '{error.option_name}': {hint}.", context) from error

    def _hint(self, typed: str) -> str | None:
        name = typed.lower().replace("_", "-")
        known = {flag for parameter in self.params for flag in parameter.opts}
        flag = name if name in known else _CALLED_HERE.get(name)
        if flag in known:
            described = next(one for one in self.params if flag in one.opts)
            text = described.help if isinstance(described, click.Option) else None
            return f"it is {flag} here" + (f" ({text.rstrip('.')})" if text else "")
        return _INSTEAD.get(name)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate `command` with one flag per field of `PretrainConfig`. Flags that are not given are None, or empty."""
    fields = [(name, field) for name, field in PretrainConfig.model_fields.items() if name != "schedule"]
    fields += [(f"schedule_{name}", field) for name, field in ScheduleConfig.model_fields.items()]
    for name, field in reversed(fields):
        command = _option(name, field)(command)
    return command


def _option(name: str, field: FieldInfo) -> Callable[[Callable[..., None]], Callable[..., None]]:
    flag = "--" + name.replace("_", "-")
    kind, many = _kind(field.annotation)
    text = field.description or ""
    if field.default is not None and field.default not in ((), ("",)) and not field.is_required():
        shown = " ".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
        text = f"{text} [default: {shown}]".strip()
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    metavar = {"shards": "DIR[:WEIGHT]", "output": "DIR"}.get(name)
    return click.option(flag, name, type=kind, multiple=many, default=None, help=text, metavar=metavar)


def _kind(annotation: Any) -> tuple[Any, bool]:
    """Return the type of a flag, and whether it may be repeated."""
    arguments = [argument for argument in get_args(annotation) if argument not in (type(None), Ellipsis)]
    if get_origin(annotation) is tuple:
        inner = arguments[0]
        return (str if inner is ShardsConfig else inner), True
    if get_origin(annotation) is Literal:
        return click.Choice(list(get_args(annotation))), False
    return _kind(arguments[0]) if arguments else (annotation, False)
