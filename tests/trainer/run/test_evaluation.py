"""Scores that do not depend on how they are computed, compared with a plain restatement."""

import itertools
import math
from pathlib import Path

import pytest
import torch

from model.config import ModelConfig
from model.gpt import GPT
from model.initialization import initialize
from tests.trainer.conftest import WriteTokens, random_documents
from tests.trainer.optimization.test_step import PARALLEL
from trainer.config import ShardsConfig
from trainer.data.sources import Sources, TextSize
from trainer.optimization.computation import Computation
from trainer.run.evaluation import Evaluation, evaluate

SHAPE = ModelConfig(vocabulary_size=64, context_length=10, width=16, layers=1, heads=2, key_value_heads=2, feed_forward_width=16)
PLAIN = Computation("loop", torch.float32, dropout_seed=None)


def scored_model() -> GPT:
    model = GPT(SHAPE)
    initialize(model, 0)
    return model


def scored(model: GPT, folder: Path, batch_size: int, limit: int | None = None) -> Evaluation:
    sources = Sources.open([ShardsConfig(path=str(folder))])
    windows = sources.windows("val", SHAPE.context_length)
    (score,) = evaluate(model, sources, windows, "val", PLAIN, PARALLEL, batch_size=batch_size, limit=limit)
    return score


def test_scores_equal_a_restatement_document_by_document(write_tokens: WriteTokens) -> None:
    model = scored_model()
    documents = random_documents(9, seed=3)
    folder = write_tokens({"train": [random_documents(3)], "val": [documents[:4], documents[4:]]})
    stream = torch.tensor([token for document in documents for token in (0, *document)])
    total, count = 0.0, 0
    for start in range(0, len(stream) - 1, SHAPE.context_length):
        inputs = stream[start : start + SHAPE.context_length]
        targets = stream[start + 1 : start + 1 + SHAPE.context_length]
        inputs = inputs[: len(targets)]
        borders = [0, *(i for i in range(1, len(inputs)) if inputs[i] == 0), len(inputs)]
        for begin, end in itertools.pairwise(borders):
            with torch.no_grad():
                logits = model.logits(inputs[None, begin:end])[0]
            total += float(torch.nn.functional.cross_entropy(logits, targets[begin:end], reduction="sum"))
            count += end - begin
    letters = sum(map(len, documents))
    score = scored(model, folder, batch_size=4)
    assert score.tokens == count == len(stream) - 1
    assert score.loss == pytest.approx(total / count, rel=1e-5)
    assert score.perplexity == pytest.approx(math.exp(total / count), rel=1e-4)
    assert score.bits_per_byte == pytest.approx(total / math.log(2) / (3 * letters), rel=1e-5)
    assert score.bits_per_character == pytest.approx(total / math.log(2) / letters, rel=1e-5)


def test_the_batch_size_changes_no_score(write_tokens: WriteTokens) -> None:
    model = scored_model()
    folder = write_tokens({"train": [random_documents(3)], "val": [random_documents(20, seed=4)]})
    scores = [scored(model, folder, batch_size).loss for batch_size in (1, 7, 64)]
    assert max(scores) - min(scores) < 1e-6
    assert scored(model, folder, 4, limit=5).tokens == 5 * SHAPE.context_length


def test_a_loss_beyond_all_numbers_has_a_perplexity_still() -> None:
    assert math.isfinite(Evaluation.of("x", 1e4, 1, TextSize(1, 1, 1)).perplexity)
