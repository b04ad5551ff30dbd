"""Generation, compared with plain restatements that compute everything anew for each token."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from model.config import ModelConfig, ModelError
from model.generation.generate import generate
from model.generation.sampling import Sampling, draw_keys, waiting_times
from model.gpt import GPT
from model.hugging_face.folder import write_hugging_face
from tests.model.generation.test_sampling import chosen_plainly
from tests.model.test_gpt import TINY, TINY_GPT2

GREEDY = Sampling(temperature=0)
PROMPTS = [[7, 3, 9], [1], [4, 4, 2], [5, 6, 7, 8, 9, 10]]
FAMILIES = pytest.mark.parametrize("config", [TINY, TINY_GPT2], ids=["modern", "gpt2"])


def lively(config: ModelConfig) -> GPT:
    """A model whose next token depends clearly on all earlier ones; initial values give nearly uniform probabilities."""
    model = GPT(config)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.endswith("norm.weight"):
                parameter.normal_(0, 0.3 if "embedding" in name else 0.15, generator=generator)
    return model


def rows_of(steps: list[list[int | None]]) -> list[list[int]]:
    """The ids of each row, after a check that nothing follows its end."""
    rows = []
    for row in zip(*steps, strict=True):
        ids = [token for token in row if token is not None]
        assert list(row) == ids + [None] * (len(row) - len(ids))
        rows.append(ids)
    return rows


def generated_plainly(model: GPT, prompt: list[int], row: int, count: int, sampling: Sampling, stop_id: int | None) -> list[int]:
    """`generate` for one row, without cache, batch or stream."""
    context, start = model.config.context_length, 0
    text = list(prompt)
    waits_TV = waiting_times(draw_keys(sampling.seed, [(row, step) for step in range(count)]), model.config.vocabulary_size)
    for waits_V in waits_TV.tolist():
        if len(text) - start > context:
            start = len(text) - context // 2
        with torch.no_grad():
            logits = model.logits(torch.tensor([text[start:]]))[0, -1]
        token = chosen_plainly(logits.tolist(), sampling, waits_V)
        if token == stop_id:
            break
        text.append(token)
    return text[len(prompt) :]


@FAMILIES
@pytest.mark.parametrize(
    ("sampling", "stop_id"),
    [(GREEDY, None), (Sampling(seed=5), 11), (Sampling(temperature=0.7, top_k=10, top_p=0.8, seed=6), None)],
    ids=["greedy", "all", "filtered"],
)
def test_a_batch_with_a_cache_equals_single_rows_computed_anew(
    config: ModelConfig, sampling: Sampling, stop_id: int | None
) -> None:
    # The context of 16 fills up twice, which is tested along.
    model = lively(config)
    rows = rows_of(list(generate(model, PROMPTS, 26, sampling, stop_id)))
    for row, prompt in enumerate(PROMPTS):
        assert rows[row] == generated_plainly(model, prompt, row, 26, sampling, stop_id)
    assert len({tuple(row) for row in rows}) > 1


def test_a_row_ends_at_the_stop_id_while_the_others_go_on() -> None:
    model = lively(TINY)
    free = rows_of(list(generate(model, PROMPTS, 12, GREEDY, None)))
    stop_id = free[0][3]
    steps = list(generate(model, PROMPTS, 12, GREEDY, stop_id))
    for row, ids in enumerate(rows_of(steps)):
        expected = free[row][: free[row].index(stop_id)] if stop_id in free[row] else free[row]
        assert ids == expected
    alone = list(generate(model, PROMPTS[:1], 12, GREEDY, stop_id))
    assert len(alone) <= 3


@FAMILIES
def test_a_prompt_longer_than_the_context_is_read_from_its_last_half_context_on(config: ModelConfig) -> None:
    model = lively(config)
    prompt = [token % 50 for token in range(5, 45)]
    assert next(generate(model, [prompt], 1, GREEDY, None)) == next(generate(model, [prompt[-8:]], 1, GREEDY, None))
    assert next(generate(model, [prompt[:16]], 1, GREEDY, None)) == [generated_plainly(model, prompt[:16], 0, 1, GREEDY, None)[0]]


def test_a_context_of_one_token_goes_on() -> None:
    model = lively(TINY.model_copy(update={"context_length": 1}))
    ids = rows_of(list(generate(model, [[3]], 4, GREEDY, None)))[0]
    assert [next(generate(model, [[before]], 1, GREEDY, None))[0] for before in [3, *ids[:-1]]] == ids


def test_a_rows_numbers_do_not_depend_on_its_neighbours_or_on_how_many_are_asked_for() -> None:
    model = lively(TINY)
    sampling = Sampling(seed=9)
    together = rows_of(list(generate(model, PROMPTS, 10, sampling, None)))
    for row, prompt in enumerate(PROMPTS):
        assert rows_of(list(generate(model, [prompt] * (row + 1), 6, sampling, None)))[row] == together[row][:6]
    others = rows_of(list(generate(model, PROMPTS, 10, Sampling(seed=10), None)))
    assert all(mine != other for mine, other in zip(together, others, strict=True))


@FAMILIES
def test_ids_beyond_the_vocabulary_are_never_generated(config: ModelConfig) -> None:
    model = lively(config)
    for sampling in (GREEDY, Sampling(temperature=5.0)):
        free, bound = (rows_of(list(generate(model, PROMPTS, 8, sampling, None, size))) for size in (None, 12))
        assert max(map(max, free)) >= 12
        assert max(map(max, bound)) < 12


# Against transformers, and errors


@FAMILIES
def test_greedy_choice_is_that_of_transformers(config: ModelConfig, tmp_path: Path) -> None:
    model = lively(config)
    write_hugging_face(model, tmp_path)
    theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    prompt = [7, 3, 9]
    expected = theirs.generate(torch.tensor([prompt]), max_new_tokens=13, do_sample=False, pad_token_id=0)[0, 3:]
    assert [token for (token,) in generate(model, [prompt], 13, GREEDY, None)] == expected.tolist()


def test_prompts_that_cannot_be_read_and_weights_that_are_no_numbers_are_errors() -> None:
    model = lively(TINY)
    with pytest.raises(ModelError, match="prompt 1 has no token"):
        list(generate(model, [[1], []], 3, GREEDY, None))
    with pytest.raises(ModelError, match="ids from 3 to 50, the model has ids below 50"):
        list(generate(model, [[3, 50]], 3, GREEDY, None))
    with torch.no_grad():
        model.norm.get_parameter("weight")[3] = torch.nan
    with pytest.raises(ModelError, match="diverged"):
        list(generate(model, [[1]], 3, Sampling(), None))


def test_a_sharded_model_can_be_trained_after_it_generated(tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'ranks'}", rank=0, world_size=1)
    try:
        model = lively(TINY)
        expected = list(generate(model, PROMPTS[:1], 5, GREEDY, None))
        fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
        register_fsdp_forward_method(model, "logits")
        assert list(generate(model, PROMPTS[:1], 5, GREEDY, None)) == expected
        tokens_BT = torch.tensor(PROMPTS[:1])
        model(tokens_BT, tokens_BT)[0].backward()
    finally:
        torch.distributed.destroy_process_group()


def test_nothing_is_generated_when_nothing_is_asked_for() -> None:
    model = lively(TINY)
    assert list(generate(model, PROMPTS, 0, GREEDY, None)) == []
    assert list(generate(model, [], 5, GREEDY, None)) == []
