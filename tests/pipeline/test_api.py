"""The library as a newcomer meets it: its examples, the cost of importing it, and its messages about mistakes."""

import doctest
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq
import pytest

import pipeline
from pipeline.api import corpora, texts
from pipeline.extract.config import DOCUMENT_SCHEMA
from pipeline.measure.table import MEASURES
from tests.conftest import ROOT, SAMPLE

MANIFEST = ROOT / "manifests" / "ja_web.yaml"
PROSE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"


@pytest.fixture(scope="module")
def open_sample(corpus: Path) -> pipeline.Corpus:
    """The sample's corpus, opened."""
    return pipeline.open_corpus(corpus)


def run(program: str) -> str:
    """What a program prints when run in a new process."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("module", [texts, corpora])
def test_the_examples_of_the_docstrings_run(checkout: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    monkeypatch.chdir(checkout)
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted >= 3


def test_every_function_has_an_example() -> None:
    functions = [name for name in pipeline.__all__ if name.islower()]
    assert [name for name in functions if ">>>" not in (getattr(pipeline, name).__doc__ or "")] == []


def test_importing_the_package_loads_and_changes_nothing() -> None:
    heavy = ("numba", "numpy", "pyarrow", "duckdb", "pydantic", "pipeline.api", "pipeline.manifest")
    assert run(f"import sys, pipeline; print([name for name in {heavy} if name in sys.modules])") == "[]\n"


def test_work_on_texts_loads_no_database() -> None:
    assert run("import sys; from pipeline import clean_text; print('duckdb' in sys.modules)") == "False\n"


def test_the_names_are_there_and_hide_no_module() -> None:
    assert sorted(pipeline.__all__) == pipeline.__all__
    assert set(pipeline.__all__) <= set(dir(pipeline))
    assert not set(pipeline.__all__) & {module.name for module in pkgutil.iter_modules(pipeline.__path__)}
    unknown = "nothing"
    with pytest.raises(AttributeError, match="module 'pipeline' has no attribute 'nothing'"):
        getattr(pipeline, unknown)


def test_the_text_of_a_warc_is_that_of_the_corpus(corpus: Path) -> None:
    records = list(pipeline.extract_warc((SAMPLE / "sample-00000.warc.gz").read_bytes()))
    table = pq.read_table(corpus / "documents", columns=["doc_id", "text", "title", "charset", "warc_file"])
    rows = [row for row in table.to_pylist() if row["warc_file"].endswith("sample-00000.warc.gz")]
    kept = [record for record in records if record.kept]
    assert [(record.doc_id, record.text, record.title, record.charset) for record in kept] == [
        (row["doc_id"], row["text"], row["title"], row["charset"]) for row in rows
    ]
    assert all(record.rule and not record.text for record in records if not record.kept)


def test_measures_and_verdicts_are_those_of_the_corpus(open_sample: pipeline.Corpus) -> None:
    names = [measure.name for measure in MEASURES]
    rows = open_sample.sql("SELECT * FROM documents JOIN measured USING (part, doc_id) LIMIT 20").to_pylist()
    broken = {row["doc_id"]: row["failed"] for row in open_sample.sql("FROM verdicts WHERE stage = 'quality'").to_pylist()}
    for row in rows:
        measures = pipeline.measure_text(row["text"])
        assert measures == {name: row[name] for name in names}
        assert [failure.rule for failure in pipeline.judge_measures(measures).failures] == broken[row["doc_id"]]


def test_the_final_texts_are_extracted_ones_cleaned_and_masked(open_sample: pipeline.Corpus) -> None:
    final = {row["doc_id"]: row["text"] for table in open_sample.documents() for row in table.to_pylist()}
    rows = open_sample.sql("SELECT doc_id, text FROM documents JOIN pages USING (part, doc_id) WHERE kept").to_pylist()
    assert len(final) == len(rows)
    with_edits = [row for row in rows if row["text"] != final[row["doc_id"]]]
    only_cleaned = [row for row in with_edits if not pipeline.find_personal_data(row["text"])]
    only_masked = [row for row in with_edits if not pipeline.cleaning_edits(row["text"])]
    assert only_cleaned
    assert only_masked
    assert all(pipeline.clean_text(row["text"]) == final[row["doc_id"]] for row in only_cleaned)
    assert all(pipeline.mask_personal_data(row["text"]) == final[row["doc_id"]] for row in only_masked)


def test_tables_of_a_corpus(open_sample: pipeline.Corpus) -> None:
    assert open_sample.yields()["docs_out"].to_pylist()[-1] == sum(table.num_rows for table in open_sample.documents())
    pages = open_sample.pages()
    assert "text" not in pages.column_names
    assert set(DOCUMENT_SCHEMA.names) - {"text"} <= set(pages.column_names)
    assert open_sample.sql("SELECT ? AS a, ? AS b", 1, "猫").to_pylist() == [{"a": 1, "b": "猫"}]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pipeline.measure_text(""), "text is empty"),
        (lambda: pipeline.decode_bytes(b""), "content is empty"),
        (lambda: pipeline.clean_text("猫\ud800"), "lone surrogate at position 1"),
        (lambda: pipeline.sign_text("猫 です"), "fewer than 5 characters"),
        (lambda: pipeline.judge_text(PROSE, "swalow_paper"), "did you mean 'swallow_paper'"),
        (lambda: pipeline.judge_text(PROSE, bounds={"num_leters": None}), "did you mean 'num_letters'"),
        (lambda: pipeline.judge_text(PROSE, bounds={"num_letters": {"minimum": 3}}), "did you mean 'min'"),
        (lambda: pipeline.judge_text(PROSE, bounds={"profile": None}), "by the argument `profile`"),
        (lambda: pipeline.judge_measures({"num_letters": 3}), "was not measured"),
        (lambda: pipeline.find_personal_data(PROSE, ["emial"]), "did you mean 'email'"),
        (lambda: pipeline.find_personal_data(PROSE, "emial"), "did you mean 'email'"),
        (lambda: pipeline.clean_text(PROSE, ["footr"]), "did you mean 'footer'"),
        (lambda: pipeline.compare_signatures(pipeline.sign_text(PROSE), pipeline.sign_text(PROSE)[:20]), "have one shape"),
        (lambda: list(pipeline.extract_warc(b"hello")), "no WARC record"),
        (lambda: pipeline.open_corpus("/no/such/folder"), "/no/such/folder holds no corpus"),
        (lambda: pipeline.open_corpus(""), "the name of the folder is empty"),
        (lambda: pipeline.build_corpus("/no/such.yaml"), "/no/such.yaml: No such file"),
        (
            lambda: pipeline.build_corpus(ROOT / "manifests" / "ja_web.yaml", "quality.num_leters.min=3"),
            "did you mean 'num_letters'",
        ),
        (lambda: pipeline.build_corpus(ROOT / "manifests" / "ja_web.yaml", inputs=["/no/such.warc"]), "matches no file"),
    ],
)
def test_a_mistake_is_one_error_with_the_remedy(call: Callable[[], object], message: str) -> None:
    with pytest.raises(pipeline.UserError, match=message.replace("(", "\\(")):
        call()


@pytest.mark.parametrize(
    "function",
    [
        pipeline.extract_html,
        pipeline.identify_language,
        pipeline.measure_text,
        pipeline.judge_text,
        pipeline.find_personal_data,
        pipeline.mask_personal_data,
        pipeline.cleaning_edits,
        pipeline.clean_text,
        pipeline.sign_text,
    ],
)
def test_bytes_are_no_text(function: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match=r"must be a str, not bytes; decode_bytes\(...\).text makes one of bytes"):
        function("猫です。".encode())


@pytest.mark.parametrize("function", [pipeline.decode_bytes, pipeline.extract_warc])
def test_a_text_is_no_bytes(function: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="must be bytes, not str"):
        function(PROSE)


def test_a_query_that_cannot_be_answered_is_the_users(open_sample: pipeline.Corpus) -> None:
    with pytest.raises(pipeline.UserError, match="nowhere"):
        open_sample.sql("FROM nowhere")
    with pytest.raises(pipeline.UserError, match="has no answer"):
        open_sample.sql("-- a question is still to be written")


def test_a_closed_corpus_says_so(corpus: Path) -> None:
    with pipeline.open_corpus(corpus) as closed:
        pass
    closed.close()
    with pytest.raises(pipeline.UserError, match="is closed; open it again"):
        closed.yields()


def test_a_corpus_that_is_open_blocks_no_run_and_shows_the_new_one_when_opened_again(checkout: Path) -> None:
    manifest = checkout / "data" / "manifest.yaml"
    with pipeline.open_corpus(checkout / "data") as before:
        runs = before.sql("SELECT count(*) AS n FROM runs")["n"][0].as_py()
        pipeline.build_corpus(manifest, inputs=[str(SAMPLE / "*.warc.gz")], output=checkout / "data")
        assert before.sql("SELECT count(*) AS n FROM runs")["n"][0].as_py() == runs
        with pipeline.open_corpus(checkout / "data") as after:
            assert after.sql("SELECT count(*) AS n FROM runs")["n"][0].as_py() == runs + 1
