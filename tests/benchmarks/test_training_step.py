"""The benchmark of a training step: both sides take the same step, and the program exits if they do not."""

from pathlib import Path

import pytest
import torch

from benchmarks import generation, training_step
from benchmarks.training_step import CONTESTANTS, Turn, check_losses, own_step, peers_step, small_gpt2
from model.config import ModelConfig
from model.generation.sampling import Sampling
from model.gpt import GPT, parameter_count
from model.hugging_face.folder import write_hugging_face
from model.initialization import initialize

TINY = small_gpt2().model_copy(
    update={"vocabulary_size": 200, "context_length": 8, "width": 16, "layers": 2, "heads": 2, "key_value_heads": 2}
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    """A tiny version of the benchmark's model."""
    monkeypatch.setattr(training_step, "small_gpt2", lambda: TINY)
    monkeypatch.setattr(training_step, "CONTEXT", TINY.context_length)
    monkeypatch.setattr(generation, "small_gpt2", lambda: TINY)
    return TINY


def test_the_model_has_35_million_parameters() -> None:
    with torch.device("meta"):
        assert parameter_count(GPT(small_gpt2())) == pytest.approx(35e6, rel=0.02)


def test_the_project_and_transformers_take_the_same_steps(tiny: ModelConfig, tmp_path: Path) -> None:
    model = GPT(tiny)
    initialize(model, 0)
    write_hugging_face(model, tmp_path)
    contestant = CONTESTANTS["transformers, fp32"]
    own, peers = own_step(tmp_path, contestant), peers_step(tmp_path, contestant)
    losses = [(own(), peers()) for _ in range(3)]
    assert [first for first, _ in losses] == pytest.approx([second for _, second in losses], abs=1e-5)
    assert losses[2][0] < losses[0][0]


def test_the_program_ends_when_losses_differ() -> None:
    turns = {name: [Turn([1.0], [1.0], [10.0, 9.0], [1e9], 1)] for name in CONTESTANTS}
    check_losses(turns)
    turns["transformers, bf16 autocast"] = [Turn([1.0], [1.0], [10.0, 9.1], [1e9], 1)]
    with pytest.raises(SystemExit, match=r"bf16 autocast: the losses are \[10.0, 9.1\], not \[10.0, 9.0\]"):
        check_losses(turns)


def test_the_project_and_transformers_generate_the_same_ids(
    tiny: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "PROMPT", [3, 5, 7])
    generation.write_model(tmp_path)
    own = generation.own_generation(tmp_path, Sampling(temperature=0), 5)()
    peers = generation.peers_generation(tmp_path, {"do_sample": False}, 5)
    assert peers is not None
    assert own == peers()
