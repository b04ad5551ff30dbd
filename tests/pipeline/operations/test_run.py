"""A run as a whole: no record disappears, the bytes are always the same, and no work is done twice."""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fastwarc.warc import ArchiveIterator

from pipeline.corpus.views import read_ledger
from pipeline.engine.local import LocalExecutor
from pipeline.engine.runner import Listener
from pipeline.errors import UserError
from pipeline.flow import JUDGING
from pipeline.inputs.record import InputError
from pipeline.operations.guards import Choices
from pipeline.operations.run import RunError, run
from pipeline.operations.status import status_of
from pipeline.tokens.dataset import TokenDataset
from pipeline.tokens.opening import load_tokenizer
from tests.conftest import SAMPLE, sample_manifest
from tests.pipeline.corpora import InThisProcess
from tests.pipeline.operations.runs import FILES, Recorder, build, fingerprint_of

FORGET = Choices(forget=True, retrain_tokenizer=True)


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    """A copy of the sample's corpus that a test may change."""
    return Path(shutil.copytree(corpus, tmp_path / "copy"))


# Nothing disappears


def test_of_each_stage_what_goes_in_is_kept_or_has_a_row_that_says_why_not(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        counts = ledger.rows("SELECT stage, docs_in, docs_out FROM stage_counts ORDER BY ordinal")
    before = sum(1 for _ in SAMPLE.parent.joinpath("sample/expected.tsv").open()) - 1
    for stage, docs_in, docs_out in counts:
        assert docs_in == before
        if stage in JUDGING:
            verdicts = [row for path in (corpus / "verdicts" / stage).iterdir() for row in pq.read_table(path).to_pylist()]
            dropped = [row for row in verdicts if not row["kept"]]
            assert len(verdicts) == docs_in
            assert docs_in == docs_out + len(dropped)
            assert all(row["rule"] and row["failed"][0] == row["rule"] for row in dropped)
        before = docs_out
    assert before > 100


def test_the_ledgers_tokens_are_those_of_the_shards(corpus: Path) -> None:
    dataset = TokenDataset.open(corpus / "tokens")
    shards = [shard for split in ("train", "val") for shard in dataset.split(split).shards]
    recount = sum(len(shard.tokens) for shard in shards)
    documents = sum(len(shard.doc_ids) for shard in shards)
    with read_ledger(corpus) as ledger:
        assert ledger.rows("SELECT docs_in, docs_out, tokens_in, tokens_out FROM stage_counts WHERE stage = 'tokenize'") == [
            (documents, documents, recount, recount)
        ]
        assert ledger.rows("SELECT sum(tokens)::BIGINT, sum(documents)::BIGINT FROM token_shards") == [(recount, documents)]


def test_a_stages_tokens_are_the_sum_of_its_documents(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        for stage in ("quality", "dedup", "hosts"):
            tokens_in, tokens_out = ledger.rows("SELECT tokens_in, tokens_out FROM stage_counts WHERE stage = ?", stage)[0]
            dropped = ledger.rows("SELECT sum(tokens)::BIGINT FROM rule_counts WHERE stage = ?", stage)[0][0]
            assert tokens_in == tokens_out + dropped


def test_every_record_is_found_again_at_its_offset(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        rows = ledger.rows("SELECT warc_file, warc_offset, url FROM records WHERE kept OR rule = 'rapid_check'")
    assert len(rows) > 150
    for file, offset, url in rows:
        with Path(file).open("rb") as stream:
            stream.seek(offset)
            assert next(iter(ArchiveIterator(stream))).headers["WARC-Target-URI"] == url


# The same bytes


@pytest.mark.parametrize("workers", [3])
def test_the_number_of_workers_and_the_order_of_the_inputs_change_no_byte(corpus: Path, tmp_path: Path, workers: int) -> None:
    fingerprint, _ = build(sample_manifest(tmp_path / "out", workers=workers, inputs=FILES[::-1]), LocalExecutor(workers))
    assert fingerprint == fingerprint_of(corpus)


def test_what_was_built_in_two_steps_is_what_is_built_in_one(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    build(sample_manifest(output, inputs=FILES[1:3]))
    tokenizer = load_tokenizer(output / "tokens" / "tokenizer").digest
    recorder = Recorder()
    grown = run(sample_manifest(output, inputs=FILES), recorder, InThisProcess())
    assert load_tokenizer(output / "tokens" / "tokenizer").digest == tokenizer
    done = Counter(stage for stage, _ in recorder.units)
    assert (done["extract"], done["tokenizer"], done["count"]) == (len(FILES) - 2, 0, len(FILES) - 2)
    assert any("--retrain-tokenizer" in note for note in recorder.notes)
    anew = run(sample_manifest(output, inputs=FILES), Listener(), InThisProcess(), Choices(retrain_tokenizer=True))
    assert anew.fingerprint == fingerprint_of(corpus) != grown.fingerprint


def test_a_corpus_with_a_given_tokenizer_is_the_same_however_it_grew(corpus: Path, tmp_path: Path) -> None:
    given = f"tokenizer.model={corpus / 'tokens' / 'tokenizer'}"
    build(sample_manifest(tmp_path / "out", given, inputs=FILES[1:3]))
    fingerprint, _ = build(sample_manifest(tmp_path / "out", given, inputs=FILES))
    assert fingerprint == fingerprint_of(corpus)


def test_another_tokenizer_is_made_only_if_asked_for(copy: Path) -> None:
    before = fingerprint_of(copy)
    with pytest.raises(UserError, match=r"vocabulary: 2500 -> 3000.*texts are counted and encoded again.*--retrain-tokenizer"):
        run(sample_manifest(copy, "tokenizer.vocabulary=3000"), Listener())
    assert fingerprint_of(copy) == before
    recorder = Recorder()
    report = run(sample_manifest(copy, "tokenizer.vocabulary=3000"), recorder, InThisProcess(), Choices(retrain_tokenizer=True))
    assert report.failed == []
    assert load_tokenizer(copy / "tokens" / "tokenizer").vocabulary_size <= 3000
    # The same again: nothing is to be done, with or without the flag.
    for choices in (Choices(retrain_tokenizer=True), Choices()):
        again = run(sample_manifest(copy, "tokenizer.vocabulary=3000"), Listener(), InThisProcess(), choices)
        assert (again.done, again.fingerprint) == (0, report.fingerprint)
    states = {state["stage"]: state for state in status_of(sample_manifest(copy, "tokenizer.vocabulary=3000"))}
    assert states["tokenizer"]["notes"][0].startswith(f"pinned: made of {len(FILES)} inputs in run ")


def test_a_run_that_names_fewer_inputs_lists_the_others_and_deletes_nothing(copy: Path) -> None:
    before = sorted((copy / "documents").iterdir())
    with pytest.raises(InputError, match=f"3 inputs that this run does not name: .*{Path(FILES[3]).name}.*--forget"):
        run(sample_manifest(copy, inputs=FILES[:2]), Listener())
    assert sorted((copy / "documents").iterdir()) == before
    assert build(sample_manifest(copy, inputs=FILES))[1].units == []


def test_an_input_that_is_forgotten_leaves_nothing_behind(copy: Path, tmp_path: Path) -> None:
    report = run(
        sample_manifest(copy, inputs=FILES[:3]), Listener(), InThisProcess(), Choices(forget=True, retrain_tokenizer=True)
    )
    assert report.failed == []
    fingerprint = report.fingerprint
    alone, _ = build(sample_manifest(tmp_path / "alone", inputs=FILES[:3]))
    assert fingerprint == alone
    assert len(list((copy / "documents").iterdir())) == 3
    with read_ledger(copy) as ledger:
        assert ledger.rows("SELECT count(DISTINCT warc_file) FROM records") == [(3,)]


# No work is done twice


def test_a_second_run_does_nothing(copy: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.suffix in (".parquet", ".arrow", ".json")}
    fingerprint, recorder = build(sample_manifest(copy))
    assert recorder.units == []
    assert fingerprint == fingerprint_of(copy)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_changed_threshold_reads_no_text_and_redoes_only_what_follows(copy: Path) -> None:
    # A stricter threshold, so the documents may even be unreadable for all stages up to the signatures.
    _, recorder = build(sample_manifest(copy, "quality.num_letters.min=800"))
    done = {stage for stage, _ in recorder.units}
    assert done & {"extract", "measure", "tokenizer", "count"} == set()
    assert {"quality", "dedup", "shards"} <= done
    with read_ledger(copy) as ledger:
        assert ledger.rows("SELECT min(num_letters) >= 800 FROM features JOIN fates USING (part, doc_id) WHERE kept") == [(True,)]


def test_going_back_to_a_threshold_gives_the_old_corpus(copy: Path) -> None:
    before = fingerprint_of(copy)
    changed, _ = build(sample_manifest(copy, "quality.num_letters.min=900"))
    assert changed != before
    again, _ = build(sample_manifest(copy))
    assert again == before


def test_a_threshold_that_changes_no_verdict_changes_nothing_behind_it(copy: Path) -> None:
    _, recorder = build(sample_manifest(copy, "quality.num_letters.min=399"))
    assert {stage for stage, _ in recorder.units} == {"quality"}


def test_a_file_that_was_removed_is_made_again(copy: Path) -> None:
    before = fingerprint_of(copy)
    next((copy / "features").iterdir()).unlink()
    fingerprint, recorder = build(sample_manifest(copy))
    assert recorder.units == [("measure", "part-00000")] or Counter(stage for stage, _ in recorder.units) == {"measure": 1}
    assert fingerprint == before


# Bad inputs and outputs


def test_a_copied_file_adds_no_document(corpus: Path, tmp_path: Path) -> None:
    shutil.copy(FILES[0], tmp_path / "again.warc.gz")
    fingerprint, _ = build(sample_manifest(tmp_path / "out", inputs=[*FILES, str(tmp_path / "again.warc.gz")]))
    assert fingerprint is not None
    with read_ledger(tmp_path / "out") as ledger:
        assert ledger.rows("SELECT docs FROM rule_counts WHERE rule = 'same_record' AND stage = 'dedup'")[0][0] > 10
        kept = ledger.rows("SELECT count(*), count(DISTINCT doc_id) FROM fates WHERE kept")[0]
    assert kept[0] == kept[1]
    assert kept[0] == sum(
        len(shard.doc_ids) for split in ("train", "val") for shard in TokenDataset.open(corpus / "tokens").split(split).shards
    )


def test_an_unreadable_input_fails_alone_and_is_done_when_it_is_mended(corpus: Path, tmp_path: Path) -> None:
    broken = tmp_path / "zz.warc.gz"
    broken.write_bytes(b"filedesc://old.arc 0.0.0.0 20060101 text/plain 10\n")
    recorder = Recorder()
    report = run(sample_manifest(tmp_path / "out", inputs=[*FILES, str(broken)]), recorder)
    ((stage, part, error),) = report.failed
    assert stage == "extract"
    assert "is an ARC file" in error
    assert (report.stopped_before, report.fingerprint) == ("tokenizer", None)
    assert {done for done, _ in recorder.units} == {"extract", "measure", "quality"}
    without = run(sample_manifest(tmp_path / "out", inputs=[*FILES, str(broken)]), Listener(), choices=Choices(allow_failed=True))
    assert without.fingerprint == fingerprint_of(corpus)
    shutil.copy(FILES[0], broken)
    fingerprint, recorder = build(sample_manifest(tmp_path / "out", inputs=[*FILES, str(broken)]))
    assert [done for done in recorder.units if done[0] == "extract"] == [("extract", part)]
    assert fingerprint is not None


def test_two_runs_at_once_on_one_output_are_refused(copy: Path) -> None:
    from pipeline.operations.run import locked

    with locked(copy), pytest.raises(RunError, match="another run is at work"):
        run(sample_manifest(copy), Listener())


def test_an_output_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RunError, match=r"cannot be written.*--output"):
        run(sample_manifest(tmp_path / "file" / "out"), Listener())


def test_a_damaged_ledger_is_said_and_a_run_without_it_completes(copy: Path) -> None:
    before = fingerprint_of(copy)
    ledger = copy / "manifest.duckdb"
    ledger.write_bytes(b"garbage" * 5000)
    with pytest.raises(Exception, match=r"manifest\.duckdb is damaged.*move it away"):
        run(sample_manifest(copy), Listener())
    ledger.unlink()
    fingerprint, _ = build(sample_manifest(copy))
    assert fingerprint == before


def test_an_input_that_matches_nothing_is_an_error_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing-here.*matches no file"):
        run(sample_manifest(tmp_path / "out", inputs=[str(tmp_path / "nothing-here*.warc.gz")]), Listener())
    assert not (tmp_path / "out").exists()


def test_a_corpus_without_japanese_ends_with_a_clear_failure_and_counts(tmp_path: Path) -> None:
    from tests.pipeline.inputs.warc_files import gzipped, warc_record

    english = b"<html lang='en'><title>t</title><p>" + b"An English page about nothing at all. " * 50
    (tmp_path / "en.warc.gz").write_bytes(b"".join(gzipped([warc_record(number, body=english) for number in range(3)])))
    report = run(sample_manifest(tmp_path / "out", inputs=[str(tmp_path / "en.warc.gz")]), Listener())
    assert [stage for stage, _, _ in report.failed] == ["tokenizer"]
    assert "no document" in report.failed[0][2]
    with read_ledger(tmp_path / "out") as ledger:
        assert ledger.rows("SELECT rule, docs FROM rule_counts") == [("rapid_check", 3)]


def test_an_earlier_corpus_is_not_repeated_and_its_documents_are_named(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    report = run(sample_manifest(output, f"dedup.against=[{corpus}]", inputs=FILES[:1]), Listener())
    with read_ledger(output) as ledger:
        kept = ledger.rows("SELECT count(*) FROM stage_verdicts WHERE stage = 'dedup' AND kept")
        named = ledger.rows("SELECT count(*) FROM duplicates WHERE survivor_id <> doc_id OR similarity = 1")
    assert kept == [(0,)]
    assert named[0][0] > 10
    assert report.fingerprint is None or report.failed == []
