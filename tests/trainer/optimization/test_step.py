"""One step, compared with the whole batch at once, and steps with numbers that are not finite."""

import copy
import math

import numpy as np
import pytest
import torch

from model.config import ModelConfig
from model.cross_entropy import IGNORE
from model.gpt import GPT
from model.initialization import initialize
from trainer.data.loader import Batch
from trainer.machine.parallel import Parallel
from trainer.optimization.computation import Computation
from trainer.optimization.optimizer import adamw
from trainer.optimization.step import StepResult, train_step

CONFIG = ModelConfig(
    vocabulary_size=40,
    context_length=12,
    width=16,
    layers=2,
    heads=2,
    key_value_heads=1,
    feed_forward_width=32,
    dropout=0.1,
    query_key_norm=True,
)
COMPUTATION = Computation("loop", torch.float32, dropout_seed=3)
PARALLEL = Parallel("ddp", "cpu")


def batch_of(sequences: range) -> Batch:
    """Different windows, with documents and an uneven number of missing targets."""
    rows = []
    for g in sequences:
        generator = np.random.default_rng(g)
        tokens = generator.integers(0, 40, 13)
        targets = np.where(generator.random(12) < 0.2 * (g % 4), IGNORE, tokens[1:])
        starts = np.where(np.arange(12) < 1 + g % 11, 0, 1 + g % 11)
        rows.append((tokens[:-1], targets, starts))
    inputs_BT, targets_BT, starts_BT = (torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))
    return Batch(inputs_BT, targets_BT, starts_BT.int(), np.array(sequences), np.zeros(len(sequences), np.int64))


def new_model() -> GPT:
    model = GPT(CONFIG)
    initialize(model, 0)
    return model


def gradients_of_step(model: GPT, micro_batch: int) -> tuple[dict[str, torch.Tensor], StepResult]:
    """The gradients of a step over sequences 0 to 7, as its optimizer gets them, and the step's result."""
    batches = [batch_of(range(start, start + micro_batch)) for start in range(0, 8, micro_batch)]
    seen: dict[str, torch.Tensor] = {}

    def record(*_: object) -> None:
        seen.update({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})

    optimizer = torch.optim.SGD(model.parameters())
    optimizer.register_step_pre_hook(record)
    result = train_step(model, batches, optimizer, 0.1, 1e9, COMPUTATION, PARALLEL)
    return seen, result


def test_accumulation_changes_no_gradient_and_no_loss() -> None:
    whole, result = gradients_of_step(new_model(), 8)
    assert len(whole) == len(list(new_model().parameters()))
    for micro_batch in (4, 1):
        parts, partial = gradients_of_step(new_model(), micro_batch)
        assert partial.loss == pytest.approx(result.loss, abs=1e-6)
        for name, gradient in whole.items():
            assert float((parts[name] - gradient).abs().max()) < 1e-6, name


def test_the_loss_is_the_mean_over_all_targets_of_the_step() -> None:
    model = new_model()
    batches = [batch_of(range(0, 3)), batch_of(range(3, 8))]
    losses = [COMPUTATION.loss(model, batch, torch.device("cpu"), training=True)[1].detach() for batch in batches]
    valid = [int((batch.targets_BT != IGNORE).sum()) for batch in batches]
    result = train_step(model, batches, torch.optim.SGD(model.parameters()), 0.1, 1.0, COMPUTATION, PARALLEL)
    assert result.tokens == sum(valid)
    assert valid[0] / 3 != valid[1] / 5
    assert result.loss == pytest.approx(float(sum(part.sum() for part in losses)) / sum(valid), rel=1e-6)


def test_each_sequence_has_its_own_loss_whatever_the_way_that_the_step_is_cut() -> None:
    """In the order of the sequences, with NaN for a row beyond the end of the run, which has no targets."""
    batches = [batch_of(range(0, 3)), batch_of(range(3, 8))]
    batches[1].targets_BT[4] = IGNORE
    expected = []
    for batch in batches:
        losses_BT = COMPUTATION.loss(new_model(), batch, torch.device("cpu"), training=True)[1].detach()
        expected += (losses_BT.sum(1) / (batch.targets_BT != IGNORE).sum(1)).tolist()
    model = new_model()
    result = train_step(model, batches, torch.optim.SGD(model.parameters()), 0.1, 1.0, COMPUTATION, PARALLEL)
    assert result.losses_G.dtype == np.float32
    assert result.losses_G.tolist()[:7] == pytest.approx(expected[:7], rel=1e-6)
    assert len(result.losses_G) == 8
    assert math.isnan(result.losses_G[7])


def test_the_gradient_is_clipped_once_over_all_parameters() -> None:
    model = new_model()
    before = copy.deepcopy(model.state_dict())
    batches = [batch_of(range(0, 4)), batch_of(range(4, 8))]
    result = train_step(model, batches, torch.optim.SGD(model.parameters(), lr=1.0), 1.0, 0.01, COMPUTATION, PARALLEL)
    moved = torch.cat([(before[name] - value).flatten() for name, value in model.state_dict().items()])
    assert result.gradient_norm > 0.01
    assert float(moved.norm()) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_changes_neither_parameters_nor_moments(broken: float) -> None:
    model = new_model()
    optimizer = adamw(model, 1e-3)
    train_step(model, [batch_of(range(8))], optimizer, 1e-3, 1.0, COMPUTATION, PARALLEL)
    gain = model.norm.weight
    assert isinstance(gain, torch.Tensor)
    with torch.no_grad():
        gain[0] = broken
    before = copy.deepcopy((list(model.parameters()), optimizer.state_dict()["state"]))
    result = train_step(model, [batch_of(range(8))], optimizer, 1e-3, 1.0, COMPUTATION, PARALLEL)
    assert result.skipped
    for old, new in zip(before[0], model.parameters(), strict=True):
        assert torch.equal(old.nan_to_num(7), new.nan_to_num(7))
        assert new.grad is None
    for number, moments in optimizer.state_dict()["state"].items():
        for kind, value in moments.items():
            assert torch.equal(before[1][number][kind], value)
    with torch.no_grad():
        gain[0] = 1.0
    assert not train_step(model, [batch_of(range(8))], optimizer, 1e-3, 1.0, COMPUTATION, PARALLEL).skipped
