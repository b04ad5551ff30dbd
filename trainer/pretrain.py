"""Train a language model on token shards.

    python -m trainer.pretrain --shards data/tokens
    python -m trainer.pretrain --config run.yaml --resume
    torchrun --nproc-per-node 8 -m trainer.pretrain --shards data/tokens --model gpt2-124m --epochs 1

Exit status 0: trained to the end, or stopped by a signal or early stopping with everything saved; 1: stopped by an error;
2: wrong use; 130: Ctrl-C twice.
"""

import os
import sys
from typing import Any

import click
from rich.console import Console

from model.config import ModelError
from trainer.checkpoints.folder import checkpoints, newest
from trainer.config import output_folder, read_begun, read_configuration
from trainer.errors import TrainerError
from trainer.flags import options


def start(config_path: str | None, resume: bool, flags: dict[str, Any], console: Console) -> None:
    """Start a run, or with `resume` continue it from its newest intact checkpoint, or from the beginning if it has none.

    Raises TrainerError or ModelError for anything that makes training impossible.
    """
    # Imported here, so that --help and wrong flags are answered at once.
    from trainer.checkpoints.state import read_stored
    from trainer.machine.device import chosen_device
    from trainer.machine.malloc import keep_freed_memory
    from trainer.machine.parallel import Parallel
    from trainer.run.loop import pretrain
    from trainer.run.prepare import held

    output = output_folder(config_path, flags)
    checkpoint = newest(output, lambda text: console.print(text, markup=False)) if resume else None
    if not resume and checkpoints(output):
        raise TrainerError(f"{output} already has a run: --resume continues it, another --output starts a new one")
    stored = read_stored(checkpoint.path).configuration if checkpoint else read_begun(output) if resume else None
    if stored and not checkpoint:
        console.print(f"{output} has no checkpoint yet: the run starts again, with its settings", markup=False)
    config = read_configuration(config_path, flags, stored)
    device = chosen_device(config.device)
    if device.type == "cpu":
        keep_freed_memory()
    with Parallel(config.strategy, device.type) as parallel, held(output, parallel):
        ended = pretrain(config, checkpoint, parallel, console, resume=resume)
        if parallel.first:
            console.print(ended, markup=False, highlight=False)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "--config", "config_path", metavar="FILE.yaml", help="Keys as the flags below, with _ for -; flags take precedence."
)
@click.option("--resume", is_flag=True, help="Continue the run in --output, with its settings and any that are given.")
@options
def main(config_path: str | None, resume: bool, **flags: Any) -> None:
    """Train a language model on token shards that the pipeline wrote."""
    console = Console()
    try:
        start(config_path, resume, flags, console)
    except (TrainerError, ModelError) as error:
        if os.environ.get("RANK", "0") != "0":
            sys.exit(1)  # the first rank prints it
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("stopped at once; --resume continues from the newest checkpoint", err=True)
        sys.exit(130)  # as shells report a program ended by Ctrl-C


if __name__ == "__main__":
    main()
