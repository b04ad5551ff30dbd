"""Beam search: the likeliest of several continuations of a prompt that are extended side by side.

Shapes: B beams, V ids that may be generated.
"""

from collections.abc import Sequence

import torch

from model.generation.reading import Reading, check_prompts
from model.gpt import GPT


def beam_search(
    model: GPT,
    prompt: Sequence[int],
    beams: int,
    maximum_new_tokens: int,
    stop_id: int | None,
    length_penalty: float = 1.0,
    vocabulary_size: int | None = None,
) -> list[tuple[list[int], float]]:
    """Return the continuations of one prompt that a beam search finds, at most `beams`, with their scores, best first.

    A score is the sum of the tokens' log-probabilities in nats, divided by (their number, `stop_id` included) to the power
    of `length_penalty`. A text that has ended keeps its place, and the others share the remaining places; one beam is greedy
    choice. The ids come without `stop_id`. Raises ModelError as `generate` does.
    """
    check_prompts(model, [prompt])
    reading = Reading(model, [prompt] * beams, maximum_new_tokens)
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
