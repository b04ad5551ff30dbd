"""Samples of a training run, and the pieces in which text is streamed."""

import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.generation.generate import generate
from model.generation.sampling import Sampling
from model.gpt import GPT
from pipeline.tokens.tokenizer import Tokenizer
from tests.model.checkpoint_folders import TOKENIZERS, small_tokenizer
from tests.model.test_gpt import TINY
from trainer.run.texts import TEMPERATURE, TextStream, prompt_ids, sample_text

# More ids than any of the tokenizers has; the others must never be generated.
CONFIG = TINY.model_copy(update={"vocabulary_size": 600, "context_length": 64})
PROMPT = "吾輩は猫"


def untrained_model() -> GPT:
    """A model with a separate output matrix: untrained models with a tied one repeat what they read."""
    torch.manual_seed(0)
    return GPT(CONFIG.model_copy(update={"tie_embeddings": False}))


def continued(model: GPT, tokenizer: Tokenizer, prompt: str, tokens: int, sampling: Sampling, rows: int = 1) -> list[str]:
    """The prompt and its continuation, for each row, decoded at once."""
    start = prompt_ids(tokenizer, prompt)
    texts = [list(start) for _ in range(rows)]
    for step in generate(model, [start] * rows, tokens, sampling, tokenizer.delimiter_id, tokenizer.vocabulary_size):
        for text, token in zip(texts, step, strict=True):
            text.extend([] if token is None else [token])
    return [tokenizer.decode(text) for text in texts]


def test_a_sample_for_a_training_run_is_what_follows_the_prompt() -> None:
    model, tokenizer = untrained_model(), small_tokenizer()
    whole = continued(model, tokenizer, PROMPT, 25, Sampling(temperature=TEMPERATURE, seed=7))[0]
    assert PROMPT + sample_text(model, tokenizer, PROMPT, 25, seed=7) == whole
    assert model.head_VE.requires_grad
    assert model.head_VE.grad is None


STREAMED = {kind: small_tokenizer(kind) for kind in TOKENIZERS}


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(TOKENIZERS), st.data())
def test_streamed_text_is_the_whole_text_and_nothing_shown_ever_changes(kind: str, data: st.DataObject) -> None:
    tokenizer = STREAMED[kind]
    any_ids = st.lists(st.integers(0, tokenizer.vocabulary_size - 1), max_size=12)
    of_a_text = st.text("猫 a\ufffd😀é\n", max_size=6).map(lambda text: tokenizer.encode_batch([text])[0].tolist())
    ids = list(itertools.chain(*data.draw(st.lists(any_ids | of_a_text, max_size=4))))
    start = data.draw(st.integers(0, len(ids)))
    stream, shown = TextStream(tokenizer), ""
    for piece in (ids[:start], *([token] for token in ids[start:])):
        shown += stream.push(piece)
        assert tokenizer.decode(ids).startswith(shown)
    assert shown + stream.finish() == tokenizer.decode(ids)


def test_a_character_of_several_bytes_is_shown_when_its_last_byte_has_come() -> None:
    tokenizer = STREAMED["bytes"]
    stream = TextStream(tokenizer)
    assert [stream.push([byte]) for byte in "a猫b".encode()] == ["a", "", "", "猫", "b"]
    assert stream.push([0xE7]) == ""
    assert stream.finish() == "\ufffd"
