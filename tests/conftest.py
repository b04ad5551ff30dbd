"""The bundled sample, built once for all tests that only look at the result."""

import os
import shutil
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


@pytest.fixture(scope="session")
def checkout(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder such as the library's examples are run in: the sample, its corpus in `data`, and a trained run in `runs/default`.

    Tests may add files to it and change none.
    """
    # Imported here: most tests need no torch.
    from model.gpt import GPT
    from pipeline.tokens.opening import load_tokenizer
    from tests.model.checkpoint_folders import write_checkpoint
    from tests.model.test_gpt import TINY

    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(corpus, folder / "data")
    (folder / "data" / "sample").symlink_to(SAMPLE)
    (folder / "manifests").symlink_to(ROOT / "manifests")
    tokenizer = load_tokenizer(corpus / "tokens" / "tokenizer")
    model = GPT(TINY.model_copy(update={"vocabulary_size": tokenizer.vocabulary_size}))
    write_checkpoint(folder / "runs" / "default", model, tokenizer)
    return folder
