"""The command line as a user meets it: what it prints, and its exit status."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.flow import COUNTED, JUDGING
from tests.conftest import ROOT, SAMPLE

MANIFEST = str(ROOT / "manifests" / "sample.yaml")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_run_prints_the_yield_and_a_second_run_does_nothing(corpus: Path, tmp_path: Path) -> None:
    output = shutil.copytree(corpus, tmp_path / "out")
    settings = ["tokenize.shard_tokens=20000", "tokenize.validation_share=0.1"]
    sets = [f"--set={setting}" for setting in settings]
    result = call("run", MANIFEST, "--output", str(output), "--input", str(SAMPLE / "*.warc.gz"), *sets)
    assert result.exit_code == 0, result.output
    assert "0 units done, 0 failed" in result.stdout
    assert result.stdout.startswith("stage")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "qualty.num_letters.min=3"], "unknown key 'qualty'; did you mean 'quality'?"),
        (["--set", "quality.num_leters.min=3"], "did you mean 'num_letters'?"),
        (["--set", "quality.num_letters.minimum=3"], "did you mean 'min'?"),
        (["--set", "extract.extractor=beautifulsoup"], "extract.extractor: Input should be 'auto'"),
        (["--set", "dedup.rows=many"], "dedup.rows: Input should be a valid integer"),
        (["--set", "dedup.rows"], "write section.key=value"),
        (["--set", "output.folder=x"], "'output' is a single value"),
        (["--input", "nowhere/*.warc.gz"], "'nowhere/*.warc.gz' matches no file"),
        (["--set", "measure.ng_expressions=/no/such/list.txt"], "/no/such/list.txt"),
        (["--set", "hosts.lists=/no/such/folder"], "/no/such/folder"),
        (["--set", "tokenizer.model=/no/such.model"], "/no/such.model"),
        (["--set", "dedup.against=[/no/such/corpus]"], "/no/such/corpus holds no corpus"),
    ],
)
def test_wrong_use_is_one_line_with_the_key_and_the_remedy(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = call("run", MANIFEST, "--output", str(tmp_path / "out"), "--input", str(SAMPLE / "*.warc.gz"), *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("input: [a", "is not YAML"),
        ("- a\n- b\n", "a manifest is a mapping"),
        ("output: x\n", "the key 'input' is missing"),
        ("input: x\ndedup:\n  band: 3\n", "unknown key 'dedup.band'; did you mean 'bands'?"),
    ],
)
def test_a_wrong_manifest_is_said_with_its_file(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(content)
    result = call("run", str(path))
    assert result.exit_code == 2
    assert str(path) in result.stderr
    assert message in result.stderr


def test_a_missing_manifest_is_said() -> None:
    result = call("run", "manifests/none.yaml")
    assert result.exit_code == 2
    assert "manifests/none.yaml: No such file" in result.stderr


@pytest.mark.parametrize("command", [["yield"], ["explain", "x"], ["sql", "SELECT 1"], ["export"]])
def test_a_folder_without_a_corpus_is_said(tmp_path: Path, command: list[str]) -> None:
    result = call(command[0], str(tmp_path), *command[1:])
    assert result.exit_code == 2
    assert "holds no corpus" in result.stderr


def test_yield_as_json_gives_each_stage_with_its_rules(corpus: Path) -> None:
    rows = [json.loads(line) for line in call("yield", str(corpus), "--json").stdout.splitlines()]
    assert [row["stage"] for row in rows] == list(COUNTED)
    for row in rows[1:]:
        assert row["docs_in"] == row["docs_out"] + sum(rule["docs"] for rule in row["rules"])
        assert row["tokens_in"] >= row["tokens_out"] > 0


def test_explain_tells_the_story_of_a_kept_page_and_of_a_dropped_one(corpus: Path) -> None:
    url = call("sql", str(corpus), "SELECT url FROM fates WHERE kept ORDER BY url LIMIT 1").stdout.splitlines()[-1]
    story = json.loads(call("explain", str(corpus), url, "--json").stdout)
    assert story["record"]["url"] == url
    assert story["record"]["warc_file"].endswith(".warc.gz")
    assert [verdict["stage"] for verdict in story["verdicts"]] == list(JUDGING)
    assert story["measured"]["num_letters"] >= 400
    assert (corpus / "tokens" / story["shard"]["file"]).exists()
    by_id = json.loads(call("explain", str(corpus), story["record"]["doc_id"], "--json").stdout)
    assert by_id == story

    dropped = call("sql", str(corpus), "SELECT url FROM fates WHERE rule = 'katakana_fraction'").stdout.splitlines()[-1]
    text = call("explain", str(corpus), dropped).stdout
    assert "dropped by quality: katakana_fraction" in text
    assert "threshold 0.5" in text


def test_explain_of_an_unknown_page_says_how_to_look(corpus: Path) -> None:
    result = call("explain", str(corpus), "https://nowhere.example/")
    assert result.exit_code == 2
    assert "no record of 'https://nowhere.example/'" in result.stderr


def test_sql_answers_and_a_wrong_query_is_the_users(corpus: Path) -> None:
    rows = [json.loads(line) for line in call("sql", str(corpus), "SELECT 1 AS a, '日本' AS b", "--json").stdout.splitlines()]
    assert rows == [{"a": 1, "b": "日本"}]
    wrong = call("sql", str(corpus), "SELECT nothing FROM nowhere")
    assert wrong.exit_code == 2
    assert "nowhere" in wrong.stderr


def test_status_says_what_a_setting_would_make_stale_and_why(corpus: Path) -> None:
    assert "stale" not in call("status", str(corpus)).stdout
    states = json.loads(call("status", str(corpus), "--set", "quality.num_letters.min=300", "--json").stdout)
    stale = {state["stage"]: state["stale"] for state in states if state["stale"]}
    assert list(stale) == ["quality"]
    assert set(stale["quality"].values()) == {"num_letters: None -> {'min': 300.0}"}
    assert all("quality" in state["waits_for"] for state in states[3:])


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_export_writes_the_final_texts(corpus: Path, tmp_path: Path, form: str) -> None:
    result = call("export", str(corpus), "--format", form, "--to", str(tmp_path))
    assert result.exit_code == 0, result.output
    rows = []
    for path in sorted(tmp_path.iterdir()):
        if form == "parquet":
            rows += pq.read_table(path).to_pylist()
        else:
            rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kept = json.loads(call("yield", str(corpus), "--json").stdout.splitlines()[-1])
    assert len(rows) == kept["docs_out"]
    assert sum(len(row["text"]) for row in rows) == kept["chars_out"]
    assert not any("sample@" in row["text"] for row in rows)


def test_help_of_each_command_explains_it() -> None:
    for command in ("run", "status", "yield", "explain", "sql", "export"):
        result = call(command, "--help")
        assert result.exit_code == 0
        assert len(result.stdout.splitlines()) > 4


def test_the_command_line_is_importable_without_heavy_modules() -> None:
    code = "import sys, pipeline.cli; print([m for m in ('numba', 'pyarrow', 'duckdb', 'pydantic', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_failed_input_stops_the_run_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "old.warc.gz").write_bytes(b"filedesc://old.arc 0.0.0.0 20060101 text/plain 10\n")
    result = call("run", MANIFEST, "--output", str(tmp_path / "out"), "--input", str(tmp_path / "old.warc.gz"))
    assert result.exit_code == 1
    assert "failed: extract part-00000: " in result.stderr
    assert "stopped before tokenizer" in result.stderr
    assert "--allow-failed" in result.stderr
