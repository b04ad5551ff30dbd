"""Commands that ask a corpus and change nothing in it: yield, what-if, diff, report, explain, sql."""

import io
import shutil
from contextlib import ExitStack
from pathlib import Path

import click

from pipeline.commands.frame import WrongUse, open_ledger, plain_errors
from pipeline.terminal import json_text, show


@click.command(name="yield")
@click.argument("output")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a stage and rule.")
def yield_(output: str, as_json: bool) -> None:
    """Documents, characters, bytes and tokens in and out of each stage of the corpus in OUTPUT."""
    with plain_errors():
        from pipeline.audit.yields import yield_rows, yield_table
        from pipeline.corpus.ledger import Ledger

        with Ledger(Path(output), read_only=True) as ledger:  # the counts are tables of the ledger, so no views over files
            if as_json:
                for row in yield_rows(ledger):
                    show(json_text(row))
            else:
                show(yield_table(ledger))


@click.command(name="what-if")
@click.argument("output")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Such as quality.num_letters.min=300.")
@click.option("--sweep", metavar="KEY=START:STOP:STEP", help="A row for each value, both ends included.")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Show N pages that come in and N that go out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each alternative.")
def what_if(output: str, changes: tuple[str, ...], sweep: str | None, sample: int | None, as_json: bool) -> None:
    """What the corpus in OUTPUT would be under other thresholds, from stored numbers alone; nothing is changed."""
    with plain_errors():
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


@click.command()
@click.argument("output_a")
@click.argument("output_b")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Show N pages of each group.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def diff(output_a: str, output_b: str, sample: int | None, as_json: bool) -> None:
    """What differs between the corpora in OUTPUT_A and OUTPUT_B: figures, settings, pages, texts, hosts."""
    with plain_errors(), open_ledger(output_a) as a, open_ledger(output_b) as b:
        from dataclasses import asdict

        from pipeline.audit.diff.difference import difference
        from pipeline.audit.diff.text import diff_text

        found = difference(a, b, sample or 0)
        show(json_text(asdict(found)) if as_json else diff_text(found))


@click.command()
@click.argument("output")
@click.option("--compare", metavar="OUTPUT_B", help="Another corpus, whose differences are shown too.")
@click.option(
    "--page", type=click.Path(path_type=Path), metavar="FILE", help="The file to write; default: report.html in OUTPUT."
)
def report(output: str, compare: str | None, page: Path | None) -> None:
    """Write one HTML page, to be opened from disk, that shows where the pages of the corpus in OUTPUT went."""
    with plain_errors(), ExitStack() as stack:
        from pipeline.audit.report.page import report_data, write_report
        from pipeline.manifest import read_manifest

        ledger = stack.enter_context(open_ledger(output))
        other = stack.enter_context(open_ledger(compare)) if compare else None
        path = page or Path(output) / "report.html"
        data = report_data(ledger, read_manifest(str(Path(output) / "manifest.yaml")), other)
        try:
            write_report(path, data)
        except OSError as error:
            raise WrongUse(f"{path} cannot be written: {error.strerror}; name another with --page") from error
        show(f"{path}: {path.stat().st_size:,} bytes; open it in a browser")


@click.command()
@click.argument("output")
@click.argument("page")
@click.option("--text", "whole", is_flag=True, help="Show the whole text as it is encoded, not only its beginning and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per record, with the whole text.")
def explain(output: str, page: str, whole: bool, as_json: bool) -> None:
    """The story of one page: its record, what was measured beside what rules keep, edits, text, and the shard it is in.

    PAGE is its URL, doc_id or source_id.
    """
    with plain_errors(), open_ledger(output) as ledger:
        from pipeline.audit.explain.near import unknown_page
        from pipeline.audit.explain.story import stories
        from pipeline.audit.explain.text import story_text

        found = stories(ledger, page)
        if not found:
            raise unknown_page(ledger, page)
        for story in found:
            show(json_text(story) if as_json else story_text(story, whole))


@click.command()
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
    with plain_errors(), open_ledger(output) as ledger:
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
            show(question.table(answer, limit))
