"""What the command makes of the folders, models and terminals it is given."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from model.export import export_checkpoint
from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.training import train_tokenizer
from tests.trainer.conftest import random_documents, write_token_dataset
from tests.trainer.small_runs import QUIET, arguments, losses, pretrain, refused
from tests.trainer.tokenizers import byte_tokenizer
from trainer.config import read_begun
from trainer.evaluate import main as evaluate
from trainer.pretrain import main
from trainer.record.metrics import read_metrics


def test_a_folder_that_holds_no_shards_is_told_what_it_is(shards: Path, whole: Path, tmp_path: Path) -> None:
    (tmp_path / "begun/tokens").mkdir(parents=True)
    (tmp_path / "begun/manifest.yaml").write_text("input: []\n")
    for folder in (tmp_path / "begun", tmp_path / "begun/tokens"):
        message = refused("--shards", str(folder), "--output", str(tmp_path / "x"))
        assert f"run the pipeline to its end: python -m pipeline run {tmp_path / 'begun/manifest.yaml'}" in message
    assert "is the folder of a training run" in refused("--shards", str(whole), "--output", str(tmp_path / "x"))
    assert "is a file" in refused("--shards", str(shards / "dataset.json"), "--output", str(tmp_path / "x"))


def test_the_folder_of_a_corpus_is_taken_for_its_shards_with_a_word(shards: Path, tmp_path: Path) -> None:
    options = ["--shards", str(shards.parent), "--model", str(shards.parent / "shape.yaml"), "--output", str(tmp_path / "run")]
    result = CliRunner().invoke(main, [*options, *QUIET, "--steps", "1"])
    assert result.exit_code == 0, result.output
    assert f"is a corpus: its shards in {shards} are used" in result.output.replace("\n", " ")


def test_there_must_be_a_run_to_resume(shards: Path, whole: Path) -> None:
    nowhere = whole.parent / "nowhere"
    message = refused("--resume", "--output", str(nowhere))
    assert "no run to resume" in message
    assert "has whole" in message or ", whole" in message
    assert "no run to resume" in refused(*arguments(shards, nowhere, "--resume"))
    assert not nowhere.exists()


def test_a_run_is_not_made_shorter_than_it_is(whole: Path) -> None:
    before = (whole / "config.yaml").read_bytes()
    assert "has done 20 steps" in refused("--output", str(whole), "--resume", "--steps", "12")
    assert (whole / "config.yaml").read_bytes() == before


def test_a_run_goes_on_from_another_current_folder(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shards.parent)
    options = ["--shards", "tokens", "--model", "shape.yaml", "--output", str(tmp_path / "run"), *QUIET]
    pretrain(*options, "--steps", "2")
    settings = read_begun(tmp_path / "run")
    assert settings is not None
    assert (settings["shards"][0]["path"], settings["shards"][0]["name"]) == (str(shards), "tokens")
    assert settings["output"] == str(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    pretrain("--resume", "--output", "run", "--steps", "3")
    assert list(losses(tmp_path / "run")) == [1, 2, 3]


def test_a_damaged_shard_is_refused_before_the_first_step(shards: Path, tmp_path: Path) -> None:
    copy = tmp_path / "tokens"
    shutil.copytree(shards, copy)
    path = copy / "train-00001.arrow"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    path.write_bytes(content)
    message = refused(*arguments(copy, tmp_path / "run", "--model", str(shards.parent / "shape.yaml")))
    assert "train-00001.arrow" in message
    assert "SHA-256" in message
    assert not (tmp_path / "run/metrics.jsonl").exists()


def test_weights_of_another_tokenizer_are_refused(whole: Path, tmp_path: Path) -> None:
    other = train_tokenizer(
        ["another corpus with other words, another and another"] * 3, TokenizerConfig(kind="bpe", vocabulary=270)
    )
    folder = write_token_dataset(
        tmp_path / "tokens",
        {"train": [random_documents(20)], "val": [random_documents(5)]},
        vocabulary=other.vocabulary_size,
        tokenizer_sha256=other.digest,
        delimiter_id=other.delimiter_id,
    )
    other.save(folder / "tokenizer")
    exported = tmp_path / "exported"
    export_checkpoint(whole, exported)
    for start in (whole, exported):
        message = refused("--shards", str(folder), "--output", str(tmp_path / "run"), "--start-from", str(start), "--steps", "2")
        assert other.digest[:12] in message
        assert byte_tokenizer().digest[:12] in message
        assert "tokenizer.model" in message
        result = CliRunner().invoke(evaluate, [str(start), "--shards", str(folder)])
        assert result.exit_code == 1
        assert other.digest[:12] in result.output
    assert not (tmp_path / "run/metrics.jsonl").exists()


def test_an_exported_model_is_evaluated_as_its_checkpoint_is(shards: Path, whole: Path, tmp_path: Path) -> None:
    export_checkpoint(whole, tmp_path / "exported")
    outputs = [
        CliRunner().invoke(evaluate, [str(folder), "--shards", str(shards), "--json"])
        for folder in (whole, tmp_path / "exported")
    ]
    assert [output.exit_code for output in outputs] == [0, 0], outputs
    first, second = (json.loads(output.stdout) for output in outputs)
    assert first["loss"] == pytest.approx(second["loss"], rel=1e-6)


def test_a_dry_run_says_what_a_run_takes_and_writes_nothing(shards: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, arguments(shards, tmp_path / "run", "--dry-run"))
    assert result.exit_code == 0, result.output
    for words in ("parameters", "weights", "gradients", "optimizer", "activations", "20 steps", "tokens/s (measured", "hours"):
        assert words in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "euc_jp", "cp932"])
def test_an_encoding_that_lacks_characters_does_not_end_a_run(
    shards: Path, tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    samples = ["--sample-every", "1", "--sample-tokens", "5", "--sample-prompts", "é한글 · 東京\x1b[2J"]
    options = arguments(shards, tmp_path / "run", "--steps", "2", "--schedule-warmup-steps", "0", *samples)
    main(options, standalone_mode=False)
    stream.flush()
    shown = stream.buffer.getvalue().decode(encoding)
    assert "?" in shown
    assert "\x1b" not in shown
    assert [row["kind"] for row in read_metrics(tmp_path / "run")].count("sample") == 2
