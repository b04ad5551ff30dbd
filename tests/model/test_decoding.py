"""One token at a time without modules against the model's own forward pass."""

import pytest
import torch

from model.config import ModelConfig
from model.decoding import Decoder, lay_out_for_generation
from model.generation import Sampling, generate
from tests.model.test_generation import PROMPTS, lively
from tests.model.test_gpt import TINY, TINY_GPT2

FORMS = {
    "modern": TINY,
    "gpt2": TINY_GPT2,
    "mixed": TINY.model_copy(update={"normalization": "layer_norm", "feed_forward": "gelu", "query_key_norm": False}),
    "biases": TINY_GPT2.model_copy(update={"normalization": "rms_norm", "query_key_value_bias": True, "feed_forward": "swiglu"}),
}
each_form = pytest.mark.parametrize("config", FORMS.values(), ids=FORMS)


@each_form
@pytest.mark.parametrize("laid_out", [False, True], ids=["as_trained", "laid_out"])
def test_a_decoder_continues_a_cache_as_the_model_does(config: ModelConfig, laid_out: bool) -> None:
    model = lively(config)
    tokens_BT = torch.randint(1, 50, (3, 16), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected_BTV = model.logits(tokens_BT)
        if laid_out:
            lay_out_for_generation(model)
        cache = model.new_cache(3, 16)
        model.logits(tokens_BT[:, :5], cache=cache)
        decoder = Decoder(model)
        logits = [decoder.logits(tokens_BT[:, index], cache) for index in range(5, 16)]
    torch.testing.assert_close(torch.stack(logits, dim=1), expected_BTV[:, 5:], rtol=1e-5, atol=1e-5)


def test_a_decoder_sees_what_becomes_of_the_parameters() -> None:
    model = lively(TINY)
    decoder = Decoder(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
        expected = model.logits(torch.tensor([[7]]))[:, 0]
        logits = decoder.logits(torch.tensor([7]), model.new_cache(1, 1))
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-6)


@each_form
def test_laying_out_turns_matrices_over_and_changes_no_value(config: ModelConfig) -> None:
    model = lively(config)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    lay_out_for_generation(model)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert tensor.ndim == 1 or tensor.stride(0) == 1, name
    assert model.head_VE is (model.token_embedding.weight if model.head is None else model.head.weight)
    ids = list(generate(model, PROMPTS, 12, Sampling(seed=2), None))
    assert ids == list(generate(lively(config), PROMPTS, 12, Sampling(seed=2), None))
