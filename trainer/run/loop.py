"""The training loop: a step, what is due after it, and when to stop."""

import math
import time
from pathlib import Path

from rich.console import Console

from trainer.checkpoints.folder import Checkpoint, retain
from trainer.config import PretrainConfig
from trainer.errors import TrainerError
from trainer.machine.parallel import Parallel
from trainer.optimization.schedule import learning_rate
from trainer.optimization.step import train_step
from trainer.optimization.stopping import EarlyStopping, SkippedSteps, StopSignal
from trainer.record.live_line import say
from trainer.run.prepare import Run, prepare
from trainer.run.reporter import Reporter
from trainer.run.save import save


def pretrain(
    config: PretrainConfig,
    checkpoint: Checkpoint | None,
    parallel: Parallel,
    console: Console,
    *,
    resume: bool,
    verify: bool = False,
) -> str:
    """Train until the run's length, a signal, or early stopping, and return why it ended. All ranks call this.

    checkpoint: to resume from; None starts from step 0. resume: whether the folder may already have the record of a run, which is
    continued, or started again if it has no checkpoint. verify: compare even shards with their hashes that were verified before.
    Raises TrainerError for anything that makes training impossible.
    """
    run = prepare(config, checkpoint, parallel, lambda text: say(console, text) if parallel.first else None, verify=verify)
    config, progress = run.config, run.progress  # with the defaults that depend on the shards and the model
    skipped = SkippedSteps(config.skipped_steps, progress.skipped_in_a_row)
    patience = EarlyStopping(config.early_stopping or math.inf, progress.best, progress.waited)
    ended = f"the run has its {run.steps:,} steps"
    with Reporter(run, parallel, console, progress.step if resume else None) as report, StopSignal() as signal:
        for batches in run.loader.steps(progress.sequences, run.steps - progress.step, run.sequences):
            started = time.perf_counter()
            rate = learning_rate(config.schedule, progress.step, run.steps)
            result = train_step(run.wrapped, batches, run.optimizer, rate, config.clip_norm, run.computation, parallel)
            progress.step += 1
            progress.sequences = min(progress.sequences + config.windows_per_step, run.sequences)
            progress.tokens += result.tokens
            report.step(result, rate, time.perf_counter() - started)
            skipped.record(progress.step, not result.skipped, result.loss, result.gradient_norm)
            progress.skipped_in_a_row = skipped.in_a_row

            last = progress.step == run.steps
            validation, stop = None, None
            if last or _due(progress.step, config.validate_every):
                validation = report.validation()
            if validation is not None and patience.update(validation):
                stop = f"stopped early, {patience.waited} validations after the best one, {patience.best:.4f} bits/byte"
            progress.best, progress.waited = patience.best, patience.waited
            if last or _due(progress.step, config.sample_every):
                report.samples()
            if parallel.any(signal.requested is not None):
                stop = f"stopped by {signal.requested or 'a signal to another rank'}"
            if last or stop or _due(progress.step, config.save_every):
                _save(run, parallel, report, validation, final=bool(last or stop))
            if stop:
                ended = f"{stop}, at step {progress.step:,} of {run.steps:,}; --resume continues"
                break
    return ended


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _save(run: Run, parallel: Parallel, report: Reporter, validation: float | None, *, final: bool) -> None:
    """Write a checkpoint. If that fails, training continues until the next one is due; only the final save must succeed."""
    failure = save(run, parallel, validation)
    if failure and final:
        raise TrainerError(failure)
    if failure:
        report.say(f"{failure}; training continues, the next checkpoint is due in {run.config.save_every} steps")
    elif parallel.first:
        retain(Path(run.config.output), run.config.keep_last, report.say)
