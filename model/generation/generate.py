"""Generation, token after token, by greedy choice or sampling.

Input and output are ids; encoding and decoding text is the caller's task. Prompts of equal length are read together, and each
length has its own cache: there is no padding, so a row's result does not depend on its neighbours. A row's random numbers
depend only on the seed and the row's place in the batch. A row that is read alone on a CPU gets several tokens at a time
(see `speculation`), which does not change them.

Shapes: N rows or steps, V ids that may be generated.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

import torch.distributed as dist
from torch import Tensor

from model.generation.reading import Reading, check_prompts
from model.generation.sampling import Sampling, choose, draw_keys, waiting_times
from model.generation.speculation import Choice, Speculation
from model.gpt import GPT


def generate(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    maximum_new_tokens: int,
    sampling: Sampling,
    stop_id: int | None,
    vocabulary_size: int | None = None,
) -> Iterator[list[int | None]]:
    """Yield at each step the new id of each row, or None for a row that has ended.

    A row ends when `stop_id` is chosen, which is not yielded; the steps end with the last row, or after `maximum_new_tokens`.
    Ids from `vocabulary_size` on are never generated: a model may have more rows than its tokenizer has ids. Raises ModelError
    for a prompt that the model cannot read, or weights that give no finite logits.
    """
    check_prompts(model, prompts)
    rows_of_length: dict[int, list[int]] = defaultdict(list)
    for row, prompt in enumerate(prompts):
        rows_of_length[len(prompt)].append(row)
    ids = min(vocabulary_size or model.config.vocabulary_size, model.config.vocabulary_size)
    speculation = None
    if not dist.is_initialized() and any(len(rows) == 1 for rows in rows_of_length.values()):
        speculation = Speculation.of(model, maximum_new_tokens)
    streams = []
    for rows in rows_of_length.values():
        reading = Reading(model, [prompts[row] for row in rows], maximum_new_tokens, speculation if len(rows) == 1 else None)
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
    reading: Reading,
    rows: Sequence[int],
    maximum_new_tokens: int,
    sampling: Sampling,
    stop_id: int | None,
    vocabulary_size: int,
) -> Iterator[list[int | None]]:
    """`generate` for prompts of one length, which are `rows` of the whole batch."""

    def choice(step: int, steps: int) -> Choice:
        """Return what chooses for each row at `step`, or for a single row at the `steps` steps from there on."""
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
