"""Rows of text that a model reads and continues, with the cache of what it has read.

When the context is full, the last half of it is read again as a text that begins there, and generation continues in the free
half, just as a training window may begin inside a document. A prompt longer than the context is read from its last half
context on.

Shapes: B rows, T tokens, V ids.
"""

from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from model.config import ModelError
from model.generation.decoder import Decoder
from model.generation.speculation import MOST_GUESSES, Choice, Speculation
from model.gpt import GPT


class Reading:
    """Rows of equal length: the text of each so far, and the cache of what the model has read of it."""

    def __init__(self, model: GPT, prompts: Sequence[Sequence[int]], room: int, speculation: Speculation | None = None) -> None:
        """Start from `prompts` of equal length, with room for `room` more tokens. speculation: only for a single row."""
        prompts_BT = torch.tensor(prompts, dtype=torch.int64, device=model.head_VE.device)
        self.model, self.speculation = model, speculation
        # Sharded parameters are gathered only by the model's own modules.
        self.decoder = None if dist.is_initialized() else Decoder(model)
        self.prompt_length = self.length = self.unread = prompts_BT.shape[1]
        self.text_BT = functional.pad(prompts_BT, (0, room))
        self.cache = model.new_cache(len(prompts), min(model.config.context_length, self.length + room))

    def logits(self) -> Tensor:
        """Read what is unread and return the logits of the next token, (B, all ids).

        Raises ModelError for weights that give no finite logits.
        """
        context = self.model.config.context_length
        if self.cache.length + self.unread > context:
            self.cache.length, self.unread = 0, max(1, context // 2)
        unread_BT = self.text_BT[:, self.length - self.unread : self.length]
        # Inference mode is faster, but parameters that it gathers from other ranks cannot be trained afterwards.
        with torch.no_grad() if dist.is_initialized() else torch.inference_mode():
            if self.decoder is not None and self.unread == 1:
                logits_BV = self.decoder.logits(unread_BT, self.cache)[:, 0]
            else:
                logits_BV = self.model.logits(unread_BT, cache=self.cache, last_only=True)[:, 0]
        self.unread = 0
        _check_finite(logits_BV)
        return logits_BV

    def continued(self, room: int, choice: Callable[[int], Choice]) -> list[list[int]]:
        """Append and return the ids of each row at the next step, or at up to `room` steps: int (steps, B).

        choice: given a number of steps, returns what chooses the ids of that many. Raises ModelError as `logits` does.
        """
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
        ids: list[list[int]] = tokens_TB.tolist()
        return ids

    def append(self, tokens_B: Tensor) -> None:
        """Append one id to each row, int64 (B,)."""
        self.text_BT[:, self.length] = tokens_B
        self.length += 1
        self.unread += 1

    def select(self, rows_B: Tensor) -> None:
        """Replace row i by what row `rows_B[i]`, int64, was."""
        self.text_BT = self.text_BT[rows_B]
        self.cache.select(rows_B)

    def new_ids(self, row: int) -> list[int]:
        """Return the ids that were appended to a row."""
        ids: list[int] = self.text_BT[row, self.prompt_length : self.length].tolist()
        return ids


def check_prompts(model: GPT, prompts: Sequence[Sequence[int]]) -> None:
    """Raise ModelError for a prompt without tokens, or with ids that the model does not have."""
    for row, prompt in enumerate(prompts):
        if not prompt:
            raise ModelError(f"prompt {row} has no token; begin it with the delimiter, as every document begins")
        if not 0 <= min(prompt) <= max(prompt) < model.config.vocabulary_size:
            raise ModelError(
                f"prompt {row} has ids from {min(prompt)} to {max(prompt)}, the model has ids below "
                f"{model.config.vocabulary_size}; encode it with the tokenizer that the model was trained with"
            )


def _check_finite(logits: Tensor) -> None:
    # The sum is finite if all are, as logits are far from the limit of their type; it costs less than testing each.
    if not bool(logits.sum().isfinite()):
        raise ModelError("the model's logits are not finite: its training has diverged; use an earlier checkpoint")
