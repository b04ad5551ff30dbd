"""Guessed and checked tokens, compared with one token at a time, for good and bad guesses."""

import pytest
import torch

from model.config import ModelConfig
from model.generation.decoder import Decoder
from model.generation.generate import generate
from model.generation.sampling import Sampling
from model.generation.speculation import MOST_GUESSES, WORTH_FROM, Speculation
from tests.model.generation.test_generate import GREEDY, PROMPTS, generated_plainly, lively
from tests.model.test_gpt import TINY, TINY_GPT2

FORMS = pytest.mark.parametrize("config", [TINY, TINY_GPT2], ids=["modern", "gpt2"])
WAYS = pytest.mark.parametrize(
    "sampling",
    [GREEDY, Sampling(seed=5), Sampling(temperature=0.7, top_k=10, top_p=0.8, seed=6)],
    ids=["greedy", "all", "filtered"],
)
# The context of 16 fills up four times.
TOKENS = 40


@FORMS
@WAYS
def test_speculation_gives_the_ids_of_one_token_at_a_time(config: ModelConfig, sampling: Sampling) -> None:
    model = lively(config)
    for prompt in PROMPTS:
        ids = [token for (token,) in generate(model, [prompt], TOKENS, sampling, None)]
        assert ids == generated_plainly(model, prompt, 0, TOKENS, sampling, None)


@WAYS
def test_guesses_that_are_all_wrong_change_nothing(sampling: Sampling, monkeypatch: pytest.MonkeyPatch) -> None:
    model, stranger = lively(TINY), lively(TINY)
    with torch.no_grad():
        stranger.head_VE.neg_()
    wrong = Speculation(Decoder(stranger), Decoder(model))
    monkeypatch.setattr(Speculation, "of", lambda _model, _tokens: wrong)
    ids = [token for (token,) in generate(model, [PROMPTS[0]], TOKENS, sampling, None)]
    assert ids == generated_plainly(model, PROMPTS[0], 0, TOKENS, sampling, None)


def test_a_text_that_ends_among_the_guesses_ends_there() -> None:
    model = lively(TINY)
    free = generated_plainly(model, PROMPTS[0], 0, TOKENS, GREEDY, None)
    for stop_id in set(free):
        ids = [token for (token,) in generate(model, [PROMPTS[0]], TOKENS, GREEDY, stop_id)]
        assert ids == free[: free.index(stop_id)]


def test_right_guesses_are_kept_all_with_one_token_more() -> None:
    model = lively(TINY)
    speculative = Speculation.of(model, TOKENS)
    assert speculative is not None
    exact = Speculation(Decoder(model), speculative.checking)
    cache = model.new_cache(1, 16)
    with torch.inference_mode():
        model.logits(torch.tensor([PROMPTS[0]]), cache=cache)
        ids_T, logits_TV = exact.continued(torch.tensor([[5]]), cache, MOST_GUESSES, lambda logits_TV, _: logits_TV.argmax(-1))
    assert len(ids_T) == len(logits_TV) == MOST_GUESSES + 1
    assert cache.length == len(PROMPTS[0]) + MOST_GUESSES + 1
    with torch.no_grad():
        expected_TV = model.logits(torch.tensor([[*PROMPTS[0], 5, *ids_T.tolist()[:-1]]]))[0, len(PROMPTS[0]) :]
    torch.testing.assert_close(logits_TV, expected_TV, rtol=1e-5, atol=1e-5)


def test_few_tokens_and_other_precisions_are_not_worth_a_copy() -> None:
    assert Speculation.of(lively(TINY), WORTH_FROM - 1) is None
    assert Speculation.of(lively(TINY), WORTH_FROM) is not None
    assert Speculation.of(lively(TINY).bfloat16(), TOKENS) is None
