"""`python -m model.export CHECKPOINT DIR`: write a checkpoint's model and tokenizer as a Hugging Face folder.

`AutoModelForCausalLM.from_pretrained(DIR)` and `AutoTokenizer.from_pretrained(DIR)` load it. DIR is complete or absent: it is
written beside its final name and then renamed. An earlier export is replaced; anything else at DIR is left alone.
"""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import click

from model.config import ModelError
from model.gpt import parameter_count
from model.hugging_face.card import CARD_FILE, CHECKPOINT_FILE, is_edited, write_card
from model.hugging_face.folder import CONFIG_FILE, GENERATION_FILE, OWN_KEY, WEIGHTS_FILE, write_hugging_face
from model.hugging_face.tokenizer import WRITTEN as TOKENIZER_FILES
from model.hugging_face.tokenizer import write_tokenizer
from model.hugging_face.tokenizer_json import TokenizerExportError
from model.weights import CONFIG_FILE as SHAPE_FILE
from model.weights import TOKENIZER_FOLDER, load_model

_WRITTEN = {CONFIG_FILE, GENERATION_FILE, WEIGHTS_FILE, CARD_FILE, *TOKENIZER_FILES}
# Names of a training run's files, repeated here because this package does not import the trainer; tests compare both sides.
_CHECKPOINTS = "checkpoints"
_STEP = re.compile(r"step-(\d+)")


def export_checkpoint(checkpoint: Path, target: Path, *, tokenizer: bool = True) -> str:
    """Write the model and tokenizer of a checkpoint, or of a run's newest one, into `target`; return a line that says so.

    Raises ModelError or TokenizerExportError for a checkpoint that is damaged or that transformers has no class for, and for a
    `target` that holds anything but an earlier export; OSError if the disk is full. After an error `target` is unchanged.
    """
    source = _model_folder(checkpoint)
    _refuse_others(target)
    _verify(source)
    temporary, old = (target.with_name(f".{target.name}.{kind}") for kind in ("exporting", "old"))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(temporary, ignore_errors=True)  # left by a killed export
    try:
        temporary.mkdir()
        model = load_model(source)
        delimiter_id = write_tokenizer(source / TOKENIZER_FOLDER, temporary, model.config) if tokenizer else None
        architecture = write_hugging_face(model, temporary, delimiter_id)
        write_card(temporary / CARD_FILE, source, architecture, model.config, parameter_count(model))
        for path in (*temporary.iterdir(), temporary):
            _sync(path)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
            target.rename(old)
        temporary.rename(target)
        _sync(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return f"{target}: {architecture} of {source}{' with its tokenizer' if tokenizer else ''}"


def _model_folder(checkpoint: Path) -> Path:
    if (checkpoint / SHAPE_FILE).exists():
        return checkpoint
    steps = [path for path in (checkpoint / _CHECKPOINTS).glob("step-*") if _STEP.fullmatch(path.name)]
    if not steps:
        raise ModelError(
            f"{checkpoint}: neither a checkpoint (it has no {SHAPE_FILE}) nor a run with one; "
            f"name a folder such as runs/NAME or runs/NAME/{_CHECKPOINTS}/step-00001000"
        )
    return max(steps, key=lambda path: int(path.name.removeprefix("step-")))


def _verify(source: Path) -> None:
    """Compare the files with the hashes that the run wrote beside them, if it did."""
    try:
        files = json.loads((source / CHECKPOINT_FILE).read_text(encoding="utf-8"))["files"]
        for name, stored in files.items():
            with (source / name).open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != stored["sha256"]:
                    raise ModelError(f"{source / name}: has changed since it was written; export another checkpoint")
    except FileNotFoundError as error:
        if Path(error.filename).name != CHECKPOINT_FILE:
            raise ModelError(f"{error.filename}: is missing; export another checkpoint") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{source / CHECKPOINT_FILE}: cannot be read ({error!r}); export another checkpoint") from error


def _refuse_others(target: Path) -> None:
    """Raise ModelError if `target` exists and holds anything that an export does not write."""
    if not target.exists():
        return
    if not target.is_dir():
        raise ModelError(f"{target}: is a file; name a folder for the export")
    present = {path.name for path in target.iterdir()}
    foreign = sorted(present - _WRITTEN)
    if not present:
        return
    try:
        own = OWN_KEY in json.loads((target / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        own = False
    if foreign or not own:
        found = f"{foreign[0]}, which no export writes" if foreign else "files that no export wrote"
        raise ModelError(f"{target}: holds {found}; name a new or empty folder, or an earlier export to replace")
    card = target / CARD_FILE
    if card.exists() and is_edited(card):
        raise ModelError(f"{card}: is not as an export wrote it, and would be lost; move it or name another folder")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("checkpoint", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--no-tokenizer", is_flag=True, help="Write only the model, for a tokenizer that tokenizer.json cannot express.")
def main(checkpoint: Path, target: Path, no_tokenizer: bool) -> None:
    """Write the model and tokenizer of CHECKPOINT, the folder of a checkpoint or a run, into DIR for transformers to load."""
    try:
        click.echo(export_checkpoint(checkpoint, target.absolute(), tokenizer=not no_tokenizer))
    except (ModelError, TokenizerExportError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{target}: cannot be written ({error}); free disk space or choose another folder") from error


if __name__ == "__main__":
    main()
