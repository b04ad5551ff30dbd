"""Preparation of a run: from a configuration, or a checkpoint to resume, to everything that the loop needs.

Errors in shards, model, batch size or length are found here, before the first step.
"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from model.gpt import GPT
from model.mixers.documents import attention_method
from pipeline.files import exclusive_lock
from pipeline.tokens.tokenizer import Tokenizer
from trainer.checkpoints.folder import Checkpoint
from trainer.checkpoints.state import Progress, Stored, read_stored, restore_moments
from trainer.config import FIXED, PretrainConfig, fixed_form, flag_of
from trainer.data.loader import Loader
from trainer.data.order import Order
from trainer.data.sources import Sources
from trainer.data.verification import verify_dataset
from trainer.data.windows import Windows
from trainer.errors import TrainerError
from trainer.machine.device import chosen_precision
from trainer.machine.parallel import Parallel
from trainer.optimization.computation import Computation
from trainer.optimization.optimizer import adamw
from trainer.optimization.schedule import warmup_of
from trainer.run.initial_model import initial_model

# Length if none is given: about ten minutes of the default model on two CPU cores, and no more epochs of a small corpus than
# still help (Muennighoff et al. 2023, arXiv 2305.16264, find little gain beyond four epochs and almost none beyond 16; on the
# bundled sample, validation is best after 7.5).
DEFAULT_TOKENS = 2_000_000
DEFAULT_EPOCHS = 8
DEFAULT_BATCH = 16
# A run of less than a million tokens needs small steps: on the bundled sample, after 350,000 tokens, steps of 512 tokens had a
# loss of 3.98, steps of 1,024 tokens 4.83.
FEWEST_STEPS = 1_000
# With 0.5 / width, models of GPT-3's widths get about its rates: 6.5e-4 at 768 (6e-4 there), 2.4e-4 at 2,048 (2e-4), 1.2e-4 at
# 4,096 (1.2e-4). Brown et al. 2020, arXiv 2005.14165, table 2.1. The bound is that of modern-1m, the smallest preset.
PEAK_TIMES_WIDTH = 0.5
LARGEST_DEFAULT_PEAK = 4e-3
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


def prepare(
    config: PretrainConfig,
    checkpoint: Checkpoint | None,
    parallel: Parallel,
    say: Callable[[str], None] = lambda _: None,
    *,
    verify: bool | None = False,
) -> Run:
    """Prepare training under `config`, from the beginning or from `checkpoint`.

    say: gets lines about the shards. verify: compare even shards with their hashes that were verified before; None: compare none.
    Raises TrainerError or ModelError for anything in configuration, shards or model with which it cannot start.
    """
    sources = Sources.open(config.shards)
    for note in sources.notes:
        say(note)
    tokenizer = sources.tokenizer()
    stored = read_stored(checkpoint.path) if checkpoint else None
    if stored:
        check_continues(config, stored, sources)
    shape, fill = initial_model(config, checkpoint, sources, say)
    sources.check_model(shape, checkpoint.path if checkpoint else config.start_from or config.model)
    windows = sources.windows("train", shape.context_length)
    order = sources.order(windows, config.seed)
    progress = stored.progress if stored else Progress()
    # Fixed from now on, so that a run that is extended later continues with the same step and does not warm up again.
    config = config.model_copy(
        update={"batch_size": config.batch_size or default_batch_size(config, order, shape.context_length, parallel.world_size)}
    )
    sequences, steps = length(config, progress, order, shape.context_length)
    order.check_length(sequences)
    if verify is not None:
        _verify(sources, parallel, say, force=verify)
    fixed = {"warmup_steps": warmup_of(config.schedule, steps), "peak": config.schedule.peak or default_peak(shape.width)}
    schedule = config.schedule.model_copy(update=fixed)
    config = config.model_copy(update={"schedule": schedule})
    precision = chosen_precision(config.precision, parallel.device)
    with torch.device("meta"):
        model = GPT(shape)
    wrapped = parallel.place(model, precision, fill)
    optimizer = adamw(model, config.schedule.highest_rate, weight_decay=config.weight_decay, betas=(config.beta1, config.beta2))
    if checkpoint:
        restore_moments(checkpoint, model, optimizer)
    if config.compile or (config.compile is None and parallel.device.type == "cuda"):
        for block in model.blocks:
            block.compile()
    each = config.windows_per_step // parallel.world_size
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
            global_batch=config.windows_per_step,
            micro_batch=config.micro_batch_size or _largest_divisor(each, LARGEST_MICRO_BATCH),
            rank=parallel.rank,
            world_size=parallel.world_size,
        ),
        validation=_validation(config, sources, shape.context_length),
        progress=progress,
        sequences=sequences,
        steps=steps,
    )


def default_batch_size(config: PretrainConfig, order: Order, context_length: int, world_size: int) -> int:
    """Windows per step if none are given: DEFAULT_BATCH, or fewer for a run that would have less than FEWEST_STEPS steps.

    A run whose length is given in steps gets what a run of the default length gets. It is at least one window per rank.
    """
    sequences = _sequences(config, order, context_length)
    each = min(DEFAULT_BATCH, sequences // FEWEST_STEPS) // world_size
    return max(1, each) * world_size


def default_peak(width: int) -> float:
    """The highest learning rate of a model if none is given."""
    return min(LARGEST_DEFAULT_PEAK, PEAK_TIMES_WIDTH / width)


def _sequences(config: PretrainConfig, order: Order, context_length: int) -> int:
    """The windows of a run whose length is not given in steps."""
    windows = sum(source.windows for source in order.sources)
    if config.epochs is not None:
        return math.ceil(config.epochs * windows)
    if config.tokens is not None:
        return math.ceil(config.tokens / context_length)
    return min(math.ceil(DEFAULT_TOKENS / context_length), DEFAULT_EPOCHS * windows)


def length(config: PretrainConfig, progress: Progress, order: Order, context_length: int) -> tuple[int, int]:
    """Return the sequences and steps of the whole run, including those of `progress`. The last step may be incomplete.

    Raises TrainerError for a length that the run has already passed.
    """
    batch_size = config.batch_size or DEFAULT_BATCH
    if config.steps is not None:
        if config.steps < progress.step:
            raise _passed("steps", f"{config.steps:,} steps", progress)
        return progress.sequences + (config.steps - progress.step) * batch_size, config.steps
    sequences = _sequences(config, order, context_length)
    given = next((unit for unit in ("epochs", "tokens") if getattr(config, unit) is not None), None)
    if given and sequences < progress.sequences:
        raise _passed(given, f"{getattr(config, given):,g} {given}, {sequences:,} windows,", progress)
    return sequences, progress.step + max(0, math.ceil((sequences - progress.sequences) / batch_size))


def _passed(unit: str, wanted: str, progress: Progress) -> TrainerError:
    return TrainerError(
        f"{unit}: the run is to end after {wanted} but has done {progress.step:,} steps and {progress.sequences:,} windows; "
        f"give a larger --{unit}, or take an earlier checkpoint by --start-from into another --output"
    )


def _verify(sources: Sources, parallel: Parallel, say: Callable[[str], None], *, force: bool) -> None:
    """Verify the shards, once on each machine. Raises TrainerError on all ranks if one finds a damaged shard."""
    failure: str | None = None
    if int(os.environ.get("LOCAL_RANK", "0")) == 0:
        try:
            for dataset in sources.datasets:
                verify_dataset(dataset, say, force=force)
        except TrainerError as error:
            failure = str(error)
    failure = parallel.failure(failure)
    if failure is not None:
        raise TrainerError(failure)


def check_continues(config: PretrainConfig, stored: Stored, sources: Sources) -> None:
    """Raise TrainerError if the run cannot be resumed under `config`: other shards, or another value of a fixed key."""
    if stored.tokenizer_sha256 != sources.meta.tokenizer_sha256:
        raise TrainerError(
            f"{sources.names[0]}: its tokenizer is {sources.meta.tokenizer_sha256[:12]}, the run's was "
            f"{stored.tokenizer_sha256[:12]}; give the shards that the run started with, or encode these texts with its tokenizer"
        )
    if stored.fingerprints != sources.fingerprints:
        was, now = ([print_[:12] for print_ in prints] for prints in (stored.fingerprints, sources.fingerprints))
        raise TrainerError(
            f"{', '.join(sources.names)}: fingerprint {', '.join(now)}, but the run started with {', '.join(was)}; give those "
            "shards, or start another run on these with --start-from"
        )
    content = config.model_dump(mode="json")
    for key in FIXED:
        if fixed_form(key, content[key]) != fixed_form(key, stored.configuration.get(key)):
            raise TrainerError(
                f"{key}: the run has {stored.configuration.get(key)!r} and cannot continue with {content[key]!r}; leave out "
                f"{flag_of([key])}, or start another run with --start-from"
            )


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
