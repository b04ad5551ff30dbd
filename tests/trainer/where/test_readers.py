"""After take-downs, a run's answers are those of before, with the pages taken down since marked."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.engine.runner import Listener
from pipeline.operations.takedown import apply
from pipeline.removals.log import Entry
from pipeline.tokens.dataset import TokenDataset
from tests.pipeline.removals.test_log import copy_of, doc_ids_in_shards
from tests.trainer.small_runs import SHAPE
from tests.trainer.where.test_answers import ask, objects, refused
from trainer import pretrain
from trainer.record.metrics import METRICS_FILE, read_metrics
from trainer.where.readers import training_text
from trainer.where.trained_run import runs_that_saw

QUIET = ("--validate-every", "0", "--sample-every", "0")

Answers = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Case:
    """A run trained on a corpus, the answers of `trainer.where` before any take-down, and two of its pages."""

    corpus: Path
    run: Path
    answers: Answers
    pages: tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def case(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One test takes pages down from the corpus."""
    folder = tmp_path_factory.mktemp("removed")
    copy = copy_of(corpus, folder / "corpus")
    (folder / "shape.yaml").write_text(SHAPE.replace("context_length: 16", "context_length: 512"))
    begun = ["--shards", str(copy / "tokens"), "--model", str(folder / "shape.yaml"), "--output", str(folder / "run")]
    lengths = [
        "--steps",
        "3",
        "--batch-size",
        "4",
        "--schedule-warmup-steps",
        "1",
        "--validate-every",
        "0",
        "--sample-every",
        "0",
    ]
    result = CliRunner().invoke(pretrain.main, [*begun, *lengths])
    assert result.exit_code == 0, result.output
    rows = read_metrics(folder / "run")
    rows[1]["loss"] = None  # as for a skipped step, which is a spike
    (folder / "run" / METRICS_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    documents = [document for window in objects(folder / "run", "--step", "2") for document in window["documents"]]
    pages = documents[0], next(each for each in documents if each["host"] != documents[0]["host"])
    return Case(copy, folder / "run", answers_of(folder / "run", pages), pages)


def answers_of(run: Path, pages: tuple[dict[str, Any], ...]) -> Answers:
    """The command's answers about the run and the pages."""
    questions = [["--step", "1"], ["--step", "2"], ["--spike"]]
    questions += [["--url", page["url"]] for page in pages] + [["--doc", pages[0]["doc_id"]]]
    return {" ".join(question): objects(run, *question) for question in questions}


def change(case: Case, entry: Entry, *, remove: bool) -> None:
    reason = "asked by\x1b[2J its author" if remove else "a mistake"
    assert apply(case.corpus, [entry], "remove" if remove else "restore", reason, "a tester", Listener()).fingerprint


def expected(value: Any, taken: set[str]) -> Any:
    """A former answer, with the pages `taken` since marked as taken down."""
    if isinstance(value, list):
        return [expected(each, taken) for each in value]
    if not isinstance(value, dict):
        return value
    told = {name: expected(each, taken) for name, each in value.items()}
    return {**told, "taken_down": "told"} if value.get("doc_id") in taken else told


def without_time(value: Any) -> Any:
    """An answer, with checked requests replaced by the word `told`."""
    if isinstance(value, list):
        return [without_time(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("taken_down") is None:
        return {name: without_time(each) for name, each in value.items()}
    request = value["taken_down"]
    assert (request["reason"], request["who"]) == ("asked by\x1b[2J its author", "a tester")
    assert request["requested"].endswith("+00:00")
    return {**{name: without_time(each) for name, each in value.items()}, "taken_down": "told"}


def test_a_run_is_told_as_before_after_two_take_downs_and_after_one_was_taken_back(case: Case) -> None:
    first, second = case.pages
    before = TokenDataset.open(case.corpus / "tokens").fingerprint
    seen = runs_that_saw([case.run], [first["doc_id"], second["doc_id"]])
    text = training_text([case.run], [first["doc_id"], second["doc_id"]])
    assert re.fullmatch(rf"training run {case.run}: has read 2 of them, in steps \d to \d", text)
    assert training_text([case.run], ["0" * 32]) == f"training run {case.run}: has read none of them"
    windows = [window for answer in case.answers.values() for window in answer]
    documents = [document for window in windows for document in window.get("documents", [window])]
    of_host = {document["doc_id"] for document in documents if document.get("host") == second["host"]}
    url, host = Entry("url", first["url"]), Entry("host", second["host"])
    for entry, remove, taken in (
        (url, True, {first["doc_id"]}),
        (host, True, {first["doc_id"], *of_host}),
        (url, False, of_host),
    ):
        change(case, entry, remove=remove)
        assert TokenDataset.open(case.corpus / "tokens").fingerprint != before
        assert not taken & doc_ids_in_shards(case.corpus)
        assert without_time(answers_of(case.run, case.pages)) == expected(case.answers, taken)
    assert runs_that_saw([case.run], [first["doc_id"], second["doc_id"]]) == seen
    assert training_text([case.run], [first["doc_id"], second["doc_id"]]) == text
    # The text for people has no control characters.
    requested = objects(case.run, "--doc", second["doc_id"])[0]["taken_down"]["requested"][:10]
    told = f", taken down since ({requested}: asked by [2J its author)"
    assert told in ask(case.run, "--doc", second["doc_id"]).stdout
    (case.corpus / "tokens/earlier").rename(case.corpus / "away")
    assert "has other tokens now" in refused(case.run, "--doc", second["doc_id"])


def test_a_folder_that_is_no_run_has_a_line_too_and_without_runs_a_line_says_so(tmp_path: Path) -> None:
    assert training_text([tmp_path], ["0" * 32]).startswith(f"training run {tmp_path}: cannot tell: ")
    assert "give the runs that may have read them with --runs" in training_text([], ["0" * 32])
