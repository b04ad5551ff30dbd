"""The initial values of training."""

import numpy as np
import pytest
import torch

from model.presets import preset
from tests.model.test_gpt import TINY, initialized


def test_an_initialized_gpt2_begins_near_the_loss_of_a_uniform_guess() -> None:
    model = initialized(preset("gpt2-124m", layers=2))
    tokens_BT = torch.from_numpy(np.random.default_rng(0).integers(0, 50257, (2, 65)))
    with torch.no_grad():
        total, _ = model(tokens_BT[:, :-1], tokens_BT[:, 1:])
    # The logits are normal with variance 768 * 0.02^2, half of which is added to ln V.
    assert float(total) / 128 == pytest.approx(np.log(50257) + 768 * 0.02**2 / 2, abs=0.1)


def test_initial_values_follow_gpt2_and_depend_on_seed_and_name_alone() -> None:
    model, deeper = initialized(TINY), initialized(TINY.model_copy(update={"layers": 3}))
    again, other = initialized(TINY), initialized(TINY, seed=1)
    deviation = (2 * TINY.layers) ** -0.5 * 0.02
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name))
        if parameter.ndim == 1:
            assert torch.equal(parameter, torch.ones_like(parameter))
            continue
        assert not torch.equal(parameter, other.get_parameter(name))
        expected = deviation if name.endswith(("output.weight", "down.weight")) else 0.02
        assert float(parameter.detach().std()) == pytest.approx(expected, rel=0.08)
    assert torch.equal(model.head_VE, deeper.head_VE)
