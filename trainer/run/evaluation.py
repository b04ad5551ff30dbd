"""How well a model predicts text that it was not trained on: loss, perplexity, bits per byte and bits per character.

The windows are always the same, and every target counts the same, whatever the batch size or the number of ranks. Bits per
byte is the loss of all tokens, delimiters included, over the bytes of the text: it is the only one of the four that can be
compared between tokenizers. Documents do not see each other.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from model.cross_entropy import IGNORE
from trainer.data.loader import Batch, validation_batches
from trainer.data.sources import Sources, TextSize
from trainer.data.windows import Windows
from trainer.machine.parallel import Parallel
from trainer.optimization.computation import Computation


@dataclass(frozen=True)
class Evaluation:
    """The scores of a split. loss: nats per token. tokens: targets that were scored."""

    source: str
    tokens: int
    loss: float
    perplexity: float
    bits_per_byte: float
    bits_per_character: float

    @classmethod
    def of(cls, source: str, loss: float, tokens: int, size: TextSize) -> "Evaluation":
        """Return the scores for a mean loss in nats over `tokens` targets of a split of the given size."""
        bits = loss / math.log(2) * size.tokens
        # exp(709) is about the largest float64.
        perplexity = math.exp(min(loss, 709))
        return cls(source, tokens, loss, perplexity, bits / size.n_bytes, bits / size.n_characters)


@torch.no_grad()
def mean_loss(model: nn.Module, batches: Iterator[Batch], computation: Computation, parallel: Parallel) -> tuple[float, int]:
    """Return the loss in nats per target over the batches of all ranks, and the number of targets. Sums are float64."""
    sums = torch.zeros(2, dtype=torch.float64, device="cpu" if parallel.device.type == "mps" else parallel.device)
    for batch in batches:
        _, losses_BT = computation.loss(model, batch, parallel.device, training=False)
        sums[0] += losses_BT.double().sum()
        sums[1] += (batch.targets_BT != IGNORE).sum()
    total, tokens = parallel.sum(sums).tolist()
    return total / tokens, int(tokens)


def evaluate(
    model: nn.Module,
    sources: Sources,
    windows: list[Windows],
    split: str,
    computation: Computation,
    parallel: Parallel,
    *,
    batch_size: int,
    limit: int | None = None,
) -> list[Evaluation]:
    """Return the scores of each source's `split`, on the same `limit` windows each time (None: all)."""
    scores = []
    for name, dataset, own in zip(sources.names, sources.datasets, windows, strict=True):
        batches = validation_batches(own, batch_size, parallel.rank, parallel.world_size, limit)
        loss, tokens = mean_loss(model, batches, computation, parallel)
        scores.append(Evaluation.of(name, loss, tokens, TextSize.of(dataset, split)))
    return scores
