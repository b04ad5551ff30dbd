"""Several tokens for hardly more than one reading of the weights, on a CPU: the ids are those of one token at a time.

The weights are held a second time in 8 bits. That copy guesses the next few tokens, each in less than half of a token's time;
then the model reads them all at once, which takes little longer than reading one, and chooses anew at each place, by the same
random numbers (Leviathan et al. 2023, arXiv 2211.17192, with another rule of acceptance). A guess that it would not have chosen
ends the run, and its own choice stands there instead. So the copy decides how fast a text comes, never what it says.

Shapes: T tokens, V vocabulary.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from model.generation.decoder import Decoder
from model.generation.skinny_matmul import MOST_ROWS, EightBits, FewRows, Threads
from model.gpt import GPT
from model.mixers.cache import Cache

# What a token is chosen by: logits (T, V) of that many steps in a row, and how many steps the first lies ahead.
Choice = Callable[[Tensor, int], Tensor]

# The token that is known is read with the guesses. Of a trained model 99 of 100 guesses were right.
MOST_GUESSES = MOST_ROWS - 1
# To make the copy takes as long as some ten tokens.
_WORTH_FROM = 32


@dataclass(frozen=True)
class Speculation:
    """The model as it guesses and as it checks."""

    guessing: Decoder
    checking: Decoder

    @classmethod
    def of(cls, model: GPT, tokens: int) -> "Speculation | None":
        """What speculates for texts of `tokens` new tokens; None where it would gain nothing: on a device that reads memory fast
        beside what a call costs, in a precision that is not read in fp32, or for a few tokens."""
        weight = model.head_VE
        if weight.device.type != "cpu" or weight.dtype != torch.float32 or tokens < _WORTH_FROM:
            return None
        threads = Threads(torch.get_num_threads())
        return cls(Decoder(model, partial(EightBits, threads=threads)), Decoder(model, partial(FewRows, threads=threads)))

    def continued(self, token_11: Tensor, cache: Cache, guesses: int, choice: Choice) -> tuple[Tensor, Tensor]:
        """The ids that follow `token_11`, int64 (T,), from 1 to `guesses` + 1 of them, and the logits of all that was read.

        The cache, of one row, then holds all of the text but its last token, as it does before."""
        start = cache.length
        tokens = [token_11]
        with _torch_on_one_thread():
            for ahead in range(guesses):
                tokens.append(choice(self.guessing.logits(tokens[-1], cache)[0], ahead)[None])
            cache.length = start
            logits_TV = self.checking.logits(torch.cat(tokens, dim=1), cache)[0]
            ids_T = choice(logits_TV, 0)
        right = ids_T[:-1] == torch.cat(tokens[1:], dim=1)[0]
        kept = int(right.long().cumprod(0).sum()) + 1
        cache.length = start + kept
        return ids_T[:kept], logits_TV


@contextmanager
def _torch_on_one_thread() -> Iterator[None]:
    """What torch computes between the products is too small to share, and its other threads would wait for it by spinning, on
    the cores that the products' threads need."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
