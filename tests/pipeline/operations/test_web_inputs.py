"""A corpus from web inputs is that of the local files, whatever servers do, and its status needs no network."""

import shutil
from pathlib import Path

import pytest

from pipeline.engine.local import LocalExecutor
from pipeline.inputs.network import patience
from pipeline.manifest import Manifest, ManifestError, read_manifest
from pipeline.operations.guards import Choices
from pipeline.operations.run import run
from pipeline.operations.status import status_of
from tests.conftest import sample_manifest
from tests.pipeline.corpora import InThisProcess
from tests.pipeline.inputs.network.web_server import Faults, serving
from tests.pipeline.operations.runs import FILES, Recorder, build, fingerprint_of


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(patience, "STALL_SECONDS", 1.0)


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    folder = tmp_path / "crawl"
    folder.mkdir()
    for file in FILES:
        shutil.copy(file, folder)
    names = [Path(file).name for file in FILES]
    (folder / "warc.paths").write_text("\n".join(names))
    return folder


def manifest(output: Path, url: str) -> Manifest:
    return sample_manifest(output, f"paths_prefix={url}", inputs=[f"{url}warc.paths"])


def test_a_corpus_over_a_failing_network_is_the_corpus_of_the_local_files(tmp_path: Path, crawl: Path, corpus: Path) -> None:
    half = min(Path(file).stat().st_size for file in FILES) // 2
    with serving(crawl, Faults(cut=half, refusals=[(503, {"Retry-After": "0"}), (429, {})])) as server:
        wanted = manifest(tmp_path / "corpus", server.url)
        fingerprint, first = build(wanted)
        assert fingerprint == fingerprint_of(corpus)
        assert ("inputs", f"{len(FILES)} of {len(FILES)}") in first.units
        asked = server.asked.total()
        _, second = build(wanted)
        assert second.units == []
        assert server.asked.total() == asked
        run(wanted, Recorder(), InThisProcess(), Choices(refresh=True))
        assert server.asked.total() == asked + len(FILES) + 1
    # The server is away.
    assert all(state["done"] == state["units"] for state in status_of(wanted))


def test_a_missing_file_of_a_list_is_a_failed_unit(tmp_path: Path, crawl: Path) -> None:
    (crawl / "warc.paths").write_text("none.warc.gz\n")
    with serving(crawl) as server:
        report = run(manifest(tmp_path / "corpus", server.url), Recorder(), LocalExecutor(1))
    assert [(stage, part) for stage, part, _ in report.failed] == [("extract", "part-00000")]
    assert report.failed[0][2] == f"{server.url}none.warc.gz: 404 not found"


def test_a_corpus_is_not_built_in_a_store() -> None:
    with pytest.raises(ManifestError, match=r"output.*folder of this machine"):
        read_manifest("manifests/ja_web.yaml", output="s3://bucket/corpus")
