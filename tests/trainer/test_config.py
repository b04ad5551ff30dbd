"""Configurations from files and flags, and the messages for invalid ones."""

from pathlib import Path

import pytest

from trainer.config import PretrainConfig, ShardsConfig, output_folder, read_configuration
from trainer.errors import TrainerError


def test_flags_go_over_the_file_and_the_file_over_what_a_run_had(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("shards: [data/a]\nbatch_size: 8\nseed: 5\nschedule: {kind: linear, peak: 0.002}\n")
    base = read_configuration(None, {"shards": ("data/b",), "seed": 1, "weight_decay": 0.5}).model_dump(mode="json")
    config = read_configuration(str(file), {"batch_size": 32, "schedule_kind": "wsd", "steps": None, "sample_prompts": ()}, base)
    assert config.shards == (ShardsConfig(path="data/a"),)
    assert (config.batch_size, config.seed, config.weight_decay) == (32, 5, 0.5)
    assert (config.schedule.kind, config.schedule.peak, config.schedule.warmup_steps) == ("wsd", 0.002, None)


def test_a_length_in_another_unit_replaces_the_one_before() -> None:
    base = read_configuration(None, {"shards": ("data",), "epochs": 2.0}).model_dump(mode="json")
    config = read_configuration(None, {"steps": 10}, base)
    assert (config.steps, config.epochs, config.tokens) == (10, None, None)


def test_shards_are_a_folder_or_a_folder_and_a_weight(tmp_path: Path) -> None:
    config = read_configuration(None, {"shards": ("data/ja:0.9", "data/en:0.1")})
    assert [(shards.path, shards.weight) for shards in config.shards] == [("data/ja", 0.9), ("data/en", 0.1)]
    odd = read_configuration(None, {"shards": ("data/a:b",)})
    assert odd.shards[0].path == "data/a:b"
    file = tmp_path / "mix.yaml"
    file.write_text("shards:\n- {path: data/ja, weight: 3, max_epochs: 4}\n- data/en:1\n")
    assert read_configuration(str(file), {}).shards[0].max_epochs == 4
    with pytest.raises(TrainerError, match="some shards have a weight and some have none"):
        read_configuration(None, {"shards": ("data/ja:0.9", "data/en")})


def test_what_is_stored_reads_back_as_it_was() -> None:
    config = read_configuration(None, {"shards": ("data/ja:0.9",), "tokens": 5, "schedule_milestones": (0.5,)})
    assert PretrainConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "a configuration is a mapping"),
        ("a: [\n", "is not YAML"),
        ("shards: [d]\nbatchsize: 3\n", "unknown key 'batchsize'; did you mean 'batch_size'"),
        ("shards: [d]\nschedule: {pek: 3}\n", "unknown key 'schedule.pek'; did you mean 'peak'"),
        ("shards: [d]\nbatch_size: 0\n", r"batch_size: .* \(got 0\)"),
        ("shards: [d]\ntokens: 5\nepochs: 1\n", "tokens and epochs are both given"),
        ("batch_size: 1\n", "give --shards DIR"),
    ],
)
def test_faults_name_the_file_the_key_and_the_remedy(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(TrainerError, match=message):
        read_configuration(str(file), {})


def test_a_missing_file_is_named() -> None:
    with pytest.raises(TrainerError, match=r"nowhere\.yaml: No such file"):
        read_configuration("nowhere.yaml", {})


def test_the_folder_of_a_run_is_known_before_its_configuration(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("output: runs/file\n")
    assert output_folder(None, {"output": None}) == Path("runs/default")
    assert output_folder(str(file), {"output": None}) == Path("runs/file")
    assert output_folder(str(file), {"output": "runs/flag"}) == Path("runs/flag")
