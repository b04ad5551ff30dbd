"""From a step of a real run to its pages and back, compared with what the loader gives to training, sequence by sequence."""

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from model.cross_entropy import IGNORE
from tests.conftest import ROOT
from tests.trainer.small_corpus import SmallCorpus, doc_id_of, write_corpus
from tests.trainer.small_runs import SHAPE
from tests.trainer.tokenizers import byte_tokenizer
from trainer import pretrain
from trainer.checkpoints.folder import open_checkpoint
from trainer.checkpoints.state import read_stored
from trainer.config import read_configuration
from trainer.errors import TrainerError
from trainer.machine.parallel import Parallel
from trainer.record.metrics import METRICS_FILE, read_metrics
from trainer.record.window_losses import LOSSES_FILE
from trainer.run.prepare import prepare
from trainer.where import __main__ as where
from trainer.where.trained_run import TrainedRun, runs_that_saw

LENGTH = 16


@dataclass(frozen=True)
class Case:
    """A run on a mixture of two corpora: six steps of 4 windows, then, resumed, four of 6."""

    run: Path
    corpora: tuple[SmallCorpus, SmallCorpus]

    def corpus_of(self, source: int) -> SmallCorpus:
        return self.corpora[source]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The run and its corpora, which tests must not change."""
    folder = tmp_path_factory.mktemp("where")
    corpora = write_corpus(folder / "ja", "ja.example", 30, 3, 3), write_corpus(folder / "en", "en.example", 7, 1, 1)
    (folder / "shape.yaml").write_text(SHAPE)
    shards = [f"--shards={corpora[0].folder}/tokens:3", f"--shards={corpora[1].folder}/tokens:1"]
    quiet = ["--validate-every", "0", "--sample-every", "0", "--schedule-warmup-steps", "2"]
    begun = ["--model", str(folder / "shape.yaml"), "--steps", "6", "--batch-size", "4", *quiet]
    resumed = ["--resume", "--steps", "10", "--batch-size", "6", "--micro-batch-size", "3"]
    for arguments in ([*shards, *begun], resumed):
        result = CliRunner().invoke(pretrain.main, ["--output", str(folder / "run"), *arguments])
        assert result.exit_code == 0, result.output
    return Case(folder / "run", corpora)


@dataclass(frozen=True)
class Row:
    """What training got as a sequence, and a restatement of which documents its inputs come from."""

    step: int
    sequence: int
    source: int
    tokens: list[int]
    read: dict[str, list[int]]


@pytest.fixture(scope="module")
def told(case: Case) -> list[Row]:
    """The run from its beginning, by its own loader, with documents from a walk over each source's token stream."""
    streams = []
    for corpus in case.corpora:
        places = [(doc_id, nth) for doc_id in corpus.train for nth in range(len(corpus.tokens(doc_id)))]
        streams.append(places)
    rows, step = [], 0
    for checkpoint, steps in ((None, 6), (case.run / "checkpoints/step-00000006", 4)):
        stored = read_stored(case.run / f"checkpoints/step-{step + steps:08d}")
        config = read_configuration(None, {}, stored.configuration)
        run = prepare(config, open_checkpoint(checkpoint) if checkpoint else None, Parallel("ddp", "cpu"))
        for batches in run.loader.steps(run.progress.sequences, steps, run.sequences):
            step += 1
            for batch in batches:
                columns = batch.sequences_B.tolist(), batch.sources_B.tolist(), batch.inputs_BT, batch.targets_BT
                for sequence, source, inputs_T, targets_T in zip(*columns, strict=True):
                    count = int((targets_T != IGNORE).sum())
                    window = run.loader.order.at(sequence).window
                    read = defaultdict(list)
                    for doc_id, nth in streams[source][window * LENGTH : window * LENGTH + count]:
                        read[doc_id].append(nth)
                    tokens = [*inputs_T[:count].tolist(), int(targets_T[count - 1])]
                    rows.append(Row(step, sequence, source, tokens, read))
    return rows


def test_a_step_is_the_windows_that_training_was_given_and_their_passages_are_its_tokens(case: Case, told: list[Row]) -> None:
    run = TrainedRun(case.run)
    assert (run.history.steps, run.steps_done) == (10, 10)
    for step in range(1, 11):
        expected = [row for row in told if row.step == step]
        windows = run.step(step)
        assert [(window.sequence, window.source) for window in windows] == [(row.sequence, row.source) for row in expected]
        for row, window in zip(expected, windows, strict=True):
            corpus = case.corpus_of(row.source)
            assert window.passages is not None
            assert [one.doc_id for one in window.passages] == list(row.read)
            found = [token for one in window.passages for token in corpus.tokens(one.doc_id)[one.start : one.stop]]
            # The last target may be the delimiter of a document that is not read.
            assert row.tokens[: len(found)] == found
            assert row.tokens[len(found) :] in ([], [byte_tokenizer().delimiter_id])
            assert all(one.tokens == len(corpus.tokens(one.doc_id)) for one in window.passages)


def test_each_document_is_found_in_exactly_the_windows_that_read_it(case: Case, told: list[Row]) -> None:
    run = TrainedRun(case.run)
    ids = [*case.corpora[0].train, *case.corpora[1].train, *case.corpora[0].val, "0" * 32]
    sightings = run.sightings(ids)
    found = sorted(
        zip(
            (ids[index] for index in sightings.documents_M.tolist()),
            sightings.sequences_M.tolist(),
            sightings.sources_M.tolist(),
            sightings.steps_M.tolist(),
            strict=True,
        )
    )
    expected = sorted((doc_id, row.sequence, row.source, row.step) for row in told for doc_id in row.read)
    assert found == expected
    assert max(np.bincount(sightings.documents_M)) > 3  # more than one epoch of the small source


def test_what_runs_saw_of_documents_counts_what_is_done_and_what_is_planned(case: Case, told: list[Row], tmp_path: Path) -> None:
    cut = copied(case, tmp_path)
    with (cut / LOSSES_FILE).open("rb+") as stream:
        stream.truncate(4 * (24 + 2 * 6) + 4 * 5 + 3)  # as after a kill while the last row of step 9 was written
    ids = [*case.corpora[1].train, *case.corpora[0].train, "f" * 32]
    expected = []
    for run, done in ((case.run, 10), (cut, 8)):
        for doc_id in ids:
            steps = [row.step for row in told if doc_id in row.read]
            trained = [step for step in steps if step <= done]
            ends = (min(trained), max(trained)) if trained else (None, None)
            expected += [(run, doc_id, len(trained), len(steps), *ends)] if steps else []
    seen = runs_that_saw([case.run, cut], ids)
    assert [(one.run, one.doc_id, one.times, one.planned, one.first_step, one.last_step) for one in seen] == expected


def test_the_loss_of_each_window_is_its_own(case: Case) -> None:
    """Computed again from the checkpoint at the start of the step, with the same dropout."""
    checkpoint = open_checkpoint(case.run / "checkpoints/step-00000006")
    config = read_configuration(None, {}, read_stored(case.run / "checkpoints/step-00000010").configuration)
    run = prepare(config, checkpoint, Parallel("ddp", "cpu"))
    expected = []
    for batch in next(run.loader.steps(24, 1, run.sequences)):
        _, losses_BT = run.computation.loss(run.wrapped, batch, torch.device("cpu"), training=True)
        expected += (losses_BT.detach().sum(1) / (batch.targets_BT != IGNORE).sum(1)).tolist()
    assert [window.loss for window in TrainedRun(case.run).step(7)] == pytest.approx(expected, rel=1e-6)


def test_the_losses_of_a_step_s_windows_add_up_to_the_step_s(case: Case, told: list[Row]) -> None:
    run = TrainedRun(case.run)
    for row in read_metrics(case.run):
        targets = [len(one.tokens) - 1 for one in told if one.step == row["step"]]
        losses = [window.loss for window in run.step(row["step"])]
        assert np.average(losses, weights=targets) == pytest.approx(row["loss"], rel=1e-5)


# The command


def ask(*arguments: str | Path) -> Any:
    """Run the command, which must succeed."""
    result = CliRunner().invoke(where.main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


def objects(*arguments: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ask(*arguments, "--json").stdout.splitlines()]


def refused(*arguments: str | Path) -> str:
    """Run the command, which must fail with one line, and return the line."""
    result = CliRunner().invoke(where.main, [str(argument) for argument in arguments])
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    (line,) = result.output.splitlines()
    return line


def copied(case: Case, folder: Path) -> Path:
    """The run's folder, without its checkpoints."""
    return Path(shutil.copytree(case.run, folder / "run", ignore=shutil.ignore_patterns("checkpoints")))


def test_a_step_names_pages_and_a_page_names_its_steps(case: Case, told: list[Row]) -> None:
    windows = objects(case.run, "--step", "8")
    assert [window["sequence"] for window in windows] == list(range(30, 36))
    document = windows[0]["documents"][0]
    corpus = next(corpus for corpus in case.corpora if document["doc_id"] in corpus.train)
    assert document["url"] == corpus.url(document["doc_id"])
    assert document["warc_file"] == f"{corpus.folder.name}.warc.gz"
    assert document["warc_offset"] % 100 == 0
    (by_url,) = objects(case.run, "--url", document["url"])
    (by_id,) = objects(case.run, "--doc", document["doc_id"])
    assert by_url == by_id
    steps = [row.step for row in told if document["doc_id"] in row.read]
    assert [place["step"] for place in by_url["seen"]] == steps
    assert 8 in steps
    assert (by_url["times"], by_url["planned"], by_url["steps"]) == (len(steps), len(steps), 10)
    assert windows[0]["loss"] in [place["loss"] for place in by_url["seen"]]


def test_a_record_that_was_crawled_twice_is_told_by_the_one_that_was_kept(case: Case) -> None:
    corpus = case.corpora[0]
    result = ask(case.run, "--url", corpus.url_of(0), "--json")
    (document,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert document["doc_id"] == doc_id_of(corpus.url_of(0))
    assert document["warc_file"] == "ja.warc.gz"
    assert result.stderr == ""


def test_people_read_the_same(case: Case) -> None:
    text = ask(case.run, "--step", "8").stdout
    (first, *_) = objects(case.run, "--step", "8")
    assert text.startswith("step 8 of 10\nsequence 30: window ")
    assert f"loss {first['loss']:.4f}" in text
    assert first["documents"][0]["url"] in text
    told_of_page = ask(case.run, "--url", first["documents"][0]["url"]).stdout
    assert f"step 8, sequence 30: window {first['window']} of {first['source']}, loss {first['loss']:.4f}" in told_of_page


def test_steps_that_are_planned_are_told_as_not_trained(case: Case, tmp_path: Path) -> None:
    run = copied(case, tmp_path)
    (run / LOSSES_FILE).unlink()
    assert ask(run, "--step", "10").stdout.startswith("step 10 of 10, not trained yet\n")
    window = objects(run, "--step", "10")[0]
    assert (window["trained"], window["loss"]) == (False, None)
    document = objects(run, "--doc", window["documents"][0]["doc_id"])[0]
    assert document["times"] == 0 < document["planned"]


@pytest.fixture
def away(case: Case) -> Iterator[Path]:
    """Moves the first corpus elsewhere during a test."""
    folder = case.corpora[0].folder
    moved = folder.rename(folder.with_name("moved"))
    yield moved
    moved.rename(folder)


def test_a_corpus_that_moved_is_found_by_its_fingerprint_and_one_that_is_gone_is_said(case: Case, away: Path) -> None:
    result = ask(case.run, "--step", "1", "--json")
    assert "--corpus FOLDER" in result.stderr
    documents = [json.loads(line)["documents"] for line in result.stdout.splitlines()]
    assert None in documents
    doc_id = case.corpora[0].train[0]
    assert "--corpus FOLDER" in refused(case.run, "--doc", doc_id)
    with pytest.raises(TrainerError, match="--corpus FOLDER"):
        runs_that_saw([case.run], [doc_id])
    assert objects(case.run, "--doc", doc_id, "--corpus", away)[0]["url"] == case.corpora[0].url(doc_id)
    assert all(window["documents"] for window in objects(case.run, "--step", "1", "--corpus", away / "tokens"))
    assert "has no tokens that the run was trained on" in refused(case.run, "--step", "1", "--corpus", case.run)


def test_without_a_ledger_documents_still_have_their_ids(case: Case, tmp_path: Path) -> None:
    places = [Path(shutil.copytree(corpus.folder / "tokens", tmp_path / corpus.host)) for corpus in case.corpora]
    options = [option for place in places for option in ("--corpus", str(place))]
    result = ask(case.run, "--step", "2", "--json", *options)
    documents = [one for line in result.stdout.splitlines() for one in json.loads(line)["documents"]]
    known = {doc_id for corpus in case.corpora for doc_id in corpus.train}
    assert {one["doc_id"] for one in documents} <= known
    assert not any("url" in one for one in documents)
    assert "manifest.duckdb" in result.stderr


def test_tokens_that_were_built_anew_are_not_taken_for_the_run_s(case: Case, tmp_path: Path) -> None:
    run, other = copied(case, tmp_path), write_corpus(tmp_path / "other", "ja.example", 31, 3, 3)
    lines = (run / "stretches.jsonl").read_text().replace(str(case.corpora[0].folder / "tokens"), str(other.folder / "tokens"))
    (run / "stretches.jsonl").write_text(lines)
    assert "has other tokens now" in refused(run, "--doc", other.train[0])


def test_a_page_that_training_did_not_read_is_told_with_the_reason(case: Case) -> None:
    corpus = case.corpora[0]
    assert "is in the validation split" in refused(case.run, "--url", corpus.url(corpus.val[0]))
    assert "is in the validation split" in refused(case.run, "--doc", corpus.val[0])
    dropped = refused(case.run, "--url", corpus.url_of("short"))
    assert "dropped by quality, rule num_letters (value 12, threshold 400)" in dropped


def test_of_a_page_that_dedup_dropped_the_copy_that_was_trained_on_is_shown(case: Case) -> None:
    corpus = case.corpora[0]
    twin, kept = doc_id_of(corpus.url_of("twin")), doc_id_of(corpus.url_of(0))
    for question in (("--doc", twin), ("--url", corpus.url_of("twin"))):
        (document,) = objects(case.run, *question)
        assert document["doc_id"] == kept
        assert document == objects(case.run, "--doc", kept)[0]
        told = ask(case.run, *question).stderr
        assert f"{twin} was dropped by dedup, rule near_duplicate (value 0.9, threshold 0.77); {kept} was kept" in told
        assert f"shown is the copy that training reads, {kept}" in told


def test_mistakes_are_one_line_that_names_the_remedy(case: Case, tmp_path: Path) -> None:
    assert "the run has the steps 1 to 10" in refused(case.run, "--step", "11")
    assert "the nearest is https://ja.example/1" in refused(case.run, "--url", "https://ja.exampel/1")
    assert "it has no document among the tokens" in refused(case.run, "--doc", "0" * 32)
    assert "32 lower-case hex digits" in refused(case.run, "--doc", "12ab")
    assert "stretches.jsonl is missing" in refused(tmp_path, "--step", "1")
    assert CliRunner().invoke(where.main, [str(case.run)]).exit_code == 2
    assert CliRunner().invoke(where.main, [str(case.run), "--step", "1", "--spike"]).exit_code == 2


def test_a_spike_is_told_with_the_windows_of_highest_loss(case: Case, tmp_path: Path) -> None:
    run = copied(case, tmp_path)
    assert ask(run, "--spike").stdout == "nothing unusual in 10 steps\n"
    rows = read_metrics(run)
    rows[6]["loss"] = None  # as for a skipped step
    (run / METRICS_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (spike,) = objects(run, "--spike")
    assert (spike["step"], spike["measure"], spike["value"]) == (7, "loss", None)
    by_loss = sorted(objects(run, "--step", "7"), key=lambda window: -window["loss"])
    assert spike["windows"] == by_loss[:3]
    assert "step 7: loss is not finite\nsequence" in ask(run, "--spike").stdout


def test_the_command_waits_for_nothing_that_it_does_not_need() -> None:
    program = (
        "import sys\n"
        "from trainer.where.__main__ import main\n"
        "assert not {'numpy', 'duckdb', 'pyarrow', 'torch'} & set(sys.modules)\n"
        "import trainer.where.answers\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
