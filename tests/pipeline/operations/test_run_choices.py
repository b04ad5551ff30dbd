"""What a user chooses for one run: another corpus to take results from, code to accept; and what a run says at its end."""

import shutil
from pathlib import Path

import pytest

from pipeline.corpus.views import read_ledger
from pipeline.engine import keys
from pipeline.engine.keys import code_version
from pipeline.engine.runner import Listener
from pipeline.errors import UserError
from pipeline.operations import takedown
from pipeline.operations.guards import Choices
from pipeline.operations.run import run
from pipeline.operations.status import status_of
from pipeline.removals.log import Entry
from tests.conftest import sample_manifest
from tests.pipeline.corpora import InThisProcess
from tests.pipeline.operations.runs import FILES, Recorder, build, fingerprint_of


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    """A copy of the sample's corpus that a test may change."""
    return Path(shutil.copytree(corpus, tmp_path / "copy"))


# What is the same in another corpus, or under other code


def test_a_variant_takes_what_is_the_same_and_is_that_of_a_fresh_run(corpus: Path, tmp_path: Path) -> None:
    fresh, _ = build(sample_manifest(tmp_path / "fresh", "quality.num_letters.min=800"))
    recorder = Recorder()
    output = tmp_path / "variant"
    report = run(sample_manifest(output, "quality.num_letters.min=800"), recorder, InThisProcess(), Choices(donor=str(corpus)))
    assert report.fingerprint == fresh
    assert {stage for stage, _ in recorder.units} & {"extract", "measure", "tokenizer", "count"} == set()
    part = next((output / "documents").iterdir())
    assert part.samefile(corpus / "documents" / part.name)
    assert any(f"extract {len(FILES)}" in note for note in recorder.notes)


def test_a_variant_of_fewer_inputs_is_that_of_a_fresh_run(corpus: Path, tmp_path: Path) -> None:
    fresh, _ = build(sample_manifest(tmp_path / "fresh", inputs=FILES[2:]))
    recorder = Recorder()
    report = run(sample_manifest(tmp_path / "out", inputs=FILES[2:]), recorder, InThisProcess(), Choices(donor=str(corpus)))
    assert report.fingerprint == fresh
    assert "extract" not in {stage for stage, _ in recorder.units}


def test_a_damaged_file_of_the_other_corpus_is_made_anew(copy: Path, corpus: Path, tmp_path: Path) -> None:
    damaged = next((copy / "features").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")
    recorder = Recorder()
    report = run(sample_manifest(tmp_path / "out"), recorder, InThisProcess(), Choices(donor=str(copy)))
    assert recorder.units == [("measure", damaged.stem)]
    assert report.fingerprint == fingerprint_of(corpus)


def test_what_was_taken_down_stays_out_of_a_variant(copy: Path, tmp_path: Path) -> None:
    with read_ledger(copy) as ledger:
        url = ledger.rows("SELECT url FROM fates WHERE kept ORDER BY url LIMIT 1")[0][0]
    takedown.apply(copy, [Entry("url", url)], "remove", "asked", "someone", Listener())
    run(sample_manifest(tmp_path / "out"), Listener(), InThisProcess(), Choices(donor=str(copy)))
    assert fingerprint_of(tmp_path / "out") == fingerprint_of(copy)


def test_a_corpus_is_not_taken_from_itself_or_from_nowhere(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is the output itself"):
        run(sample_manifest(copy), Listener(), choices=Choices(donor=str(copy)))
    with pytest.raises(UserError, match="holds no corpus"):
        run(sample_manifest(copy), Listener(), choices=Choices(donor=str(tmp_path)))


def test_accepted_results_of_earlier_code_are_kept_with_a_note(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint_of(copy)
    monkeypatch.setattr(keys, "code_version", lambda stage: code_version(stage) if stage.name != "measure" else "0" * 16)
    recorder = Recorder()
    report = run(sample_manifest(copy), recorder, InThisProcess(), Choices(accept_code=("measure",)))
    assert (recorder.units, report.fingerprint) == ([], before)
    states = {state["stage"]: state for state in status_of(sample_manifest(copy))}
    assert not states["measure"]["stale"]
    assert "are kept as those of " + "0" * 16 in states["measure"]["notes"][0]
    with pytest.raises(UserError, match="did you mean 'measure'"):
        run(sample_manifest(copy), Listener(), choices=Choices(accept_code=("mesure",)))


# Corpora without documents


def test_an_empty_corpus_says_the_commonest_reason(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{\n" * 5)
    given = f"tokenizer.model={corpus / 'tokens' / 'tokenizer'}"
    report = run(sample_manifest(tmp_path / "out", given, inputs=[str(tmp_path / "a.jsonl")]), Listener(), InThisProcess())
    assert report.empty is not None
    assert "none is kept. The commonest reason is corrupt_record of extract" in report.empty
    assert "a.jsonl at 0" in report.empty


def test_unreadable_records_are_told_beside_good_inputs(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{\n" * 5)
    report = run(sample_manifest(tmp_path / "out", inputs=[*FILES, str(tmp_path / "a.jsonl")]), Listener(), InThisProcess())
    assert report.empty is None
    assert report.unreadable is not None
    assert report.unreadable.startswith("5 of the 5 records of 1 input cannot be read (corrupt_record); the first: ")


def test_inputs_without_a_record_make_an_empty_corpus(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n\n")
    given = f"tokenizer.model={corpus / 'tokens' / 'tokenizer'}"
    report = run(sample_manifest(tmp_path / "out", given, inputs=[str(tmp_path / "a.jsonl")]), Listener(), InThisProcess())
    assert report.empty == "the corpus is empty: the inputs hold no record; check what they are"
