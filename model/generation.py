"""Generation: token after token by greedy choice or sampling, or the best of several texts by beam search.

Everything here is about ids; texts are the caller's. Prompts of a batch that have the same length are read together, and
each length has a cache of its own: no padding, so that a row's numbers do not depend on its neighbours. A row's random
numbers follow from the seed and the row's place in the batch alone.

When the context is full, the last half of it is read again as a text that begins there, and generation goes on with the
other half free. So begin the windows of training that lie within a document. A prompt longer than the context is read from
its last half context on.

Shapes: B rows, T tokens, V ids that may be generated.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from model.config import ModelError
from model.decoding import Decoder
from model.gpt import GPT

# Logits of about 10 have a resolution of 1e-6 in fp32: at a lower temperature, any two that differ are worlds apart.
_GREEDY_BELOW = 1e-6
# Nine tenths of the probability of a trained model lie on tens of tokens, seldom on hundreds; to find the 1,024 likeliest of
# 32,000 takes a tenth of the time of sorting them all.
_FIRST_LOOK = 1024


class Sampling(BaseModel):
    """How the next token is chosen; the filters act in the order of the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(1.0, ge=0, description="logits are divided by it; 0 takes the likeliest token")
    top_k: int | None = Field(None, ge=1, description="only the k likeliest tokens")
    top_p: float | None = Field(None, gt=0, le=1, description="only the fewest tokens whose probability reaches p")
    seed: int = Field(0, description="of the random numbers; the same seed gives the same text")


def choose(logits_BV: Tensor, sampling: Sampling, draws_B: Tensor) -> Tensor:
    """The chosen ids, int64 (B,). draws_B: fp32, uniform in (0, 1]; the inverse of the distribution is taken there.

    Top-k: Fan et al. 2018; top-p: Holtzman et al. 2020. At least one token is kept.
    """
    if sampling.temperature < _GREEDY_BELOW:
        return logits_BV.argmax(-1)
    # Less the greatest, so that no low temperature leads to infinity.
    scaled = (logits_BV.float() - logits_BV.amax(-1, keepdim=True)) / sampling.temperature
    order = None
    if sampling.top_k is not None and sampling.top_k < scaled.shape[1]:
        scaled, order = scaled.topk(sampling.top_k)
    probabilities = scaled.softmax(-1)
    if sampling.top_p is not None:
        if order is None:
            probabilities, order = _likeliest(probabilities, sampling.top_p)
        before = probabilities.cumsum(-1) - probabilities
        probabilities = probabilities.masked_fill(before >= sampling.top_p, 0)
    cumulative = probabilities.cumsum(-1)
    # The first place that reaches a number above 0 has itself a probability above 0.
    picks_B1 = torch.searchsorted(cumulative, draws_B[:, None] * cumulative[:, -1:])
    return (picks_B1 if order is None else order.gather(1, picks_B1)).squeeze(1)


def _likeliest(probabilities_BV: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """The greatest probabilities in falling order, at least so many that they reach `top_p`, and their ids; of equal ones the
    lower id comes first. As far as they go, they are those of a sorted whole row."""
    if probabilities_BV.shape[1] > _FIRST_LOOK:
        # Among equals `topk` takes any: ids that rise, sorted stably, bring them into order.
        order_BK = probabilities_BV.topk(_FIRST_LOOK, sorted=False).indices.sort().values
        likeliest_BK, places_BK = probabilities_BV.gather(1, order_BK).sort(descending=True, stable=True)
        # Of those that equal the last one, others may have been left behind: they do not count.
        certain_BK = likeliest_BK.masked_fill(likeliest_BK == likeliest_BK[:, -1:], 0)
        if bool((certain_BK.cumsum(-1)[:, -1] >= top_p).all()):
            return likeliest_BK, order_BK.gather(1, places_BK)
    return probabilities_BV.sort(descending=True, stable=True)


def draws(seed: int, row: int, count: int) -> Tensor:
    """The first `count` random numbers of a row, fp32 (count,) in (0, 1]."""
    digest = hashlib.blake2b(f"{seed} {row}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little", signed=True))
    return 1 - torch.rand(count, generator=generator)


def generate(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    maximum_new_tokens: int,
    sampling: Sampling,
    stop_id: int | None,
    vocabulary_size: int | None = None,
) -> Iterator[list[int | None]]:
    """At each step the new id of each row, None for a row that has ended.

    A row ends where `stop_id` is chosen, which is not handed out; the steps end with the last row, or after
    `maximum_new_tokens`. Ids from `vocabulary_size` on are never generated: a model may have more rows than its tokenizer
    has ids. Raises ModelError for a prompt that the model cannot read, or weights that give no numbers.
    """
    _check(model, prompts)
    rows_of_length: dict[int, list[int]] = defaultdict(list)
    for row, prompt in enumerate(prompts):
        rows_of_length[len(prompt)].append(row)
    streams = [
        (
            rows,
            _generate_together(
                model, [prompts[row] for row in rows], rows, maximum_new_tokens, sampling, stop_id, vocabulary_size
            ),
        )
        for rows in rows_of_length.values()
    ]
    for _ in range(maximum_new_tokens):
        step: list[int | None] = [None] * len(prompts)
        for rows, stream in streams:
            for row, token in zip(rows, next(stream, ()), strict=False):
                step[row] = token
        if step.count(None) == len(step):
            return
        yield step


def _generate_together(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[int],
    maximum_new_tokens: int,
    sampling: Sampling,
    stop_id: int | None,
    vocabulary_size: int | None,
) -> Iterator[list[int | None]]:
    """`generate` for prompts of one length, the rows `rows` of the whole batch."""
    reading = _Reading(model, prompts, maximum_new_tokens)
    draws_BT = torch.stack([draws(sampling.seed, row, maximum_new_tokens) for row in rows]).to(reading.text_BT.device)
    ended = [False] * len(prompts)
    for index in range(maximum_new_tokens):
        tokens_B = choose(reading.logits()[:, :vocabulary_size], sampling, draws_BT[:, index])
        reading.append(tokens_B)
        tokens = tokens_B.tolist()
        ended = [end or token == stop_id for end, token in zip(ended, tokens, strict=True)]
        if all(ended):
            return
        yield [None if end else token for end, token in zip(ended, tokens, strict=True)]


def beam_search(
    model: GPT,
    prompt: Sequence[int],
    beams: int,
    maximum_new_tokens: int,
    stop_id: int | None,
    length_penalty: float = 1.0,
    vocabulary_size: int | None = None,
) -> list[tuple[list[int], float]]:
    """The continuations of one prompt that a beam search finds, at most `beams`, with their scores, the best first.

    A score is the sum of the tokens' log-probabilities in nats, divided by (their number, `stop_id` included) to the power
    of `length_penalty`. A text that ends keeps its place: the others share the places that are left, and with one beam this
    is greedy choice. The ids come without `stop_id`. Raises ModelError as `generate` does.
    """
    _check(model, [prompt])
    reading = _Reading(model, [prompt] * beams, maximum_new_tokens)
    device = reading.text_BT.device
    # All rows hold the prompt: only one of them may be continued.
    totals_B = torch.full((beams,), -torch.inf, device=device)
    totals_B[:1] = 0
    ended: list[tuple[list[int], float]] = []
    alive: list[tuple[int, int, float]] = []
    for length in range(1, maximum_new_tokens + 1):
        totals_BV = totals_B[:, None] + reading.logits()[:, :vocabulary_size].float().log_softmax(-1)
        best = totals_BV.flatten().topk(min(beams - len(ended), totals_BV.numel()))
        alive = []
        for total, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            row, token = divmod(place, totals_BV.shape[1])
            if total == -torch.inf:
                continue
            if token == stop_id:
                ended.append((reading.new_ids(row), total / length**length_penalty))
            else:
                alive.append((row, token, total))
        if not alive:
            break
        rows, tokens, totals = zip(*alive, *[(0, 0, -torch.inf)] * (beams - len(alive)), strict=True)
        reading.select(torch.tensor(rows, device=device))
        reading.append(torch.tensor(tokens, device=device))
        totals_B = torch.tensor(totals, device=device)
    unended = [(reading.new_ids(row), total / maximum_new_tokens**length_penalty) for row, (_, _, total) in enumerate(alive)]
    return sorted(ended + unended, key=lambda found: -found[1])


class _Reading:
    """Rows of one length, the text of each so far, and the cache of what the model has read of it."""

    def __init__(self, model: GPT, prompts: Sequence[Sequence[int]], room: int) -> None:
        """room: tokens that will be appended at most."""
        prompts_BT = torch.tensor(prompts, dtype=torch.int64, device=model.head_VE.device)
        self.model = model
        # Parameters that are sharded over ranks are gathered by the model's own modules alone.
        self.decoder = None if dist.is_initialized() else Decoder(model)
        self.prompt_length = self.length = self.unread = prompts_BT.shape[1]
        self.text_BT = functional.pad(prompts_BT, (0, room))
        self.cache = model.new_cache(len(prompts), min(model.config.context_length, self.length + room))

    def logits(self) -> Tensor:
        """Read what is unread; logits of the next token, (B, all ids)."""
        context = self.model.config.context_length
        if self.cache.length + self.unread > context:
            self.cache.length, self.unread = 0, max(1, context // 2)
        unread_BT = self.text_BT[:, self.length - self.unread : self.length]
        # Inference mode is the faster one, but parameters that it gathers from other ranks cannot be trained on afterwards.
        with torch.no_grad() if dist.is_initialized() else torch.inference_mode():
            if self.decoder is not None and self.unread == 1:
                logits_BV = self.decoder.logits(unread_BT[:, 0], self.cache)
            else:
                logits_BV = self.model.logits(unread_BT, cache=self.cache, last_only=True)[:, 0]
        self.unread = 0
        # The sum is finite when all are, for it is far from the end of the range; it costs less than looking at each.
        if not bool(logits_BV.sum().isfinite()):
            raise ModelError("the model's logits are not finite: its training has diverged; take an earlier checkpoint")
        return logits_BV

    def append(self, tokens_B: Tensor) -> None:
        self.text_BT[:, self.length] = tokens_B
        self.length += 1
        self.unread += 1

    def select(self, rows_B: Tensor) -> None:
        """Make row i a copy of what row `rows_B[i]` was."""
        self.text_BT = self.text_BT[rows_B]
        self.cache.select(rows_B)

    def new_ids(self, row: int) -> list[int]:
        """What was appended to a row."""
        ids: list[int] = self.text_BT[row, self.prompt_length : self.length].tolist()
        return ids


def _check(model: GPT, prompts: Sequence[Sequence[int]]) -> None:
    for row, prompt in enumerate(prompts):
        if not prompt:
            raise ModelError(f"prompt {row} has no token; begin it with the delimiter, as every document begins")
        if not 0 <= min(prompt) <= max(prompt) < model.config.vocabulary_size:
            raise ModelError(
                f"prompt {row} has ids from {min(prompt)} to {max(prompt)}, the model knows those below "
                f"{model.config.vocabulary_size}; encode it with the tokenizer that the model was trained with"
            )
