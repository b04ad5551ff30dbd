"""The sample's corpus under other settings, built once for the tests that compare two corpora."""

from pathlib import Path

import pytest

from tests.pipeline.corpora import copy_of

OTHER_SETTINGS = ("quality.num_letters.max=700", "dedup.minimum_similarity=0.9", "dedup.survivor=longest")


@pytest.fixture(scope="session")
def other_corpus(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's corpus, built again under `OTHER_SETTINGS`; tests must not change it."""
    return copy_of(corpus, tmp_path_factory.mktemp("other") / "out", *OTHER_SETTINGS)
