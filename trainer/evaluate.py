"""Score a model on text that it was not trained on; `trainer.run.evaluation` says how.

python -m trainer.evaluate runs/default --shards data/tokens
"""

import math
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from model.config import ModelError
from model.mixers.documents import attention_method
from pipeline.terminal import json_text, show
from trainer.checkpoints.models import model_folder, read_model
from trainer.config import DeviceName, PrecisionName, ShardsConfig
from trainer.data.same_tokenizer import check_same_tokenizer
from trainer.data.sources import Sources
from trainer.data.verification import verify_dataset
from trainer.errors import TrainerError
from trainer.flags import TrainerCommand
from trainer.machine.device import chosen_device, chosen_precision
from trainer.machine.parallel import INTERRUPTED, Parallel
from trainer.optimization.computation import Computation
from trainer.record.live_line import readable
from trainer.run.evaluation import Evaluation, evaluate


def table(scores: list[Evaluation]) -> Table:
    """Return the scores as a table for people."""
    shown = Table("source", "tokens", "loss", "perplexity", "bits/byte", "bits/character")
    for score in scores:
        figures = (
            f"{score.loss:.4f}",
            readable(score.perplexity, 2),
            f"{score.bits_per_byte:.4f}",
            f"{score.bits_per_character:.4f}",
        )
        shown.add_row(score.source, f"{score.tokens:,}", *figures)
    return shown


@click.command(cls=TrainerCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--shards", multiple=True, required=True, metavar="DIR", help="Folder of token shards; may be repeated.")
@click.option("--split", default="val", show_default=True, help="Split of the shards.")
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(min=1), help="Windows computed at once.")
@click.option("--windows", "limit", type=click.IntRange(min=1), help="Number of windows to score, spread evenly; default: all.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda", "mps"]))
@click.option("--precision", default="auto", show_default=True, type=click.Choice(["auto", "fp32", "bf16"]))
@click.option("--verify", is_flag=True, help="Compare all shards with their hashes, also those verified before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per source.")
def main(
    checkpoint: Path,
    shards: tuple[str, ...],
    split: str,
    batch_size: int,
    limit: int | None,
    device: DeviceName,
    precision: PrecisionName,
    verify: bool,
    as_json: bool,
) -> None:
    """Score CHECKPOINT, the folder of a checkpoint or of a run (its newest one), on the validation text of token shards.

    CHECKPOINT may also be an exported model. The shards must be made with its tokenizer.
    """
    try:
        place = chosen_device(device)
        dtype = chosen_precision(precision, place)
        folder = model_folder(checkpoint)
        sources = Sources.open([ShardsConfig.model_validate(path) for path in shards])
        for note in (*sources.notes, check_same_tokenizer(sources, folder)):
            if note is not None:
                show(note, err=True)
        model = read_model(folder, place).eval()
        sources.check_model(model.config, folder)
        windows = sources.windows(split, model.config.context_length)
        for dataset in sources.datasets:
            verify_dataset(dataset, lambda text: show(text, err=True), force=verify)
        computation = Computation(attention_method(place, dtype), dtype, None)
        with Parallel("ddp", place.type) as parallel:
            scores = evaluate(model, sources, windows, split, computation, parallel, batch_size=batch_size, limit=limit)
    except (TrainerError, ModelError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    if not parallel.first:
        return
    if as_json:
        for score in scores:
            numbers = {
                name: None if isinstance(value, float) and not math.isfinite(value) else value
                for name, value in asdict(score).items()
            }
            show(json_text(numbers))
    else:
        Console().print(table(scores))


if __name__ == "__main__":
    main()
