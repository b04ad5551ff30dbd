"""The command line: run, status, yield, what-if, diff, report, explain, remove, sql, export.

Exit status 0: done; 1: done, but units failed (they are listed), or the run had to stop; 2: wrong use; 130: interrupted. The
modules of a command are imported when it is called, so that `--help` answers at once.
"""

import io
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import RunStopped, UserError
from pipeline.places import user_name
from pipeline.terminal import Group, json_text, show

if TYPE_CHECKING:
    from pipeline.corpus.ledger import Ledger
    from pipeline.manifest import Manifest
    from pipeline.operations.export import Format
    from pipeline.removals.log import Action

INTERRUPTED = 130  # as a shell reports a program ended by Ctrl-C


class WrongUse(click.ClickException):
    """A mistake that the user can fix: a key, a name, a file."""

    exit_code = 2


class Stopped(click.ClickException):
    """A failure of the machine or the data; finished work is kept."""

    exit_code = 1


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn expected errors into one line and an exit status; anything else is a fault of the program and shows its traceback."""
    try:
        yield
    except UserError as error:
        raise WrongUse(str(error)) from error
    except RunStopped as error:
        raise Stopped(str(error)) from error
    except KeyboardInterrupt:
        show("interrupted; finished work is kept, run the same command to resume", err=True)
        sys.exit(INTERRUPTED)


def _print_versions(context: click.Context, _option: click.Parameter, is_given: bool) -> None:
    if not is_given or context.resilient_parsing:
        return
    from pipeline.operations.versions import versions, versions_text

    show(versions_text(versions()))
    context.exit()


version_option = click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_versions,
    help="Show the versions of all that decides results: libraries, and the code of each stage.",
)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@version_option
def main() -> None:
    """From crawled pages to token shards, with a ledger of what happened to every page."""


@main.command()
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
    with _plain_errors():
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
            with _ledger(wanted.output) as ledger:
                show(yield_table(ledger))
            show(f"{report.done} units done, {len(report.failed)} failed; tokens: {report.fingerprint or 'none'}")
        for line in closing_lines(report):
            show(line, err=True)
        if report.failed or report.empty:
            sys.exit(1)


@main.command()
@click.argument("manifest_or_output")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="What would be stale under another setting.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(manifest_or_output: str, changes: tuple[str, ...], as_json: bool) -> None:
    """What is done, what is stale, and why; of a MANIFEST or of the corpus in a folder."""
    with _plain_errors():
        from pipeline.manifest import read_manifest
        from pipeline.operations.status import status_of, status_text

        place = Path(manifest_or_output)
        manifest: Manifest = read_manifest(str(place / "manifest.yaml" if place.is_dir() else place), changes)
        if place.is_dir():
            manifest = manifest.model_copy(update={"output": str(place)})
        states = status_of(manifest)
        show(json_text(states) if as_json else status_text(states))


@main.command(name="yield")
@click.argument("output")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a stage and rule.")
def yield_(output: str, as_json: bool) -> None:
    """Documents, characters, bytes and tokens in and out of each stage of the corpus in OUTPUT."""
    with _plain_errors():
        from pipeline.audit.yields import yield_rows, yield_table
        from pipeline.corpus.ledger import Ledger

        with Ledger(Path(output), read_only=True) as ledger:  # the counts are tables of the ledger, so no views over files
            if as_json:
                for row in yield_rows(ledger):
                    show(json_text(row))
            else:
                show(yield_table(ledger))


@main.command(name="what-if")
@click.argument("output")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Such as quality.num_letters.min=300.")
@click.option("--sweep", metavar="KEY=START:STOP:STEP", help="A row for each value, both ends included.")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Show N pages that come in and N that go out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each alternative.")
def what_if(output: str, changes: tuple[str, ...], sweep: str | None, sample: int | None, as_json: bool) -> None:
    """What the corpus in OUTPUT would be under other thresholds, from stored numbers alone; nothing is changed."""
    with _plain_errors():
        from pipeline.audit.what_if import text as what_if_table
        from pipeline.audit.what_if.answer import read_present, remade_stages, sweep_changes, what_if
        from pipeline.audit.what_if.sample import sample_pages
        from pipeline.corpus.ledger import Ledger
        from pipeline.manifest import read_manifest

        if not changes and not sweep:
            raise WrongUse("name what would be different: --set quality.num_letters.min=300, or --sweep KEY=START:STOP:STEP")
        if sweep and sample:
            raise WrongUse("--sample shows the pages of one alternative; leave --sweep out")
        alternatives = [(*changes, value) for value in sweep_changes(sweep)] if sweep else [changes]
        path = str(Path(output) / "manifest.yaml")
        with Ledger(Path(output), read_only=True) as ledger:  # what-if reads the files itself and needs no views
            present = read_present(ledger, read_manifest(path))
            remade = remade_stages(ledger, present.manifest)
        wanted = [read_manifest(path, each) for each in alternatives]
        if remade:
            show(f"not exact: made by other code or lists than now, so a run redoes it: {', '.join(remade)}", err=True)
        pages, outcomes = what_if(present, wanted)
        shown = sample_pages(present, pages, outcomes[0].fates, wanted[0], sample) if sample else []
        if as_json:
            for settings, outcome in zip(alternatives, outcomes, strict=True):
                show(json_text(what_if_table.what_if_data(settings, outcome, shown)))
        elif sweep:
            show(what_if_table.sweep_text([settings[-1] for settings in alternatives], outcomes))
        else:
            show(what_if_table.what_if_text(outcomes[0], shown))


@main.command()
@click.argument("output_a")
@click.argument("output_b")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Show N pages of each group.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def diff(output_a: str, output_b: str, sample: int | None, as_json: bool) -> None:
    """What differs between the corpora in OUTPUT_A and OUTPUT_B: figures, settings, pages, texts, hosts."""
    with _plain_errors(), _ledger(output_a) as a, _ledger(output_b) as b:
        from dataclasses import asdict

        from pipeline.audit.diff.difference import difference
        from pipeline.audit.diff.text import diff_text

        found = difference(a, b, sample or 0)
        show(json_text(asdict(found)) if as_json else diff_text(found))


@main.command()
@click.argument("output")
@click.option("--compare", metavar="OUTPUT_B", help="Another corpus, whose differences are shown too.")
@click.option(
    "--page", type=click.Path(path_type=Path), metavar="FILE", help="The file to write; default: report.html in OUTPUT."
)
def report(output: str, compare: str | None, page: Path | None) -> None:
    """Write one HTML page, to be opened from disk, that shows where the pages of the corpus in OUTPUT went."""
    with _plain_errors(), ExitStack() as stack:
        from pipeline.audit.report.page import report_data, write_report
        from pipeline.manifest import read_manifest

        ledger = stack.enter_context(_ledger(output))
        other = stack.enter_context(_ledger(compare)) if compare else None
        path = page or Path(output) / "report.html"
        data = report_data(ledger, read_manifest(str(Path(output) / "manifest.yaml")), other)
        try:
            write_report(path, data)
        except OSError as error:
            raise WrongUse(f"{path} cannot be written: {error.strerror}; name another with --page") from error
        show(f"{path}: {path.stat().st_size:,} bytes; open it in a browser")


@main.command()
@click.argument("output")
@click.argument("page")
@click.option("--text", "whole", is_flag=True, help="Show the whole text as it is encoded, not only its beginning and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a record, with the whole text.")
def explain(output: str, page: str, whole: bool, as_json: bool) -> None:
    """The story of one page: its record, what was measured beside what rules keep, edits, text, and the shard it is in.

    PAGE is its URL, doc_id or source_id.
    """
    with _plain_errors(), _ledger(output) as ledger:
        from pipeline.audit.explain.near import unknown_page
        from pipeline.audit.explain.story import stories
        from pipeline.audit.explain.text import story_text

        found = stories(ledger, page)
        if not found:
            raise unknown_page(ledger, page)
        for story in found:
            show(json_text(story) if as_json else story_text(story, whole))


def _entry_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--urls FILE` and `--url URL` to a command, and the same for the other ways to name pages."""
    ways = {"url": "address", "host": "host, with all below it", "id": "id that the record came with", "doc": "doc_id"}
    for kind, what in reversed(ways.items()):
        file = click.Path(path_type=Path)
        command = click.option(f"--{kind}s", type=file, metavar="FILE", help=f"A file with one {what} per line.")(command)
        command = click.option(f"--{kind}", multiple=True, help=f"A single {what}; may be repeated.")(command)
    return command


@main.command()
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
    with _plain_errors():
        from pipeline.operations import takedown
        from pipeline.operations.progress import listener_for

        entries = takedown.read_request(named)
        with _ledger(str(output)) as ledger:
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


@main.command()
@click.argument("output")
@click.argument("query")
@click.option("--limit", type=click.IntRange(min=0), help="Rows at most; default: 40 in a terminal, elsewhere all.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@click.option(
    "--output", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write to a .csv, .jsonl or .parquet file."
)
@click.option("--unsafe", is_flag=True, help="Allow statements that write, and files outside the corpus.")
def sql(output: str, query: str, limit: int | None, as_csv: bool, as_json: bool, file: Path | None, unsafe: bool) -> None:
    """Ask the ledger of the corpus in OUTPUT. A query can read this corpus and nothing else."""
    with _plain_errors(), _ledger(output) as ledger:
        from pipeline.audit import question

        answer = question.ask(ledger, query, unsafe)
        if file is not None:
            try:
                question.write_answer(answer, limit, file)
            except OSError as error:
                raise WrongUse(f"{file} cannot be written: {error.strerror}; name another with --output") from error
            show(f"{file}: {file.stat().st_size:,} bytes", err=True)
        elif as_csv:
            written = io.StringIO()
            question.write_csv(answer, limit, written)
            show(written.getvalue(), nl=False)
        elif as_json:
            for row in question.rows(answer, limit):
                show(json_text(row))
        elif question.is_terminal():
            show(question.box(answer, question.ROWS_SHOWN if limit is None else limit, shutil.get_terminal_size().columns))
        else:
            show(question.box(answer, limit, None))


@main.command()
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
    with _plain_errors(), _ledger(output) as ledger:
        from pipeline.operations.export import export_texts, groups_of

        folder = Path(target) if target else Path(output) / "export"
        documents, files = export_texts(ledger, folder, form, groups_of(groups))
        show(f"{documents} documents in {files} files: {folder / f'part-*.{form}'}")


@contextmanager
def _ledger(output: str) -> Iterator["Ledger"]:
    from pipeline.corpus.views import read_ledger

    with read_ledger(Path(output)) as ledger:
        yield ledger
