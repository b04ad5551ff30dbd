"""The bundled sample, built once for all tests that only look at the result."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from pipeline.engine.runner import Listener
from pipeline.manifest import Manifest, read_manifest
from pipeline.operations.run import run

# The models of the tests are small: a second thread gains nothing, and costs much where other programs run. Read by torch
# when it is imported, and by the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

# Where other programs hold the cores, an example takes as long as they let it: no test fails for that.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "sample"


def sample_manifest(output: Path, *changes: str, workers: int = 2, inputs: list[str] | None = None) -> Manifest:
    """The default manifest on the bundled sample, with shards and a validation split that suit its size."""
    return read_manifest(
        str(ROOT / "manifests" / "ja_web.yaml"),
        ["tokenize.shard_tokens=20000", "tokenize.validation_share=0.1", *changes],
        input=inputs or [str(SAMPLE / "*.warc.gz")],
        output=str(output),
        workers=workers,
    )


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's corpus; tests must not change it."""
    output = tmp_path_factory.mktemp("corpus") / "out"
    report = run(sample_manifest(output), Listener())
    assert report.failed == []
    return output
