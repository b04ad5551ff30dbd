"""Writing a checkpoint of a run, by one rank or by all together; `trainer.checkpoints.state` says what it contains."""

import json
import platform
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_saver import save as save_distributed

from model.sharding import whole
from model.tensor_file import write_tensors
from model.weights import TOKENIZER_FOLDER, save_weights
from trainer.checkpoints.folder import commit, temporary_folder, writing
from trainer.checkpoints.state import MOMENTS_FILE, MOMENTS_FOLDER, TRAINING_FILE, moments
from trainer.config import stored_form
from trainer.errors import TrainerError
from trainer.machine.parallel import Parallel
from trainer.run.prepare import Run


def save(run: Run, parallel: Parallel, validation: float | None) -> str | None:
    """Write a checkpoint of this step, on all ranks together; return None, or why it could not be written.

    A failed one leaves nothing behind, and the existing checkpoints are unchanged.
    """
    model, optimizer, config, progress, output = run.model, run.optimizer, run.config, run.progress, Path(run.config.output)
    weights = {name: whole(value).detach().cpu() for name, value in model.state_dict().items()}
    permanent = config.keep_every is not None and progress.step % config.keep_every == 0

    def write_files(folder: Path) -> None:
        save_weights(folder, model.config, weights)
        run.tokenizer.save(folder / TOKENIZER_FOLDER)
        described = {
            "configuration": stored_form(config),
            "progress": asdict(progress),
            "fingerprints": run.sources.fingerprints,
            "tokenizer_sha256": run.sources.meta.tokenizer_sha256,
            "world_size": parallel.world_size,
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }
        (folder / TRAINING_FILE).write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if not parallel.sharded:
            write_tensors(folder / MOMENTS_FILE, moments(model, optimizer))

    failure: str | None = None
    temporary = temporary_folder(output, progress.step)
    try:
        with writing(output, progress.step) if parallel.first else nullcontext(temporary):
            if parallel.first:
                _agree(parallel, lambda: write_files(temporary))
            else:
                _agree(parallel, lambda: None)
            if parallel.sharded:
                _agree(parallel, lambda: _write_moments(run, temporary))
            if parallel.first:
                commit(temporary, progress.step, validation=validation, permanent=permanent)
    except (TrainerError, OSError) as error:
        failure = str(error)
    return parallel.from_first(failure)


def _write_moments(run: Run, folder: Path) -> None:
    try:
        save_distributed(moments(run.model, run.optimizer), checkpoint_id=folder / MOMENTS_FOLDER)
    except CheckpointException as error:
        raise OSError(" ".join(str(error).split())) from error


def _agree(parallel: Parallel, write: Callable[[], None]) -> None:
    """Let each rank write. If one fails, all raise, so that none waits for another forever."""
    failure: OSError | None = None
    try:
        write()
    except OSError as error:
        failure = error
    if parallel.any(failure is not None):
        raise failure or OSError("another rank could not write its part")
