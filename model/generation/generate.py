"""Generation: token after token by greedy choice or sampling, or the best of several texts by beam search.

Everything here is about ids; texts are the caller's. Prompts of a batch that have the same length are read together, and
each length has a cache of its own: no padding, so that a row's numbers do not depend on its neighbours. A row's random
numbers follow from the seed and the row's place in the batch alone. A row that is read alone on a CPU gets several tokens at a
time, see `speculation`; which ones they are does not depend on that.

When the context is full, the last half of it is read again as a text that begins there, and generation goes on with the
other half free. So begin the windows of training that lie within a document. A prompt longer than the context is read from
its last half context on.

Shapes: B rows, T tokens, V ids that may be generated.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from model.config import ModelError
from model.generation.decoder import Decoder
from model.generation.sampling import Sampling, choose, draw_keys, waiting_times
from model.generation.speculation import MOST_GUESSES, Choice, Speculation
from model.gpt import GPT


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
    ids = min(vocabulary_size or model.config.vocabulary_size, model.config.vocabulary_size)
    speculation = None
    if not dist.is_initialized() and any(len(rows) == 1 for rows in rows_of_length.values()):
        speculation = Speculation.of(model, maximum_new_tokens)
    streams = []
    for rows in rows_of_length.values():
        reading = _Reading(model, [prompts[row] for row in rows], maximum_new_tokens, speculation if len(rows) == 1 else None)
        streams.append((rows, _generate_together(reading, rows, maximum_new_tokens, sampling, stop_id, ids)))
    for _ in range(maximum_new_tokens):
        step: list[int | None] = [None] * len(prompts)
        for rows, stream in streams:
            for row, token in zip(rows, next(stream, ()), strict=False):
                step[row] = token
        if step.count(None) == len(step):
            return
        yield step


def _generate_together(
    reading: "_Reading",
    rows: Sequence[int],
    maximum_new_tokens: int,
    sampling: Sampling,
    stop_id: int | None,
    vocabulary_size: int,
) -> Iterator[list[int | None]]:
    """`generate` for prompts of one length, the rows `rows` of the whole batch."""

    def choice(step: int, steps: int) -> Choice:
        """Of each row at `step`, or of a row alone at `steps` steps from there on."""
        waits_NV = None
        if not sampling.is_greedy:
            keys_N = draw_keys(sampling.seed, [(row, each) for row in rows for each in range(step, step + steps)])
            waits_NV = waiting_times(keys_N.to(reading.text_BT.device), vocabulary_size)

        def chosen(logits_NV: Tensor, ahead: int) -> Tensor:
            waits = None if waits_NV is None else waits_NV[ahead : ahead + len(logits_NV)]
            return choose(logits_NV[:, :vocabulary_size], sampling, waits)

        return chosen

    ended = [False] * len(rows)
    step = 0
    while step < maximum_new_tokens:
        for tokens in reading.continued(maximum_new_tokens - step, partial(choice, step)):
            ended = [end or token == stop_id for end, token in zip(ended, tokens, strict=True)]
            if all(ended):
                return
            yield [None if end else token for end, token in zip(ended, tokens, strict=True)]
            step += 1


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

    def __init__(self, model: GPT, prompts: Sequence[Sequence[int]], room: int, speculation: Speculation | None = None) -> None:
        """room: tokens that will be appended at most. speculation: for one row alone."""
        prompts_BT = torch.tensor(prompts, dtype=torch.int64, device=model.head_VE.device)
        self.model, self.speculation = model, speculation
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
                logits_BV = self.decoder.logits(unread_BT, self.cache)[:, 0]
            else:
                logits_BV = self.model.logits(unread_BT, cache=self.cache, last_only=True)[:, 0]
        self.unread = 0
        _check_finite(logits_BV)
        return logits_BV

    def continued(self, room: int, choice: Callable[[int], Choice]) -> list[list[int]]:
        """Append the ids of each row at the next step, or at up to `room` steps, that `choice` of so many steps takes."""
        guesses = min(MOST_GUESSES, room - 1, self.model.config.context_length - self.cache.length - 1)
        if self.speculation is None or self.unread != 1 or guesses < 1:
            tokens_TB = choice(1)(self.logits(), 0)[None]
        else:
            last_11 = self.text_BT[:, self.length - 1 : self.length]
            with torch.inference_mode():
                ids_T, logits_TV = self.speculation.continued(last_11, self.cache, guesses, choice(guesses + 1))
            _check_finite(logits_TV)
            tokens_TB = ids_T[:, None]
        for tokens_B in tokens_TB:
            self.append(tokens_B)
        self.unread = 1
        return tokens_TB.tolist()

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


def _check_finite(logits: Tensor) -> None:
    # The sum is finite when all are, for it is far from the end of the range; it costs less than looking at each.
    if not bool(logits.sum().isfinite()):
        raise ModelError("the model's logits are not finite: its training has diverged; take an earlier checkpoint")


def _check(model: GPT, prompts: Sequence[Sequence[int]]) -> None:
    for row, prompt in enumerate(prompts):
        if not prompt:
            raise ModelError(f"prompt {row} has no token; begin it with the delimiter, as every document begins")
        if not 0 <= min(prompt) <= max(prompt) < model.config.vocabulary_size:
            raise ModelError(
                f"prompt {row} has ids from {min(prompt)} to {max(prompt)}, the model knows those below "
                f"{model.config.vocabulary_size}; encode it with the tokenizer that the model was trained with"
            )
