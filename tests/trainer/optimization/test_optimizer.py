"""Which parameters decay, and that torch's fused step is the published algorithm."""

import math

import pytest
import torch
from torch import nn

from trainer.optimization.optimizer import adamw, describe, parameter_groups


class Block(nn.Module):
    """A layer with a matrix, a bias and a norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, width)


class Tied(nn.Module):
    """Embedding, two layers, and a head that is the embedding's matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.blocks = nn.ModuleList(Block(4) for _ in range(2))
        self.norm = nn.RMSNorm(4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embedding.weight


MATRICES = ("embedding.weight", "blocks.0.linear.weight", "blocks.1.linear.weight")
VECTORS = (
    "blocks.0.norm.weight",
    "blocks.0.norm.bias",
    "blocks.0.linear.bias",
    "blocks.1.norm.weight",
    "blocks.1.norm.bias",
    "blocks.1.linear.bias",
    "norm.weight",
)


def test_matrices_decay_and_norms_and_biases_do_not_and_a_tied_matrix_is_listed_once() -> None:
    decaying, constant = parameter_groups(Tied(), weight_decay=0.3)
    assert (decaying.weight_decay, constant.weight_decay) == (0.3, 0.0)
    assert decaying.names == MATRICES
    assert constant.names == VECTORS


def test_each_name_stands_for_its_parameter() -> None:
    model = Tied()
    for group in parameter_groups(model, 0.1):
        assert all(model.get_parameter(name) is parameter for name, parameter in zip(group.names, group.parameters, strict=True))


def test_the_description_says_what_decays_and_how_much_it_is() -> None:
    assert describe(parameter_groups(Tied(), 0.1)).splitlines() == [
        "weight decay 0.1: 3 tensors, 72 parameters: embedding.weight, blocks.*.linear.weight (2)",
        "weight decay 0: 7 tensors, 28 parameters: blocks.*.norm.weight (2), blocks.*.norm.bias (2), "
        "blocks.*.linear.bias (2), norm.weight",
    ]


def test_a_frozen_parameter_is_in_no_group_and_a_group_without_parameters_is_left_out() -> None:
    model = Tied()
    for name in VECTORS:
        model.get_parameter(name).requires_grad_(False)
    model.embedding.weight.requires_grad_(False)
    (only,) = parameter_groups(model, 0.1)
    assert only.names == MATRICES[1:]
    assert len(adamw(model, 1e-3).param_groups) == 1


def test_the_optimizer_has_the_groups_the_published_settings_and_the_fused_kernel() -> None:
    optimizer = adamw(Tied(), 1e-3)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    assert [len(group["params"]) for group in optimizer.param_groups] == [3, 7]
    for group in optimizer.param_groups:
        assert (group["lr"], group["betas"], group["eps"], group["fused"]) == (1e-3, (0.9, 0.95), 1e-8, True)


class One(nn.Module):
    """A single parameter of a given value."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.parameter = nn.Parameter(value.clone())


def test_the_first_step_from_a_gradient_of_2_has_a_moment_of_0_2_that_corrects_to_2() -> None:
    model = One(torch.tensor([5.0], dtype=torch.float64))
    optimizer = adamw(model, 0.01)
    model.parameter.grad = torch.tensor([2.0], dtype=torch.float64)
    optimizer.step()
    state = optimizer.state[model.parameter]
    assert state["exp_avg"].item() == pytest.approx(0.2, rel=1e-12)
    assert state["exp_avg"].item() / (1 - 0.9) == pytest.approx(2, rel=1e-12)
    assert state["exp_avg_sq"].item() / (1 - 0.95) == pytest.approx(4, rel=1e-12)
    assert model.parameter.item() == pytest.approx(5 - 0.01 * 2 / (2 + 1e-8), rel=1e-12)


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_ten_steps_equal_the_algorithm_written_out_in_float64(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(7)
    start = torch.randn(shape, dtype=torch.float64, generator=generator)
    gradients = torch.randn(10, *shape, dtype=torch.float64, generator=generator)
    rates = [0.01 * (number + 1) / 10 for number in range(10)]
    model = One(start)
    optimizer = adamw(model, rates[0], weight_decay=0.2)
    for gradient, rate in zip(gradients, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        model.parameter.grad = gradient.clone()
        optimizer.step()
    decay = 0.2 if len(shape) == 2 else 0.0
    assert model.parameter.detach().flatten().tolist() == pytest.approx(
        [
            adamw_written_out(value, column.tolist(), rates, decay)
            for value, column in zip(start.flatten().tolist(), gradients.reshape(10, -1).T, strict=True)
        ],
        rel=0,
        abs=1e-12,
    )


def adamw_written_out(value: float, gradients: list[float], rates: list[float], decay: float) -> float:
    """Algorithm 2 of Loshchilov & Hutter 2019 for one number, in Python's float64."""
    first = second = 0.0
    for number, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.95 * second + 0.05 * gradient**2
        update = (first / (1 - 0.9**number)) / (math.sqrt(second / (1 - 0.95**number)) + 1e-8)
        value = value - rate * update - rate * decay * value
    return value


def test_without_a_gradient_a_matrix_shrinks_by_rate_times_decay_and_a_vector_stays() -> None:
    # Decay through the moments would be rescaled by them to a step of about the learning rate.
    model = Tied().double()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = adamw(model, 0.01, weight_decay=0.5)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        factor = 1 - 0.01 * 0.5 if name in MATRICES else 1
        torch.testing.assert_close(parameter.detach(), before[name] * factor, rtol=1e-14, atol=0)
