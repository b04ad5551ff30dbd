"""Train a language model on token shards.

    python -m trainer.pretrain --shards data/tokens
    python -m trainer.pretrain --config run.yaml --resume
    torchrun --nproc-per-node 8 -m trainer.pretrain --shards data/tokens --model gpt2-124m --epochs 1

Exit status 0: trained to the end, or stopped by a signal or early stopping with everything saved; 1: stopped by an error;
2: wrong use; 130: Ctrl-C twice.
"""

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from model.config import ModelError
from pipeline.terminal import show
from trainer.checkpoints.folder import checkpoints, newest
from trainer.config import CONFIGURATION_FILE, output_folder, read_begun, read_configuration
from trainer.errors import TrainerError
from trainer.flags import TrainerCommand, options
from trainer.machine.threads import limit_waiting


def start(
    config_path: str | None, resume: bool, flags: dict[str, Any], console: Console, *, dry_run: bool = False, verify: bool = False
) -> None:
    """Start a run, or with `resume` continue it from its newest intact checkpoint, or from the beginning if it has none.

    dry_run: print what the run would take, and write nothing. verify: compare all shards with their hashes. Raises TrainerError
    or ModelError for anything that makes training impossible.
    """
    limit_waiting()
    # Imported here, so that --help and wrong flags are answered at once.
    from trainer.checkpoints.state import read_stored
    from trainer.machine.device import chosen_device
    from trainer.machine.malloc import keep_freed_memory
    from trainer.machine.parallel import Parallel
    from trainer.record.live_line import say
    from trainer.run.loop import pretrain
    from trainer.run.prepare import held, prepare
    from trainer.run.rehearsal import rehearse

    output = output_folder(config_path, flags)
    checkpoint = newest(output, lambda text: say(console, text)) if resume else None
    if not resume and not dry_run and checkpoints(output):
        raise TrainerError(f"{output} already has a run: --resume continues it, another --output starts a new one")
    stored = read_stored(checkpoint.path).configuration if checkpoint else read_begun(output) if resume else None
    if resume and stored is None:
        raise _nothing_to_resume(output)
    if stored and not checkpoint:
        say(console, f"{output} has no checkpoint yet: the run starts again, with its settings")
    # The folder that was named, wherever the run was before.
    config = read_configuration(config_path, {**flags, "output": str(output)}, stored)
    device = chosen_device(config.device)
    if device.type == "cpu":
        keep_freed_memory()
    with Parallel(config.strategy, device.type) as parallel:
        if dry_run:
            run = prepare(config, checkpoint, parallel, lambda text: say(console, text) if parallel.first else None, verify=None)
            rehearse(run, parallel, lambda text: say(console, text) if parallel.first else None)
            return
        with held(output, parallel):
            ended = pretrain(config, checkpoint, parallel, console, resume=resume, verify=verify)
            if parallel.first:
                say(console, ended)


def _nothing_to_resume(output: Path) -> TrainerError:
    beside = sorted(path.parent.name for path in output.parent.glob(f"*/{CONFIGURATION_FILE}"))
    there = f"; {output.parent} has {', '.join(beside)}" if beside else ""
    place = "" if output.is_absolute() else f" (from {Path.cwd()})"
    why = "no such folder" if not output.exists() else f"{CONFIGURATION_FILE} is missing"
    return TrainerError(
        f"{output}: there is no run to resume, {why}{place}; name its folder with --output{there}, or start a run without "
        "--resume"
    )


@click.command(cls=TrainerCommand, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "--config", "config_path", metavar="FILE.yaml", help="Keys as the flags below, with _ for -; flags take precedence."
)
@click.option("--resume", is_flag=True, help="Continue the run in --output, with its settings and any that are given.")
@click.option("--dry-run", is_flag=True, help="Print model size, memory, steps and hours, from a few steps; write nothing.")
@click.option("--verify", is_flag=True, help="Compare all shards with their hashes, also those verified before.")
@options
def main(config_path: str | None, resume: bool, dry_run: bool, verify: bool, **flags: Any) -> None:
    """Train a language model on token shards that the pipeline wrote."""
    console = Console()
    try:
        start(config_path, resume, flags, console, dry_run=dry_run, verify=verify)
    except (TrainerError, ModelError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        show("stopped at once; --resume continues from the newest checkpoint", err=True)
        sys.exit(130)  # as shells report a program ended by Ctrl-C


if __name__ == "__main__":
    main()
