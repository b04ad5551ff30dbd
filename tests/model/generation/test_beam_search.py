"""Beam search, compared with a search of all texts, with greedy choice and with transformers."""

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from model.config import ModelConfig, ModelError
from model.generation.beam_search import beam_search
from model.generation.generate import generate
from model.gpt import GPT
from model.hugging_face.folder import write_hugging_face
from tests.model.generation.test_generate import FAMILIES, GREEDY, PROMPTS, lively
from tests.model.test_gpt import TINY


def every_text(model: GPT, prompt: list[int], count: int, stop_id: int, penalty: float) -> list[tuple[list[int], float]]:
    """All continuations of up to `count` tokens with their scores, best first."""
    found = []

    def extend(ids: list[int], total: float) -> None:
        if len(ids) == count:
            found.append((ids, total / count**penalty))
            return
        with torch.no_grad():
            scores = model.logits(torch.tensor([prompt + ids]))[0, -1].log_softmax(-1).tolist()
        for token, score in enumerate(scores):
            if token == stop_id:
                found.append((ids, (total + score) / (len(ids) + 1) ** penalty))
            else:
                extend([*ids, token], total + score)

    extend([], 0.0)
    return sorted(found, key=lambda text: -text[1])


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_beams_for_every_text_find_all_in_the_order_of_their_scores(penalty: float) -> None:
    model = lively(TINY.model_copy(update={"vocabulary_size": 4}))
    every = every_text(model, [1, 2], 3, 0, penalty)
    found = beam_search(model, [1, 2], 64, 3, 0, penalty)
    assert len(every) == len(found) == 1 + 3 + 9 * 4
    assert [ids for ids, _ in found] == [ids for ids, _ in every]
    assert [score for _, score in found] == pytest.approx([score for _, score in every], abs=1e-5)


@FAMILIES
def test_one_beam_is_greedy_choice_also_beyond_the_context(config: ModelConfig) -> None:
    model = lively(config)
    for prompt, stop_id in itertools.product(PROMPTS[:2], [None, 11]):
        steps = generate(model, [prompt], 18, GREEDY, stop_id)
        assert beam_search(model, prompt, 1, 18, stop_id)[0][0] == [token for (token,) in steps]


@FAMILIES
def test_a_beams_score_is_that_of_its_text(config: ModelConfig) -> None:
    model = lively(config)
    found = beam_search(model, [3, 1], 5, 8, None, 0.0)
    assert Counter(len(ids) for ids, _ in found) == {8: 5}
    assert len({tuple(ids) for ids, _ in found}) == 5
    for ids, score in found:
        tokens = torch.tensor([[3, 1, *ids]])
        with torch.no_grad():
            scores = model.logits(tokens[:, :-1]).log_softmax(-1).gather(2, tokens[:, 1:, None])
        assert score == pytest.approx(float(scores[0, 1:].sum()), abs=1e-4)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@FAMILIES
def test_ids_beyond_the_vocabulary_are_never_found(config: ModelConfig) -> None:
    assert all(max(ids) < 12 for ids, _ in beam_search(lively(config), [1], 4, 10, None, vocabulary_size=12))


@FAMILIES
def test_the_best_beam_is_that_of_transformers(config: ModelConfig, tmp_path: Path) -> None:
    model = lively(config)
    write_hugging_face(model, tmp_path)
    theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    prompt = [7, 3, 9]
    expected = theirs.generate(torch.tensor([prompt]), max_new_tokens=10, num_beams=4, do_sample=False, pad_token_id=0)[0, 3:]
    assert beam_search(model, prompt, 4, 10, None)[0][0] == expected.tolist()


def test_a_prompt_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ModelError, match="ids from 3 to 50, the model has ids below 50"):
        beam_search(lively(TINY), [3, 50], 2, 3, None)
