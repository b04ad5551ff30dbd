"""Commands that change a corpus or write from it: run, status, remove, export."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.frame import open_ledger, plain_errors, user_name
from pipeline.terminal import json_text, show

if TYPE_CHECKING:
    from pipeline.manifest import Manifest
    from pipeline.operations.export import Format
    from pipeline.removals.log import Action


@click.command()
@click.argument("manifest")
@click.option("--input", "inputs", multiple=True, metavar="URI_OR_GLOB", help="Instead of the manifest's; may be repeated.")
@click.option("--output", metavar="DIR", help="Folder of the corpus, instead of the manifest's.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; default: one a core. Never changes the result.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Such as quality.num_letters.min=300.")
@click.option("--forget", is_flag=True, help="Delete the pages of inputs that the corpus holds and this run does not name.")
@click.option("--allow-failed", is_flag=True, help="Go on without the inputs that failed.")
@click.option("--retrain-tokenizer", is_flag=True, help="Make a new tokenizer from what is there now; encodes all texts again.")
@click.option("--from", "donor", metavar="CORPUS", help="Take what is the same from another corpus, by links to its files.")
@click.option("--accept-code", multiple=True, metavar="STAGE", help="Keep what earlier code of a stage made; may be repeated.")
@click.option("--refresh", is_flag=True, help="Ask servers again for the sizes and versions of inputs that the ledger knows.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def run(
    manifest: str,
    inputs: tuple[str, ...],
    output: str | None,
    workers: int | None,
    changes: tuple[str, ...],
    as_json: bool,
    **chosen: Any,
) -> None:
    """Build the corpus that MANIFEST describes, doing only what is not done yet.

    MANIFEST is a file, the name of a bundled one such as ja_web, or the folder of a corpus, which is then brought up to date.
    """
    with plain_errors():
        from pipeline.audit.yields import yield_table
        from pipeline.manifest import read_manifest
        from pipeline.operations.guards import Choices
        from pipeline.operations.outcome import closing_lines, report_data
        from pipeline.operations.progress import listener_for
        from pipeline.operations.run import run as run_manifest

        wanted = read_manifest(manifest, changes, input=list(inputs) or None, output=output, workers=workers)
        with listener_for(as_json) as listener:
            report = run_manifest(wanted, listener, choices=Choices(**chosen))
        if as_json:
            show(json_text(report_data(report)))
        else:
            with open_ledger(wanted.output) as ledger:
                show(yield_table(ledger))
            show(f"{report.done} units done, {len(report.failed)} failed; tokens: {report.fingerprint or 'none'}")
        for line in closing_lines(report):
            show(line, err=True)
        if report.failed or report.empty:
            sys.exit(1)


@click.command()
@click.argument("manifest_or_output")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="What would be stale under another setting.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(manifest_or_output: str, changes: tuple[str, ...], as_json: bool) -> None:
    """What is done, what is stale, and why; of a MANIFEST or of the corpus in a folder."""
    with plain_errors():
        from pipeline.manifest import read_manifest
        from pipeline.operations.status import status_of, status_text

        place = Path(manifest_or_output)
        manifest: Manifest = read_manifest(str(place / "manifest.yaml" if place.is_dir() else place), changes)
        if place.is_dir():
            manifest = manifest.model_copy(update={"output": str(place)})
        states = status_of(manifest)
        show(json_text(states) if as_json else status_text(states))


def _entry_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--urls FILE` and `--url URL` to a command, and the same for the other ways to name pages."""
    ways = {"url": "address", "host": "host, with all below it", "id": "id that the record came with", "doc": "doc_id"}
    for kind, what in reversed(ways.items()):
        file = click.Path(path_type=Path)
        command = click.option(f"--{kind}s", type=file, metavar="FILE", help=f"A file with one {what} per line.")(command)
        command = click.option(f"--{kind}", multiple=True, help=f"A single {what}; may be repeated.")(command)
    return command


@click.command()
@click.argument("output", type=click.Path(path_type=Path))
@_entry_options
@click.option("--reason", required=True, help="Why; kept in the ledger with who asked and when.")
@click.option("--who", default=user_name, help="Who asks for it; default: the user's name.")
@click.option("--only-named", is_flag=True, help="Keep near-duplicates of the pages under other names.")
@click.option("--undo", is_flag=True, help="Take the removal of these back.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option(
    "--runs", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help="A training run to ask; may be repeated."
)
def remove(
    output: Path,
    reason: str,
    who: str,
    only_named: bool,
    undo: bool,
    dry_run: bool,
    runs: tuple[Path, ...],
    **named: Any,
) -> None:
    """Take pages and their copies out of the corpus in OUTPUT and keep them out; only shards that hold one are written anew."""
    with plain_errors():
        from pipeline.operations import takedown
        from pipeline.operations.progress import listener_for

        entries = takedown.read_request(named)
        with open_ledger(str(output)) as ledger:
            touched = takedown.affected(ledger, entries, only_named=only_named)
        show(takedown.affected_text(touched))
        if touched.in_shards and not undo:
            from trainer.where.readers import training_text  # only a take-down asks training runs

            show(training_text(runs, touched.in_shards))
        if dry_run:
            return
        with listener_for(False) as listener:
            action: Action = "restore" if undo else "remove"
            applied = takedown.apply(output, entries, action, reason, who, listener, copies=not only_named)
        show(takedown.applied_text(applied, touched, undo))


@click.command()
@click.argument("output")
@click.option("--format", "form", type=click.Choice(["parquet", "jsonl", "jsonl.zst"]), default="parquet", show_default=True)
@click.option(
    "--with",
    "groups",
    multiple=True,
    metavar="COLUMNS",
    help="More columns: split, language, metadata, numbers.",
)
@click.option("--to", "target", metavar="DIR", help="Default: OUTPUT/export.")
def export(output: str, form: "Format", groups: tuple[str, ...], target: str | None) -> None:
    """Write the final texts of the corpus in OUTPUT, as they were encoded, in one file per part."""
    with plain_errors(), open_ledger(output) as ledger:
        from pipeline.operations.export import export_texts, groups_of

        folder = Path(target) if target else Path(output) / "export"
        documents, files = export_texts(ledger, folder, form, groups_of(groups))
        show(f"{documents} documents in {files} files: {folder / f'part-*.{form}'}")
