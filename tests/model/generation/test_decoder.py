"""The decoder, one or a few tokens at a time, compared with the model's own forward pass."""

import pytest
import torch

from model.config import ModelConfig
from model.generation.decoder import Decoder
from tests.model.generation.test_generate import lively
from tests.model.test_gpt import TINY, TINY_GPT2

FORMS = {
    "modern": TINY,
    "gpt2": TINY_GPT2,
    "mixed": TINY.model_copy(update={"normalization": "layer_norm", "feed_forward": "gelu", "query_key_norm": False}),
    "biases": TINY_GPT2.model_copy(update={"normalization": "rms_norm", "query_key_value_bias": True, "feed_forward": "swiglu"}),
}
each_form = pytest.mark.parametrize("config", FORMS.values(), ids=FORMS)


@each_form
@pytest.mark.parametrize("each_time", [1, 3], ids=["one_token", "three_tokens"])
def test_a_decoder_continues_a_cache_as_the_model_does(config: ModelConfig, each_time: int) -> None:
    model = lively(config)
    tokens_BT = torch.randint(1, 50, (3, 16), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected_BTV = model.logits(tokens_BT)
        cache = model.new_cache(3, 16)
        model.logits(tokens_BT[:, :4], cache=cache)
        decoder = Decoder(model)
        logits = [decoder.logits(part_BT, cache) for part_BT in tokens_BT[:, 4:].split(each_time, dim=1)]
    torch.testing.assert_close(torch.cat(logits, dim=1), expected_BTV[:, 4:], rtol=1e-5, atol=1e-5)


def test_a_decoder_sees_what_becomes_of_the_parameters() -> None:
    model = lively(TINY)
    decoder = Decoder(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
        expected = model.logits(torch.tensor([[7]]))
        logits = decoder.logits(torch.tensor([[7]]), model.new_cache(1, 1))
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-6)
