"""The command that scores a checkpoint."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from model.gpt import GPT
from model.weights import save_weights
from tests.trainer.conftest import WriteTokens, random_documents
from tests.trainer.run.test_evaluation import SHAPE, scored, scored_model
from trainer.checkpoints.folder import commit, writing
from trainer.evaluate import main


@pytest.fixture
def model() -> GPT:
    return scored_model()


def test_the_command_scores_each_source_of_a_checkpoint(model: GPT, write_tokens: WriteTokens, tmp_path: Path) -> None:
    with writing(tmp_path / "run", 3) as temporary:
        save_weights(temporary, SHAPE, model.state_dict())
        commit(temporary, 3, validation=None, permanent=False)
    folders = [
        write_tokens({"train": [random_documents(3)], "val": [random_documents(8, seed=seed)]}, name=f"source{seed}")
        for seed in (1, 2)
    ]
    shards = [option for folder in folders for option in ("--shards", str(folder))]
    result = CliRunner().invoke(main, [str(tmp_path / "run"), *shards, "--json"])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert "holds no tokenizer" in result.stderr
    assert [row["source"] for row in rows] == [str(folder) for folder in folders]
    for row, folder in zip(rows, folders, strict=True):
        assert row["loss"] == pytest.approx(scored(model, folder, 16).loss)
    shown = CliRunner().invoke(main, [str(tmp_path / "run"), *shards]).output
    assert "bits/byte" in shown


def test_the_command_says_what_is_wrong_in_one_line(model: GPT, write_tokens: WriteTokens, tmp_path: Path) -> None:
    folder = write_tokens({"train": [random_documents(3)], "val": [random_documents(3)]}, vocabulary=65)
    with writing(tmp_path / "run", 3) as temporary:
        save_weights(temporary, SHAPE, model.state_dict())
        commit(temporary, 3, validation=None, permanent=False)
    for options, message in (
        ([str(tmp_path / "nowhere"), "--shards", str(folder)], "there is no such folder"),
        ([str(tmp_path / "run"), "--shards", str(folder)], "65 ids, more than the 64"),
        ([str(tmp_path / "run"), "--shards", str(tmp_path / "run")], "is the folder of a training run"),
    ):
        result = CliRunner().invoke(main, options)
        assert result.exit_code == 1
        assert message in result.output.replace("\n", " ")
