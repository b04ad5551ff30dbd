"""A manifest means the same from every folder."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.engine.runner import Listener
from pipeline.errors import UserError
from pipeline.manifest import read_manifest
from pipeline.operations.run import run
from pipeline.places import PATH_KEYS, SAMPLE_RECORDS, bundled_names, find_manifest, sample_pattern
from tests.conftest import ROOT, SAMPLE
from tests.pipeline.corpora import InThisProcess
from tests.pipeline.operations.runs import Recorder


@pytest.mark.parametrize("name", ["ja_web", "ja_web.yaml", "manifests/ja_web.yaml"])
def test_a_bundled_manifest_is_found_by_name_from_any_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_manifest(name) == ROOT / "manifests" / "ja_web.yaml"
    (tmp_path / "ja_web").mkdir()  # an output of that name hides nothing
    assert find_manifest(name) == ROOT / "manifests" / "ja_web.yaml"
    with pytest.raises(UserError, match="did you mean 'ja_web'"):
        find_manifest("ja_wep")


def test_all_bundled_manifests_are_valid() -> None:
    for name in bundled_names():
        assert read_manifest(name).output


def test_a_name_in_a_manifest_starts_at_its_folder_if_something_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, here = tmp_path / "project", tmp_path / "here"
    (project / "crawl").mkdir(parents=True)
    (project / "crawl" / "a.warc.gz").touch()
    (project / "words.txt").touch()
    (here / "lists").mkdir(parents=True)
    content = {"input": ["crawl/*.warc.gz", "other/*.jsonl"], "output": "out", "hosts": {"lists": "lists"}}
    (project / "m.yaml").write_text(yaml.safe_dump({**content, "measure": {"ng_expressions": "words.txt"}}))
    monkeypatch.chdir(here)
    manifest = read_manifest(str(project / "m.yaml"), ["measure.allowed_expressions=lists"], input=None)
    assert manifest.input == (str(project / "crawl/*.warc.gz"), "other/*.jsonl")
    assert manifest.output == "out"
    assert manifest.measure.ng_expressions == project / "words.txt"
    assert manifest.hosts.lists == str(here / "lists")
    assert manifest.measure.allowed_expressions == here / "lists"


def test_every_key_that_names_a_file_is_known_here() -> None:
    for key in PATH_KEYS:
        section = read_manifest("sample").model_dump()
        for name in key.split("."):
            section = section[name]


def test_the_manifest_of_a_corpus_means_that_corpus_wherever_it_is(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = shutil.copytree(corpus, tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    for name in ("moved/manifest.yaml", "moved"):
        manifest = read_manifest(name)
        assert Path(manifest.output).resolve() == moved
        recorder = Recorder()
        assert run(manifest, recorder, InThisProcess()).failed == []
        assert recorder.units == []
    shutil.copy(moved / "manifest.yaml", tmp_path / "mine.yaml")
    with pytest.raises(UserError, match="name a folder with --output"):
        read_manifest("mine.yaml")
    assert read_manifest("mine.yaml", output="new").output == "new"
    assert all(Path(name).is_absolute() for name in yaml.safe_load((moved / "manifest.yaml").read_text())["input"])


def test_a_run_without_inputs_is_the_sample_and_never_replaces_a_crawl(corpus: Path, tmp_path: Path) -> None:
    assert sum(1 for _ in (SAMPLE / "expected.tsv").open()) - 1 == SAMPLE_RECORDS
    manifest = read_manifest("ja_web", output=str(tmp_path / "out"))
    assert manifest.input == ()
    assert (manifest.tokenizer, manifest.tokenize) == (read_manifest("sample").tokenizer, read_manifest("sample").tokenize)
    assert read_manifest("ja_web", ["tokenizer.vocabulary=4000"]).tokenizer.vocabulary == 4000
    recorder = Recorder()
    assert run(manifest, recorder, InThisProcess()).failed == []
    said = f"no input named: building the bundled sample of {SAMPLE_RECORDS} records; name your crawl with --input"
    assert said in recorder.notes
    assert run(manifest, Listener(), InThisProcess()).done == 0

    crawl = shutil.copy(SAMPLE / "sample-00000.warc.gz", tmp_path / "crawl.warc.gz")
    small = read_manifest("sample", input=[str(crawl)], output=str(tmp_path / "crawl"))
    run(small, Listener(), InThisProcess())
    for flags in ([], ["--forget"]):
        result = CliRunner().invoke(main, ["run", "ja_web", "--output", str(tmp_path / "crawl"), *flags])
        assert result.exit_code == 2
        assert re.search(r"no input named, and .*crawl holds pages of 1 input: .*crawl.warc.gz; .*--input", result.stderr)


def test_the_sample_is_where_the_manifest_says() -> None:
    assert Path(read_manifest("sample").input[0]).resolve() == Path(sample_pattern()).resolve()


def test_an_own_manifest_without_inputs_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("output: x\n")
    with pytest.raises(UserError, match=r"the key 'input' is missing.*--input"):
        read_manifest(str(tmp_path / "m.yaml"))
