"""Everything that a run shows and records besides checkpoints: live line, metrics, loss curve, validations, samples."""

import math
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from model.gpt import parameter_count
from pipeline.files import write_text
from trainer.config import CONFIGURATION_FILE, stored_form
from trainer.errors import TrainerError
from trainer.machine.flops import measured_peak, operations_per_token
from trainer.machine.parallel import Parallel
from trainer.optimization.optimizer import describe, parameter_groups
from trainer.optimization.step import StepResult
from trainer.record.history import Stretch, TrainedSource, record_stretch
from trainer.record.live_line import LiveLine, readable
from trainer.record.metrics import Metrics, Speed
from trainer.record.window_losses import WindowLosses
from trainer.run.evaluation import evaluate
from trainer.run.prepare import Run
from trainer.run.texts import sample_text

# AdamW changes a weight by up to about the learning rate in a step (Kingma & Ba 2014, arXiv 1412.6980, section 2.1), and initial
# weights have this standard deviation (`model.initialization`).
LARGEST_PEAK = 0.02


class Reporter:
    """Reports the progress of a run. A context manager; every rank creates one, only rank 0 prints and writes."""

    def __init__(self, run: Run, parallel: Parallel, console: Console, resumed_step: int | None) -> None:
        """resumed_step: of the checkpoint to resume from, 0 if the run has none yet; None for a new run.

        Raises TrainerError if a file of the run cannot be written.
        """
        self._run, self._parallel, self._output = run, parallel, Path(run.config.output)
        self._speed = Speed()
        order = run.loader.order
        self._bytes_per_token = run.sources.bytes_per_token(order)
        context = min(run.model.config.context_length, run.sources.mean_context())
        self._operations_per_token = operations_per_token(run.model, context / 2)
        self._peak = self._measured_peak()
        self._metrics: Metrics | None = None
        self._losses: WindowLosses | None = None
        self._line: LiveLine | None = None
        if parallel.first:
            labels = run.sources.labels
            self._metrics = Metrics(self._output, run.config.tensorboard, run.config.wandb_project, resumed_step, labels)
            self._losses = WindowLosses(self._output, run.progress.sequences)
            record_stretch(self._output, _stretch(run))
            self._line = LiveLine(run.steps, console)

    def __enter__(self) -> "Reporter":
        if self._line is not None:
            self._line.__enter__()
            self._introduce()
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._line is not None and self._metrics is not None and self._losses is not None:
            self._draw()
            self._line.__exit__(*exception)
            self._metrics.close()
            self._losses.close()

    def _introduce(self) -> None:
        run = self._run
        settings = yaml.safe_dump(stored_form(run.config), allow_unicode=True, sort_keys=False)
        path = self._output / CONFIGURATION_FILE
        try:
            write_text(path, settings)
        except OSError as error:
            raise TrainerError(f"{path}: cannot be written ({error.strerror}); free space or choose another --output") from error
        total, blocks = parameter_count(run.model), parameter_count(run.model, embeddings=False)
        self.say(f"model {run.config.model}: {total:,} parameters, {blocks:,} of them in blocks")
        self.say(describe(parameter_groups(run.model, run.config.weight_decay)))
        windows = sum(source.windows for source in run.loader.order.sources)
        tokens, steps = run.sequences * run.model.config.context_length, run.steps - run.progress.step
        self.say(
            f"data: {windows:,} windows of {run.model.config.context_length:,} tokens; {steps:,} steps of "
            f"{run.config.windows_per_step} to go, {tokens:,} tokens or {run.sequences / windows:.2f} epochs in all"
        )
        if run.config.schedule.highest_rate > LARGEST_PEAK:
            self.say(
                f"warning: the peak learning rate {run.config.schedule.highest_rate:g} is above {LARGEST_PEAK:g}, the size of "
                "initial "
                "weights: AdamW moves each weight by up to the rate per step, so training will probably diverge; lower "
                "--schedule-peak"
            )
        precision = str(run.computation.precision).removeprefix("torch.")
        self.say(
            f"machine: {self._parallel.world_size} x {self._parallel.device.type}, {precision}, matrix products measured at "
            f"{self._peak / 1e9:,.0f} GFLOP/s; a checkpoint every {run.config.save_every} steps in {self._output}"
        )

    def step(self, result: StepResult, rate: float, seconds: float) -> None:
        """Record a step that was taken, or skipped, at this learning rate and took `seconds`."""
        if self._metrics is None or self._losses is None or self._line is None:
            return
        progress, config = self._run.progress, self._run.config
        # Rows beyond the end of the run are no sequences of it.
        self._losses.append(result.losses_G[: progress.sequences - self._losses.sequences])
        self._speed.add(result.tokens, seconds)
        speed = self._speed.tokens_per_second
        row = {
            **self._row("train"),
            "loss": result.loss,
            "bits_per_byte": result.loss / math.log(2) / self._bytes_per_token,
            "learning_rate": rate,
            "gradient_norm": result.gradient_norm,
            "tokens_per_second": speed,
            "peak_share": speed * self._operations_per_token / (self._peak * self._parallel.world_size),
            "seconds": seconds,
            "skipped": int(result.skipped),
        }
        if result.skipped or progress.step == self._run.steps or progress.step % config.log_every == 0:
            self._metrics.write(row)
        self._line.update(row)

    def validation(self) -> float | None:
        """Score the validation split of each source; return their mean bits per byte, weighted as in training.

        Returns None for a run that does not validate.
        """
        run = self._run
        if not run.validation:
            return None
        scores = evaluate(
            run.wrapped,
            run.sources,
            run.validation,
            "val",
            run.computation,
            self._parallel,
            batch_size=run.loader.micro_batch,
            limit=run.config.validation_windows or None,
        )
        for score in scores:
            self._write(
                "validation",
                source=score.source,
                loss=score.loss,
                bits_per_byte=score.bits_per_byte,
                bits_per_character=score.bits_per_character,
                perplexity=score.perplexity,
            )
            self.say(
                f"step {run.progress.step:,}: validation on {score.source}: loss {score.loss:.4f}, perplexity "
                f"{readable(score.perplexity)}, {score.bits_per_byte:.4f} bits/byte"
            )
        # The speed of shared machines changes within minutes.
        self._peak = self._measured_peak()
        self._draw()
        weights = [source.weight for source in run.loader.order.sources]
        return sum(w * score.bits_per_byte for w, score in zip(weights, scores, strict=True)) / sum(weights)

    def samples(self) -> None:
        """Write a sample for each prompt, on the first rank, or on all if the parameters are sharded."""
        run = self._run
        if not run.config.sample_every or not (self._parallel.first or self._parallel.sharded):
            return
        for prompt in run.config.sample_prompts:
            text = sample_text(run.model, run.tokenizer, prompt, run.config.sample_tokens, seed=run.config.seed)
            self._write("sample", prompt=prompt, text=text)
            self.say(f"step {run.progress.step:,}: sample: {prompt}{text}")

    def _draw(self) -> None:
        """Draw the loss curve; if that fails, the run continues."""
        if self._parallel.first and self._run.progress.tokens:
            from trainer.record.loss_curve import draw  # imports matplotlib, only on the first rank

            try:
                draw(self._output)
            except TrainerError as error:
                self.say(str(error))

    def _measured_peak(self) -> float:
        return measured_peak(self._parallel.device, self._run.computation.precision)

    def _row(self, kind: str) -> dict[str, Any]:
        return {"step": self._run.progress.step, "tokens": self._run.progress.tokens, "kind": kind}

    def _write(self, kind: str, **figures: Any) -> None:
        if self._metrics is not None:
            self._metrics.write({**self._row(kind), **figures})

    def say(self, text: str) -> None:
        """Print a line."""
        if self._line is not None:
            self._line.say(text)


def _stretch(run: Run) -> Stretch:
    """Return the stretch that starts with this start of the program."""
    weights = run.loader.order.sources
    return Stretch(
        step=run.progress.step,
        sequences=run.progress.sequences,
        end=run.sequences,
        batch_size=run.config.windows_per_step,
        seed=run.config.seed,
        context_length=run.model.config.context_length,
        sources=tuple(
            TrainedSource(str(dataset.folder.resolve()), dataset.fingerprint, source.windows, source.weight)
            for dataset, source in zip(run.sources.datasets, weights, strict=True)
        ),
    )
