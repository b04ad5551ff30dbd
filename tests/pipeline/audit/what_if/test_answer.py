"""`what-if` under other thresholds: a run with them gives the promised figures."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from pipeline.audit.what_if.answer import Outcome, StageFigures, read_present, sweep_changes, what_if
from pipeline.audit.what_if.sample import sample_pages
from pipeline.cli import main
from pipeline.corpus.ledger import Ledger, Size, sizes_by_stage
from pipeline.corpus.views import read_ledger
from pipeline.dedup.columns import EarlierCorpusError, earlier_groups
from pipeline.flow import COUNTED
from pipeline.manifest import read_manifest
from pipeline.removals.log import Entry, add_to_log
from tests.pipeline.conftest import OTHER_SETTINGS
from tests.pipeline.corpora import copy_of

TEXT_STAGES = set(COUNTED[COUNTED.index("clean") :])


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def outcome_of(corpus: Path, *changes: str) -> Outcome:
    path = str(corpus / "manifest.yaml")
    with read_ledger(corpus) as ledger:
        _, (outcome,) = what_if(read_present(ledger, read_manifest(path)), [read_manifest(path, changes)])
    return outcome


def stages_of(outcome: Outcome) -> dict[str, StageFigures]:
    return {stage.stage: stage for stage in outcome.stages}


def counted(corpus: Path) -> tuple[dict[str, Size], dict[tuple[str, str], Size]]:
    """From the ledger: what each stage lets through, and what each rule is the first to drop."""
    with read_ledger(corpus) as ledger:
        stages = sizes_by_stage(ledger)
        rules = ledger.rows(
            "SELECT stage, rule, sum(docs)::BIGINT, sum(chars)::BIGINT, sum(tokens)::BIGINT FROM rule_counts "
            "WHERE stage != 'extract' GROUP BY stage, rule"
        )
    return stages, {(stage, rule): Size(*sizes) for stage, rule, *sizes in rules}


# A run gives the promised figures


def differing(promised: Outcome, corpus: Path) -> list[str]:
    """The stages and rules whose promised figures differ from the ledger of `corpus`."""
    stages, rules = counted(corpus)
    nothing = Size(0, 0, 0)
    wrong = [stage.stage for stage in promised.stages if stage.then != stages[stage.stage]]
    return wrong + [rule.rule for rule in promised.rules if rule.then != rules.get((rule.stage, rule.rule), nothing)]


def test_a_run_gives_what_was_promised_behind_every_stage(other_corpus: Path, tmp_path: Path) -> None:
    changes = ("quality.num_letters.max=650", "hosts.block=[zakki.example]")
    promised = outcome_of(other_corpus, *changes)
    output = copy_of(other_corpus, tmp_path / "out", *changes)
    assert differing(promised, output) == []
    assert not any(stage.estimated for stage in promised.stages)
    assert promised.basis == ()
    assert promised.stages[-1].then != promised.stages[-1].now


def test_other_survivors_are_as_many_as_a_run_keeps_and_only_the_sizes_of_their_texts_are_estimated(
    corpus: Path, other_corpus: Path
) -> None:
    promised = outcome_of(corpus, *OTHER_SETTINGS)
    assert set(differing(promised, other_corpus)) <= TEXT_STAGES
    assert {stage.stage for stage in promised.stages if stage.estimated} == TEXT_STAGES
    final = counted(other_corpus)[0]["tokenize"]
    assert promised.stages[-1].then.documents == final.documents
    assert promised.stages[-1].then.tokens == pytest.approx(final.tokens, rel=0.01)


def test_pages_that_were_never_signed_are_estimated_behind_quality(corpus: Path, other_corpus: Path) -> None:
    """Asked of the other corpus about the sample's: three quarters of the pages have no signature there."""
    promised = outcome_of(
        other_corpus, "quality.num_letters={min: 400}", "dedup.minimum_similarity=0.77", "dedup.survivor=newest"
    )
    assert set(differing(promised, corpus)) <= {"dedup", "hosts", *TEXT_STAGES}
    assert {stage.stage for stage in promised.stages if stage.estimated} == {"dedup", "hosts", *TEXT_STAGES}
    final = counted(corpus)[0]["tokenize"]
    assert promised.stages[-1].then.tokens == pytest.approx(final.tokens, rel=0.2)
    assert [line.partition(":")[0] for line in promised.basis] == [
        "dedup",
        "hosts",
        ", ".join(COUNTED[COUNTED.index("clean") : -1]),
    ]


def test_nothing_changed_gives_the_present_figures(corpus: Path) -> None:
    outcome = outcome_of(corpus, "quality.num_letters.min=400", "hosts.minimum_pages=10")
    assert all(stage.then == stage.now and not stage.estimated for stage in outcome.stages)
    assert all(rule.then == rule.now for rule in outcome.rules)
    assert [stage.stage for stage in outcome.stages] == list(COUNTED)


def test_a_page_that_masking_drops_stays_dropped(corpus: Path, tmp_path: Path) -> None:
    output = copy_of(corpus, tmp_path / "out")
    path = output / "verdicts" / "pii" / "part-00000.parquet"
    verdicts = pq.read_table(path).to_pylist()
    gone = verdicts[0] | {"kept": False, "rule": "personal_data", "failed": ["personal_data"]}
    pq.write_table(pa.Table.from_pylist([gone, *verdicts[1:]], pq.read_schema(path)), path)
    for stage in COUNTED[COUNTED.index("pii") + 1 : -1]:
        behind = output / "verdicts" / stage / "part-00000.parquet"
        pq.write_table(pq.read_table(behind).slice(1), behind)
    sizes = f"docs_out - 1, chars_out = chars_out - {gone['n_chars']}, tokens_out = tokens_out - {gone['n_tokens']}"
    with Ledger(output) as ledger:
        ledger.rows(f"UPDATE stage_counts SET docs_out = {sizes} WHERE ordinal >= {COUNTED.index('pii')} RETURNING 1")
    outcome = outcome_of(output, "quality.num_letters.min=400")
    assert all(stage.then == stage.now for stage in outcome.stages)


def test_a_survivor_that_leaves_makes_room_for_its_repeat(corpus: Path) -> None:
    """The repeat's text was never cleaned, so later sizes are estimates, but numbers of documents stay exact."""
    with read_ledger(corpus) as ledger:
        lowest, second = ledger.rows("SELECT DISTINCT similarity FROM duplicates ORDER BY 1 LIMIT 2")
    outcome = outcome_of(corpus, f"dedup.minimum_similarity={(lowest[0] + second[0]) / 2}")
    after = stages_of(outcome)
    assert after["dedup"].then.documents == after["dedup"].now.documents + 1
    assert not after["dedup"].estimated
    assert after["clean"].estimated
    assert "1 texts did not come so far" in outcome.basis[0]


def test_an_earlier_corpus_keeps_its_pages_out(corpus: Path) -> None:
    figures = stages_of(outcome_of(corpus, f"dedup.against=[{corpus}]"))
    assert figures["dedup"].then.documents == 0
    assert not figures["dedup"].estimated
    assert figures["tokenize"].then == Size(0, 0, 0)


def test_listed_addresses_drop_the_pages_beneath_them(corpus: Path) -> None:
    whole = stages_of(outcome_of(corpus, "hosts.block=[zakki.example]"))["hosts"]
    partly = stages_of(outcome_of(corpus, "hosts.block=[zakki.example/notes/hosei.html]"))["hosts"]
    assert whole.now.documents - 1 == partly.then.documents > whole.then.documents


# The command


def test_the_table_marks_estimates_and_says_their_basis(corpus: Path) -> None:
    text = call("what-if", str(corpus), "--set", "quality.katakana_fraction.max=0.7").stdout
    lines = text.splitlines()
    assert lines[0].split()[-1] == "figures"
    figures = [line.split()[-1] for line in lines[2 : 2 + len(COUNTED)]]
    assert figures == ["exact"] * 2 + ["estimate"] * (len(COUNTED) - 2)
    assert "katakana_fraction" in text
    assert "<= 0.7" in text
    assert "1 newly kept pages have no signature" in text


def test_a_sample_shows_the_pages_that_come_in_and_go_out(corpus: Path) -> None:
    changes = ["--set=quality.katakana_fraction.max=0.7", "--set=quality.num_letters.min=800", "--sample=2"]
    answer = json.loads(call("what-if", str(corpus), *changes, "--json").stdout)
    came = [page for page in answer["sample"] if page["change"] == "in"]
    went = [page for page in answer["sample"] if page["change"] == "out"]
    assert [page["rule"] for page in came] in ([], ["katakana_fraction"])
    assert len(went) == 2
    assert [page["doc_id"] for page in went] == sorted(page["doc_id"] for page in went)
    for page in went:
        assert (page["stage"], page["rule"], page["threshold"]) == ("quality", "num_letters", 800)
        assert page["value"] < 800
        with read_ledger(corpus) as ledger:
            row = ledger.rows("SELECT url, text FROM documents WHERE doc_id = ?", page["doc_id"])[0]
        assert page["url"] == row[0]
        assert row[1].startswith(page["lines"][0])


def test_a_sample_names_the_rule_that_drops_a_page_now(corpus: Path) -> None:
    text = call("what-if", str(corpus), "--set", "quality.katakana_fraction.max=0.7", "--sample", "3").stdout
    assert "comes in; dropped now by quality: katakana_fraction" in text
    assert "threshold 0.5; whether it repeats another page is not known" in text


def test_a_sample_of_a_blocked_host_goes_out_by_its_rule(corpus: Path) -> None:
    text = call("what-if", str(corpus), "--set", "hosts.block=[zakki.example]", "--sample", "1").stdout
    assert "goes out; dropped then by hosts: listed_host" in text
    assert "https://zakki.example/" in text


def test_a_sweep_has_a_row_for_each_value_with_both_ends(corpus: Path) -> None:
    lines = call("what-if", str(corpus), "--sweep", "quality.japanese_fraction.min=0.5:0.9:0.2").stdout.splitlines()
    settings = [line.split()[0] for line in lines[2:6]]
    assert settings == ["now", *(f"quality.japanese_fraction.min={value}" for value in ("0.5", "0.7", "0.9"))]
    documents = [int(line.split()[1].replace(",", "")) for line in lines[2:6]]
    assert documents == sorted(documents, reverse=True)
    assert documents[0] == documents[1] > documents[3]


def test_a_sweep_gives_what_each_value_gives_alone(corpus: Path) -> None:
    sweep = call("what-if", str(corpus), "--sweep", "quality.num_letters.min=400:800:400", "--json").stdout.splitlines()
    for value, line in zip((400, 800), sweep, strict=True):
        alone = call("what-if", str(corpus), "--set", f"quality.num_letters.min={value}", "--json").stdout
        assert json.loads(line) == json.loads(alone)


@pytest.mark.parametrize(
    ("sweep", "values"),
    [
        ("a.b=0.3:0.7:0.1", ["0.3", "0.4", "0.5", "0.6", "0.7"]),
        ("a.b=1:10:4", ["1", "5", "9"]),
        ("a.b=2:2:1", ["2"]),
        ("a.b=-1:1:1", ["-1", "0", "1"]),
        ("a.b=0:1E1:5", ["0", "5", "10"]),
    ],
)
def test_the_values_of_a_sweep_are_decimal(sweep: str, values: list[str]) -> None:
    assert sweep_changes(sweep) == [f"a.b={value}" for value in values]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name what would be different"),
        (["--set", "quality.num_leters.min=3"], "did you mean 'num_letters'?"),
        (["--set", "qualty.num_letters.min=3"], "did you mean 'quality'?"),
        (["--set", "extract.extractor=trafilatura"], "extract.extractor changes what is stored"),
        (["--set", "dedup.rows=10"], "dedup.rows changes what is stored"),
        (["--set", "tokenize.shard_tokens=4096"], "or nothing that is counted"),
        (["--set", "output=elsewhere"], "output changes what is stored"),
        (["--set", "hosts.lists=/no/such/folder"], "/no/such/folder"),
        (["--set", "dedup.against=[/no/such/corpus]"], "/no/such/corpus"),
        (["--sweep", "quality.num_letters.min"], "write KEY=START:STOP:STEP"),
        (["--sweep", "quality.num_letters.min=1:2"], "write KEY=START:STOP:STEP"),
        (["--sweep", "quality.num_letters.min=1:x:1"], "write KEY=START:STOP:STEP"),
        (["--sweep", "quality.num_letters.min=1:2:0"], "write KEY=START:STOP:STEP"),
        (["--sweep", "quality.num_letters.min=1:inf:1"], "write KEY=START:STOP:STEP"),
        (["--sweep", "quality.num_letters.min=2:1:1"], "smaller end first"),
        (["--sweep", "quality.num_letters.min=1:2:-1"], "smaller end first"),
        (["--sweep", "quality.num_letters.min=1:1000:1"], "has 1000 values"),
        (["--sweep", "quality.num_letters.min=1:2:1", "--sample", "1"], "leave --sweep out"),
    ],
)
def test_wrong_use_is_one_line_with_the_remedy(corpus: Path, arguments: list[str], message: str) -> None:
    result = call("what-if", str(corpus), *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


# Corpora that are not whole


def test_a_folder_without_a_corpus_is_said(tmp_path: Path) -> None:
    result = call("what-if", str(tmp_path), "--set", "quality.num_letters.min=3")
    assert result.exit_code == 2
    assert "holds no corpus" in result.stderr


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("UPDATE runs SET status = 'running'", "is 'running' and not done"),
        ("DELETE FROM stage_counts", "and not done"),
        ("UPDATE stage_counts SET docs_out = 1 WHERE stage = 'hosts'", "verdicts of hosts are not those that the ledger"),
        ("verdicts/clean", "is not built to the end: verdicts/clean/part-00000.parquet is missing"),
        ("features", "is not built to the end: features/part-00000.parquet is missing"),
    ],
)
def test_a_corpus_that_is_not_whole_is_said(corpus: Path, tmp_path: Path, spoil: str, message: str) -> None:
    output = copy_of(corpus, tmp_path / "out")
    if " " in spoil:
        import duckdb

        with duckdb.connect(str(output / "manifest.duckdb")) as connection:
            connection.execute(spoil)
    else:
        shutil.rmtree(output / spoil)
    result = call("what-if", str(output), "--set", "quality.num_letters.min=800")
    assert result.exit_code == 2, result.output
    assert message in result.stderr


def test_a_corpus_of_other_columns_or_documents_is_said(corpus: Path, tmp_path: Path) -> None:
    output = copy_of(corpus, tmp_path / "out")
    path = output / "features" / "part-00000.parquet"
    features = pq.read_table(path)
    pq.write_table(features.drop_columns(["symbol_fraction"]), path)
    result = call("what-if", str(output), "--set", "quality.symbol_fraction.max=0.3")
    assert "has no column 'symbol_fraction': the corpus was made by an older version" in result.stderr
    pq.write_table(features.slice(1), path)
    result = call("what-if", str(output), "--set", "quality.num_letters.min=800")
    assert "part-00000.parquet does not hold the documents of the stage before it" in result.stderr


def test_a_corpus_made_by_other_code_is_answered_with_a_warning(corpus: Path, tmp_path: Path) -> None:
    output = copy_of(corpus, tmp_path / "out")
    import duckdb

    with duckdb.connect(str(output / "manifest.duckdb")) as connection:
        connection.execute(
            "UPDATE units SET ingredients = json_merge_patch(ingredients, '{\"code\": \"old\"}') WHERE stage = 'pii'"
        )
    result = call("what-if", str(output), "--set", "quality.num_letters.min=800")
    assert result.exit_code == 0
    assert result.stderr == "not exact: made by other code or lists than now, so a run redoes it: pii\n"


def test_a_corpus_without_a_document_has_figures_of_zero(corpus: Path, tmp_path: Path) -> None:
    output = copy_of(corpus, tmp_path / "out", "quality.num_letters.min=1000000")
    outcome = outcome_of(output, "dedup.minimum_similarity=0.9", "hosts.minimum_pages=2")
    assert all(stage.then == Size(0, 0, 0) == stage.now for stage in outcome.stages[1:])
    back = stages_of(outcome_of(output, "quality.num_letters.min=400"))
    assert back["quality"].then == stages_of(outcome_of(corpus, "hosts.minimum_pages=2"))["quality"].now
    assert back["tokenize"].estimated


def test_signatures_of_an_earlier_corpus_must_be_of_one_kind(corpus: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    (earlier / "signatures").mkdir(parents=True)
    pq.write_table(pa.table({"doc_id": ["x"]}), earlier / "signatures" / "part-00000.parquet")
    config = read_manifest(str(corpus / "manifest.yaml")).dedup.model_copy(update={"against": (str(earlier),)})
    with pytest.raises(EarlierCorpusError, match="signed with other rows, bands or shingle"):
        list(earlier_groups(config))


def test_pages_that_would_come_in_and_are_taken_down_are_left_out(other_corpus: Path, tmp_path: Path) -> None:
    copy = copy_of(other_corpus, tmp_path / "copy")
    change = "quality.num_letters.max=900"
    manifest = read_manifest(str(copy / "manifest.yaml"), [change])
    with read_ledger(copy) as ledger:
        present = read_present(ledger, read_manifest(str(copy / "manifest.yaml")))
        pages, (before,) = what_if(present, [manifest])
        coming_in = [page for page in sample_pages(present, pages, before.fates, manifest, 1000) if page.change == "in"]
        assert stages_of(before)["removals"].then.documents > stages_of(before)["removals"].now.documents
        add_to_log(copy, [Entry("url", page.url) for page in coming_in], "remove", "asked", "a tester")
        pages, (after,) = what_if(present, [manifest])
        assert not [page for page in sample_pages(present, pages, after.fates, manifest, 1000) if page.change == "in"]
    stages = stages_of(after)
    assert stages["removals"].then == stages["removals"].now
    assert stages["pii"] == stages_of(before)["pii"]
