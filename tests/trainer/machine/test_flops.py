"""Counts of arithmetic, and the measured speed of the machine."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from model.gpt import GPT
from model.presets import preset
from trainer.machine.flops import measured_peak, operations_per_token


@pytest.mark.parametrize("name", ["modern-1m", "gpt2-124m"])
def test_operations_are_those_that_torch_counts(name: str) -> None:
    model = GPT(preset(name, vocabulary_size=1000, context_length=64, layers=2))
    tokens_BT = torch.zeros(2, 64, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        total, _ = model(tokens_BT, tokens_BT)
        total.backward()
    # torch does not count the product that is added in place to the output matrix's gradient, nor attention on a CPU.
    uncounted = 2 * 128 * model.head_VE.numel()
    assert counter.get_total_flops() + uncounted == pytest.approx(128 * operations_per_token(model, 0), rel=0.01)


def test_attention_costs_two_products_for_each_token_looked_at() -> None:
    model = GPT(preset("modern-1m", vocabulary_size=1000, context_length=64))
    # Scores and weighted values: 2 operations each per number of the width, once forward and twice backward.
    looked_at = operations_per_token(model, 65) - operations_per_token(model, 64)
    assert looked_at == 3 * (2 + 2) * model.config.width * model.config.layers


def test_the_peak_is_a_plausible_speed() -> None:
    peak = measured_peak(torch.device("cpu"), torch.float32, seconds=0.05)
    assert 1e9 < peak < 1e15
