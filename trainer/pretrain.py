"""Train a language model on token shards.

    python -m trainer.pretrain --shards data/tokens
    python -m trainer.pretrain --config run.yaml --resume
    torchrun --nproc-per-node 8 -m trainer.pretrain --shards data/tokens --model gpt2-124m --epochs 1

Exit status 0: trained to the end, or stopped by a signal or by early stopping with everything saved; 1: stopped by an error;
2: wrong use; 130: Ctrl-C twice.
"""

import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from model.config import ModelError
from trainer.checkpoint import Checkpoint, checkpoints, newest, retain
from trainer.configuration import PretrainConfig, options, output_folder, read_configuration
from trainer.device import chosen_device
from trainer.errors import TrainerError
from trainer.parallel import Parallel
from trainer.report import Reporter
from trainer.run import Run, held, prepare
from trainer.save import save
from trainer.schedule import learning_rate
from trainer.state import read_stored
from trainer.step import train_step
from trainer.stopping import EarlyStopping, SkippedSteps, StopSignal


def pretrain(config: PretrainConfig, checkpoint: Checkpoint | None, parallel: Parallel, console: Console) -> str:
    """Train until the run's length, a signal, or early stopping; returns a sentence on why it ended. Raises TrainerError.

    checkpoint: where to go on from; None begins the run. Every rank calls it; the first writes and speaks.
    """
    run = prepare(config, checkpoint, parallel)
    progress = run.progress
    skipped = SkippedSteps(config.skipped_steps, progress.skipped_in_a_row)
    patience = EarlyStopping(config.early_stopping or math.inf, progress.best, progress.waited)
    ended = f"the run has its {run.steps:,} steps"
    with Reporter(run, parallel, console, progress.step if checkpoint else None) as report, StopSignal() as signal:
        for batches in run.loader.steps(progress.sequences, run.steps - progress.step, run.sequences):
            started = time.perf_counter()
            rate = learning_rate(config.schedule, progress.step, run.steps)
            result = train_step(run.wrapped, batches, run.optimizer, rate, config.clip_norm, run.computation, parallel)
            progress.step += 1
            progress.sequences = min(progress.sequences + config.batch_size, run.sequences)
            progress.tokens += result.tokens
            report.step(result, rate, time.perf_counter() - started)
            skipped.record(progress.step, not result.skipped, result.loss, result.gradient_norm)
            progress.skipped_in_a_row = skipped.in_a_row

            last = progress.step == run.steps
            validation, stop = None, None
            if last or _due(progress.step, config.validate_every):
                validation = report.validation()
            if validation is not None and patience.update(validation):
                stop = f"stopped early, {patience.waited} validations after the best of {patience.best:.4f} bits/byte"
            progress.best, progress.waited = patience.best, patience.waited
            if last or _due(progress.step, config.sample_every):
                report.samples()
            if parallel.any(signal.requested is not None):
                stop = f"stopped by {signal.requested or 'a signal to another rank'}"
            if last or stop or _due(progress.step, config.save_every):
                _save(run, parallel, report, validation, final=bool(last or stop))
            if stop:
                ended = f"{stop}, at step {progress.step:,} of {run.steps:,}; --resume goes on"
                break
    return ended


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _save(run: Run, parallel: Parallel, report: Reporter, validation: float | None, *, final: bool) -> None:
    """Write a checkpoint. One that cannot be written now is tried again at the next step that is due; the last one must be."""
    failure = save(run, parallel, validation)
    if failure and final:
        raise TrainerError(failure)
    if failure:
        report.say(f"{failure}; training goes on, the next checkpoint is due in {run.config.save_every} steps")
    elif parallel.first:
        retain(Path(run.config.output), run.config.keep_last, report.say)


def start(config_path: str | None, resume: bool, flags: dict[str, Any], console: Console) -> None:
    """Begin a run, or with `resume` go on from its newest whole checkpoint (begin, when it has none yet)."""
    output = output_folder(config_path, flags)
    checkpoint = newest(output, lambda text: console.print(text, markup=False)) if resume else None
    if not resume and checkpoints(output):
        raise TrainerError(f"{output} holds a run already: --resume goes on with it, another --output begins a new one")
    stored = read_stored(checkpoint.path).configuration if checkpoint else None
    config = read_configuration(config_path, flags, stored)
    with Parallel(config.strategy, chosen_device(config.device).type) as parallel, held(output, parallel):
        ended = pretrain(config, checkpoint, parallel, console)
        if parallel.first:
            console.print(ended, markup=False, highlight=False)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--config", "config_path", metavar="FILE.yaml", help="Keys as the flags below, with _ for -; flags go over it.")
@click.option("--resume", is_flag=True, help="Go on with the run in --output, with its settings and whatever else is given.")
@options
def main(config_path: str | None, resume: bool, **flags: Any) -> None:
    """Train a language model on token shards that the pipeline wrote."""
    console = Console()
    try:
        start(config_path, resume, flags, console)
    except (TrainerError, ModelError) as error:
        if os.environ.get("RANK", "0") != "0":
            sys.exit(1)  # the first rank says it
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("stopped at once; --resume goes on from the newest checkpoint", err=True)
        sys.exit(130)  # as a shell reports a program ended by Ctrl-C


if __name__ == "__main__":
    main()
