"""Fixtures: the bundled sample, built once for all tests that only read the result."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from pipeline.engine.runner import Listener
from pipeline.manifest import Manifest, read_manifest
from pipeline.operations.run import run

# The tests' models are small: a second thread gains nothing, and costs much if other programs run. torch reads this when it is
# imported, and so do processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

# If other programs hold the cores, an example may take any time; no test fails for that.
# The suite must stay short; HYPOTHESIS_PROFILE=thorough looks further.
settings.register_profile("patient", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "patient"))

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "sample"


def sample_manifest(output: Path, *changes: str, workers: int = 2, inputs: list[str] | None = None) -> Manifest:
    """The manifest of the bundled sample, with a shard size and a validation share that suit it; `inputs` instead of its own."""
    return read_manifest(
        str(ROOT / "manifests" / "sample.yaml"),
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
    """A folder for the library's examples: the sample, its corpus in `data`, and a training run in `runs/default`.

    Tests may add files but must not change any.
    """
    # Imported here because most tests need no torch.
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
