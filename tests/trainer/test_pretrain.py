"""The command as a user runs it, with real processes and real kills."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.tokens.dataset import TokenDataset
from pipeline.tokens.store import ShardInfo, write_dataset
from tests.conftest import ROOT
from tests.trainer.conftest import random_documents
from tests.trainer.machine.test_parallel import torchrun
from tests.trainer.small_runs import QUIET, arguments, losses, pretrain, refused, write_tokenized
from trainer.checkpoints.folder import checkpoints
from trainer.config import read_begun
from trainer.pretrain import main
from trainer.record.metrics import read_metrics
from trainer.record.window_losses import LOSSES_FILE, read_losses, recorded_sequences


def test_a_run_that_was_killed_goes_on_to_the_bit(shards: Path, whole: Path, tmp_path: Path) -> None:
    assert list(losses(whole)) == list(range(1, 21))
    # A separate process, killed as soon as it has recorded step 12, two steps after a checkpoint.
    killed = tmp_path / "killed"
    command = [sys.executable, "-u", "-m", "trainer.pretrain", *arguments(shards, killed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        wait_for_step(process, killed, 12)
        process.kill()
    assert checkpoints(killed)[-1].step in (10, 15)
    pretrain("--output", str(killed), "--resume")
    assert losses(killed) == losses(whole)
    ends = [(run / "checkpoints/step-00000020/model.safetensors").read_bytes() for run in (whole, killed)]
    assert ends[0] == ends[1]
    assert (killed / LOSSES_FILE).read_bytes() == (whole / LOSSES_FILE).read_bytes()


def test_a_run_killed_before_its_first_checkpoint_begins_anew_with_its_settings_and_says_so(
    shards: Path, whole: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    endless = arguments(shards, killed, "--steps", "100000", "--save-every", "100000")
    command = [sys.executable, "-u", "-m", "trainer.pretrain", *endless]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        wait_for_step(process, killed, 2)
        process.kill()
    assert not checkpoints(killed)
    assert "--resume to continue" in refused(*arguments(shards, killed))
    result = CliRunner().invoke(main, ["--output", str(killed), "--resume", "--steps", "20"])
    assert result.exit_code == 0, result.output
    assert "has no checkpoint yet: the run starts again" in " ".join(result.output.split())
    assert losses(killed) == losses(whole)
    assert (killed / LOSSES_FILE).read_bytes() == (whole / LOSSES_FILE).read_bytes()


def wait_for_step(process: subprocess.Popen[str], run: Path, step: int) -> None:
    """Wait until `process` has recorded the step."""
    record = run / "metrics.jsonl"
    while not (record.exists() and f'"step": {step},' in record.read_text()):
        assert process.poll() is None, process.communicate()


def test_the_way_that_a_step_is_cut_changes_no_loss(shards: Path, whole: Path, tmp_path: Path) -> None:
    pretrain(*arguments(shards, tmp_path / "pieces"), "--micro-batch-size", "1")
    pieces = losses(tmp_path / "pieces")
    for step, loss in losses(whole).items():
        assert pieces[step] == pytest.approx(loss, abs=1e-5), step


def test_a_run_of_two_ranks_with_sharded_state_goes_on_with_one(shards: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "moved"
    begun = torchrun(["-m", "trainer.pretrain", *arguments(shards, run, "--strategy", "fsdp")])
    assert begun.returncode == 0, begun.stderr[-3000:]
    two_ranks = losses(run)
    shutil.rmtree(run / "checkpoints/step-00000020")
    assert (run / "checkpoints/step-00000015/optimizer").is_dir()
    pretrain("--output", str(run), "--resume")
    for step, loss in losses(run).items():
        assert loss == pytest.approx(losses(whole)[step], abs=1e-5), step
        assert two_ranks[step] == pytest.approx(loss, abs=1e-5), step
    sequences = np.arange(20 * 4)
    assert read_losses(run, sequences).tolist() == pytest.approx(read_losses(whole, sequences).tolist(), abs=1e-4)


def test_an_epoch_trains_on_every_target_once(shards: Path, tmp_path: Path) -> None:
    options = [option for option in arguments(shards, tmp_path / "epoch") if option not in ("--steps", "20")]
    pretrain(*options, "--epochs", "1", "--batch-size", "7")
    last = read_metrics(tmp_path / "epoch")[-1]
    targets = TokenDataset.open(shards).split("train").tokens - 1
    assert last["tokens"] == targets
    # The last batch is incomplete, and its remaining rows are no sequences of the run.
    windows = -(-targets // 16)
    assert windows % 7
    assert recorded_sequences(tmp_path / "epoch") == windows
    assert np.isfinite(read_losses(tmp_path / "epoch", np.arange(windows))).all()


def test_a_signal_saves_and_ends_well(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "stopped"
    command = [sys.executable, "-u", "-m", "trainer.pretrain", *arguments(shards, run, "--steps", "100000")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        wait_for_step(process, run, 7)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "stopped by SIGTERM, at step" in output
    assert checkpoints(run)[-1].step == read_metrics(run)[-1]["step"]


def test_bad_numbers_in_a_row_stop_the_run_with_what_to_do(shards: Path, tmp_path: Path) -> None:
    hot = ["--schedule-peak", "1e30", "--skipped-steps", "3", "--clip-norm", "1e30"]
    message = refused(*arguments(shards, tmp_path / "hot", *hot))
    assert "3 steps in a row were skipped" in message
    assert "lower peak learning rate" in message
    rows = [row for row in read_metrics(tmp_path / "hot") if row["kind"] == "train"]
    assert [row["skipped"] for row in rows[-3:]] == [1, 1, 1]
    assert all(row["loss"] is None or row["gradient_norm"] is None for row in rows[-3:])


def test_early_stopping_ends_the_run(shards: Path, tmp_path: Path) -> None:
    options = ["--early-stopping", "2", "--schedule-peak", "1", "--validate-every", "1", "--steps", "500"]
    result = CliRunner().invoke(main, arguments(shards, tmp_path / "early", *options))
    assert result.exit_code == 0, result.output
    assert "stopped early" in result.output
    scores = [row["bits_per_byte"] for row in read_metrics(tmp_path / "early") if row["kind"] == "validation"]
    assert len(scores) < 500
    assert min(scores[-2:]) >= min(scores[:-2])


def test_checkpoints_are_kept_by_rule(shards: Path, tmp_path: Path) -> None:
    pretrain(*arguments(shards, tmp_path / "kept", "--keep-last", "1", "--keep-every", "10", "--validate-every", "0"))
    assert [checkpoint.step for checkpoint in checkpoints(tmp_path / "kept")] == [10, 20]


def test_what_a_run_leaves_can_be_read(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "read"
    samples = ["--sample-every", "20", "--sample-tokens", "5", "--sample-prompts", "ab"]
    pretrain(*arguments(shards, run, *samples, "--tensorboard"))
    rows = read_metrics(run)
    kinds = [row["kind"] for row in rows]
    assert (kinds.count("train"), kinds.count("validation"), kinds.count("sample")) == (20, 2, 1)
    assert rows[0]["bits_per_byte"] > 0
    assert rows[0]["peak_share"] > 0
    assert (run / "loss.svg").read_text().startswith("<?xml")
    assert any((run / "tensorboard").iterdir())
    assert json.loads((run / "checkpoints/step-00000020/training.json").read_text())["progress"]["step"] == 20


def test_a_folder_with_a_run_is_not_overwritten_and_a_finished_run_says_so(shards: Path, whole: Path) -> None:
    assert "--resume continues" in refused(*arguments(shards, whole))
    before = losses(whole)
    result = CliRunner().invoke(main, ["--output", str(whole), "--resume"])
    assert result.exit_code == 0, result.output
    assert "the run has its 20 steps" in result.output
    assert losses(whole) == before


def test_a_damaged_checkpoint_is_passed_over(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "damaged"
    shutil.copytree(whole, run)
    weights = checkpoints(run)[-1].path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    result = CliRunner().invoke(main, ["--output", str(run), "--resume"])
    assert result.exit_code == 0, result.output
    assert "model.safetensors" in result.output
    assert losses(run) == losses(whole)


def test_a_run_does_not_go_on_with_other_data_or_another_model(whole: Path, tmp_path: Path) -> None:
    go_on = ["--output", str(whole), "--resume", "--steps", "21"]
    assert "seed: the run has 0 and cannot continue with 1" in refused(*go_on, "--seed", "1")
    other = write_tokenized(tmp_path / "other", random_documents(30, seed=7, vocabulary=256))
    message = refused(*go_on, "--shards", str(other))
    assert "fingerprint" in message
    assert "--start-from" in message


def test_the_defaults_that_depend_on_shards_and_model_are_those_that_the_run_uses_and_records(
    shards: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    model = str(shards.parent / "shape.yaml")
    pretrain("--shards", str(shards), "--model", model, "--output", str(run), *QUIET, "--steps", "3")
    settings = read_begun(run)
    assert settings is not None
    rates = [row["learning_rate"] for row in read_metrics(run) if row["kind"] == "train"]
    assert settings["schedule"]["peak"] == max(rates) > 0
    assert settings["batch_size"] >= 1


def warmup_steps(run: Path) -> object:
    """The warm-up in the settings that a run recorded."""
    settings = read_begun(run)
    assert settings is not None
    return settings["schedule"]["warmup_steps"]


@pytest.mark.parametrize("length", [["--steps", "20"], ["--epochs", "0.1"], ["--steps", "2"]])
def test_a_short_run_needs_no_word_about_its_warm_up(shards: Path, tmp_path: Path, length: list[str]) -> None:
    model = str(shards.parent / "shape.yaml")
    pretrain("--shards", str(shards), "--model", model, "--output", str(tmp_path / "run"), *QUIET, *length)
    steps = len(losses(tmp_path / "run"))
    assert warmup_steps(tmp_path / "run") == steps // 10


def test_a_run_that_is_made_longer_does_not_warm_up_again(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    pretrain("--shards", str(shards), "--model", str(shards.parent / "shape.yaml"), "--output", str(run), *QUIET, "--steps", "10")
    pretrain("--output", str(run), "--resume", "--steps", "15")
    assert warmup_steps(run) == 1
    rates = [row["learning_rate"] for row in read_metrics(run) if row["kind"] == "train"]
    assert max(rates[10:]) < max(rates[:10])


def test_wrong_use_is_one_line_that_names_the_remedy(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "x"
    assert "--shards DIR" in refused("--output", str(run))
    assert "dataset.json is missing" in refused("--shards", str(tmp_path))
    assert "there is no such folder" in refused("--shards", str(tmp_path / "nowhere"))
    assert "--batch-size" in refused(*arguments(shards, run, "--batch-size", "0"))
    assert "set batch_size to 4 or 6" in refused(*arguments(shards, run, "--batch-size", "5", "--micro-batch-size", "2"))
    assert "modern-1m" in refused(*arguments(shards, run, "--model", "modern-2m"))
    assert "--schedule-warmup-steps" in refused(*arguments(shards, run, "--schedule-warmup-steps", "50"))
    assert "both given" in refused(*arguments(shards, run, "--tokens", "50"))
    assert "use a larger vocabulary_size" in refused(*arguments(shards, run, "--vocabulary-size", "100"))
    (tmp_path / "run.yaml").write_text("bach_size: 3\n")
    assert "did you mean 'batch_size'" in refused("--config", str(tmp_path / "run.yaml"), "--shards", str(shards))
    assert not (run / "metrics.jsonl").exists()


def test_an_empty_validation_split_says_how_to_do_without(shards: Path, tmp_path: Path) -> None:
    copy = tmp_path / "tokens"
    shutil.copytree(shards, copy)
    dataset = TokenDataset.open(copy)
    entries = [entry for entry in dataset.content["shards"] if entry["split"] == "train"]
    infos = [ShardInfo(*(entry[field.name] for field in fields(ShardInfo))) for entry in entries]
    write_dataset(copy, {"train": infos, "val": []}, dataset.meta)
    message = refused(*arguments(copy, tmp_path / "x", "--model", str(shards.parent / "shape.yaml")))
    assert "--validate-every 0" in message
    assert str(copy) in message


def test_a_full_disk_loses_nothing_and_says_where(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "full"
    # The limit on the size of files fails the weights of the second checkpoint, as a full disk would.
    program = (
        "import resource, signal, sys\n"
        "from trainer.pretrain import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "main()\n"
    )
    pretrain(*arguments(shards, run, "--steps", "5"))
    command = [sys.executable, "-c", program, "--output", str(run), "--resume", "--steps", "11", "--validate-every", "0"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 1
    assert "step-00000010: the checkpoint cannot be written" in ended.stdout
    assert "training continues" in ended.stdout
    assert "step-00000011: the checkpoint cannot be written" in ended.stderr
    assert "free disk space" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [checkpoint.step for checkpoint in checkpoints(run)] == [5]
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step-00000005"]
