"""What a folder is, when it is asked for a model."""

from pathlib import Path

import pytest

from tests.trainer.conftest import WriteTokens, random_documents
from trainer.checkpoints.models import model_folder
from trainer.errors import TrainerError


def test_folders_without_a_model_are_told_apart(write_tokens: WriteTokens, tmp_path: Path) -> None:
    write_tokens({"train": [random_documents(3)]}, name="corpus/tokens")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun/config.yaml").write_text("steps: 1\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name, message in (
        ("nowhere", "no such folder"),
        ("file", "is a file"),
        ("corpus", "holds token shards and no model"),
        ("corpus/tokens", "holds token shards and no model"),
        ("begun", "has no checkpoint yet"),
        ("empty", "neither a checkpoint nor a run"),
    ):
        with pytest.raises(TrainerError, match=rf"{name}: .*{message}.*runs"):
            model_folder(tmp_path / name)
