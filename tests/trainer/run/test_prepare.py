"""A prepared run: its length, its model, and the lock of its folder."""

from pathlib import Path

import pytest
import torch
import yaml

from model.gpt import GPT
from model.hugging_face.folder import write_hugging_face
from model.initialization import initialize
from model.presets import preset
from tests.trainer.conftest import random_documents
from tests.trainer.optimization.test_step import PARALLEL
from tests.trainer.small_runs import write_tokenized
from trainer.checkpoints.state import Progress
from trainer.config import PretrainConfig
from trainer.data.order import Dataset, Order
from trainer.errors import TrainerError
from trainer.run.prepare import default_peak, held, length, prepare

ORDER = Order([Dataset("a", 90, 90), Dataset("b", 10, 10)], seed=0)


@pytest.mark.parametrize(
    ("given", "progress", "expected"),
    [
        ({"steps": 7}, Progress(), (56, 7)),
        ({"epochs": 1}, Progress(), (100, 13)),
        ({"epochs": 0.5}, Progress(), (50, 7)),
        ({"tokens": 1000}, Progress(), (63, 8)),
        ({}, Progress(), (800, 100)),
        # Resumed with another batch size, after 40 sequences in 10 steps of 4.
        ({"steps": 12}, Progress(step=10, sequences=40), (56, 12)),
        ({"epochs": 1}, Progress(step=10, sequences=40), (100, 18)),
        ({"steps": 10}, Progress(step=10, sequences=40), (40, 10)),
    ],
)
def test_the_length_of_a_run_in_sequences_and_steps(
    given: dict[str, float], progress: Progress, expected: tuple[int, int]
) -> None:
    config = PretrainConfig.model_validate({"shards": ["x"], "batch_size": 8, **given})
    assert length(config, progress, ORDER, 16) == expected


@pytest.mark.parametrize("given", [{"steps": 9}, {"epochs": 0.3}, {"tokens": 600}])
def test_a_length_that_a_run_has_passed_is_refused(given: dict[str, float]) -> None:
    config = PretrainConfig.model_validate({"shards": ["x"], "batch_size": 8, **given})
    with pytest.raises(TrainerError, match=rf"has done 10 steps .* larger --{next(iter(given))}"):
        length(config, Progress(step=10, sequences=40), ORDER, 16)


def test_without_a_length_a_large_corpus_gets_two_million_tokens() -> None:
    order = Order([Dataset("a", 10**6, 10**6)], seed=0)
    assert length(PretrainConfig.model_validate({"shards": ["x"]}), Progress(), order, 1000) == (2000, 125)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenized(tmp_path_factory.mktemp("run") / "tokens", random_documents(60, vocabulary=256))


def config_of(shards: Path, **changes: object) -> PretrainConfig:
    return PretrainConfig.model_validate(
        {"shards": [str(shards)], "steps": 3, "schedule": {"warmup_steps": 1}, "context_length": 16, **changes}
    )


def test_a_presets_vocabulary_is_that_of_the_shards_unless_told_otherwise(shards: Path) -> None:
    run = prepare(config_of(shards), None, PARALLEL)
    assert run.model.config == preset("modern-1m", context_length=16, vocabulary_size=run.sources.meta.vocabulary_size)
    larger = prepare(config_of(shards, vocabulary_size=320, dropout=0.2), None, PARALLEL)
    assert (larger.model.config.vocabulary_size, larger.model.config.dropout) == (320, 0.2)
    assert larger.computation.dropout_seed == 0
    assert run.computation.dropout_seed is None


def test_a_run_may_begin_with_the_weights_of_a_hugging_face_folder(shards: Path, tmp_path: Path) -> None:
    model = GPT(preset("modern-1m", context_length=16, vocabulary_size=320, layers=1))
    initialize(model, 9)
    (tmp_path / "foreign").mkdir()
    write_hugging_face(model, tmp_path / "foreign")
    run = prepare(config_of(shards, start_from=str(tmp_path / "foreign"), context_length=None), None, PARALLEL)
    assert run.model.config == model.config
    for name, value in model.state_dict().items():
        assert torch.equal(run.model.state_dict()[name], value)


def test_a_model_name_of_the_hub_is_no_folder_and_the_way_to_download_it_is_told(shards: Path) -> None:
    with pytest.raises(TrainerError, match=r"Qwen/Qwen2-0\.5B: there is no such folder.*hf download Qwen/Qwen2-0\.5B --local"):
        prepare(config_of(shards, start_from="Qwen/Qwen2-0.5B"), None, PARALLEL)


def test_a_shape_may_come_from_a_file_and_its_faults_are_named(shards: Path, tmp_path: Path) -> None:
    file = tmp_path / "shape.yaml"
    shape = {"vocabulary_size": 300, "context_length": 8, "width": 8, "layers": 1, "heads": 2, "key_value_heads": 1}
    file.write_text(yaml.safe_dump({**shape, "feed_forward_width": 8}))
    assert prepare(config_of(shards, model=str(file), context_length=None), None, PARALLEL).model.config.width == 8
    file.write_text(yaml.safe_dump({**shape, "feed_forward_with": 8}))
    with pytest.raises(TrainerError, match="did you mean 'feed_forward_width'"):
        prepare(config_of(shards, model=str(file)), None, PARALLEL)
    file.write_text("- 1\n")
    with pytest.raises(TrainerError, match=r"is not a YAML file of a model configuration .* modern-1m"):
        prepare(config_of(shards, model=str(file)), None, PARALLEL)


def test_micro_batches_divide_what_a_rank_has(shards: Path) -> None:
    loader = prepare(config_of(shards, batch_size=24), None, PARALLEL).loader
    assert (loader.global_batch, loader.micro_batch) == (24, 12)


def test_a_folder_has_one_run_at_a_time(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with held(run, PARALLEL), pytest.raises(TrainerError, match="another process is training there"), held(run, PARALLEL):
        raise AssertionError
    with held(run, PARALLEL):
        assert run.is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainerError, match="choose another --output"), held(tmp_path / "file" / "run", PARALLEL):
        raise AssertionError


@pytest.mark.parametrize(("width", "peak"), [(32, 4e-3), (128, 0.5 / 128), (768, 0.5 / 768), (4096, 0.5 / 4096)])
def test_the_default_learning_rate_falls_with_the_width(width: int, peak: float) -> None:
    assert default_peak(width) == peak


def test_a_short_run_has_small_steps_and_a_long_one_the_default_batch(shards: Path) -> None:
    short = prepare(config_of(shards, steps=None, tokens=1_000 * 16 * 5), None, PARALLEL)
    assert (short.config.batch_size, short.steps) == (5, 1_000)
    long = prepare(config_of(shards, steps=None, tokens=10_000_000), None, PARALLEL)
    assert long.config.batch_size == 16
