"""From a training step to the pages that it was trained on, and from a page to its steps.

    python -m trainer.where runs/default --step 1200
    python -m trainer.where runs/default --url https://example.jp/
    python -m trainer.where runs/default --spike

A step's windows and a document's steps are computed, in constant time for runs of any length. `--spike` reads the run's metrics,
one row per step. Information about pages comes from the ledger beside the token shards; if shards or ledger are missing, a note
says so, and the rest of the answer is still shown. Shards that a later run or a take-down replaced are fine: the pipeline keeps
an index of their documents.

Exit status 0: answered; 1: an error, in one line; 2: wrong use.
"""

from pathlib import Path
from typing import Any

import click

from pipeline.terminal import Command, json_text, printable, show
from trainer.errors import TrainerError


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--step", type=click.IntRange(min=1), help="Show the windows of this step and the pages in them.")
@click.option("--url", help="Show the steps that read the page with this URL.")
@click.option("--doc", "doc_id", metavar="ID", help="Show the steps that read the document with this doc_id.")
@click.option("--spike", is_flag=True, help="Show unusual values of loss and gradient norm, and the pages behind them.")
@click.option(
    "--corpus",
    "corpora",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Current folder of a corpus of the run, if it has moved; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per window, document or spike.")
def main(
    run: Path, step: int | None, url: str | None, doc_id: str | None, spike: bool, corpora: tuple[Path, ...], as_json: bool
) -> None:
    """Show what the run in the folder RUN was trained on, and when."""
    if sum((step is not None, url is not None, doc_id is not None, spike)) != 1:
        raise click.UsageError("give one of --step, --url, --doc and --spike")
    try:
        # Imported here: numpy, Arrow and DuckDB take a second, for which --help and wrong flags need not wait.
        from trainer.where.answers import Answers
        from trainer.where.trained_run import TrainedRun

        trained = TrainedRun(run, corpora)
        answers = Answers(trained, corpora)
        shown = _window_text if step is not None else _spike_text if spike else _document_text
        if step is not None:
            found = answers.step(step)
        elif url is not None:
            found = answers.page(url)
        elif doc_id is not None:
            found = answers.document(doc_id)
        else:
            found = answers.spikes()
    except TrainerError as error:
        raise click.ClickException(str(error)) from error
    for note in dict.fromkeys(answers.notes):
        show(f"note: {note}", err=True)
    if step is not None and not as_json:
        show(f"step {step:,} of {trained.history.steps:,}{'' if step <= trained.steps_done else ', not trained yet'}")
    if spike and not found and not as_json:
        show(f"nothing unusual in {trained.steps_done:,} steps")
    for item in found:
        show(json_text(item) if as_json else shown(item))


# For people


def _window_text(window: dict[str, Any]) -> str:
    passages = (
        f"  tokens {document['start']:,} to {document['stop']:,} of {document['tokens']:,}: {_page(document)}"
        for document in window["documents"] or ()
    )
    return "\n".join([f"{_place(window)}, epoch {window['epoch'] + 1}, {_loss(window['loss'])}", *passages])


def _document_text(document: dict[str, Any]) -> str:
    done, steps = document["steps_done"], document["steps"]
    counts = f"  read in {document['times']:,} windows of the {done:,} steps so far, in {document['planned']:,} of all {steps:,}"
    places = (
        f"  step {place['step']:,}, {_place(place)}, {_loss(place['loss']) if place['step'] <= done else 'not trained yet'}"
        for place in document["seen"]
    )
    return "\n".join([_page(document), counts, *places])


def _spike_text(spike: dict[str, Any]) -> str:
    name = spike["measure"].replace("_", " ")
    if spike["value"] is None:
        text = f"{name} is not finite"
    else:
        text = f"{name} {spike['value']:.4g}, more than {spike['limit']:.4g}; the median before it is {spike['median']:.4g}"
    return "\n".join([f"step {spike['step']:,}: {text}", *(_window_text(window) for window in spike["windows"])])


def _place(place: dict[str, Any]) -> str:
    return f"sequence {place['sequence']:,}: window {place['window']:,} of {place['source']}"


def _loss(loss: float | None) -> str:
    return "loss unknown" if loss is None else f"loss {loss:.4f}"


def _page(document: dict[str, Any]) -> str:
    if "url" not in document:
        return str(document["doc_id"])
    place = f"{printable(document['url'])}  {document['doc_id']}  {document['warc_file']} at {document['warc_offset']:,}"
    request = document["taken_down"]
    return (
        place if request is None else f"{place}, taken down since ({request['requested'][:10]}: {printable(request['reason'])})"
    )


if __name__ == "__main__":
    main()
