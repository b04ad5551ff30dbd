"""Speculative decoding on a CPU: several tokens for little more than one reading of the weights, and the same ids.

A second copy of the weights, in 8 bits, guesses the next few tokens, each in less than half of a token's time. Then the model
reads them all at once, which takes little longer than reading one, and chooses again at each position with the same random
numbers (Leviathan et al. 2023, arXiv 2211.17192, with another acceptance rule). The first guess that differs from the model's
choice is replaced by that choice, and later guesses are discarded. So the copy affects the speed of a text, never the text.

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

# Chooses ids (T,) from the logits (T, V) of T consecutive steps; the integer is how many steps ahead the first one is.
Choice = Callable[[Tensor, int], Tensor]

# The known token is read together with the guesses. With a trained model, 99 of 100 guesses were right.
MOST_GUESSES = MOST_ROWS - 1
# Fewest new tokens for which the copy pays: making it takes as long as about ten tokens.
WORTH_FROM = 32


@dataclass(frozen=True)
class Speculation:
    """The decoder that guesses, in 8 bits, and the one that checks, in fp32."""

    guessing: Decoder
    checking: Decoder

    @classmethod
    def of(cls, model: GPT, tokens: int) -> "Speculation | None":
        """Return the decoders for texts of `tokens` new tokens, or None if they would not pay.

        That is on a device whose memory is fast compared with the cost of a call, in other precisions than fp32, and for few
        tokens.
        """
        weight = model.head_VE
        if weight.device.type != "cpu" or weight.dtype != torch.float32 or tokens < WORTH_FROM:
            return None
        threads = Threads(torch.get_num_threads())
        return cls(Decoder(model, partial(EightBits, threads=threads)), Decoder(model, partial(FewRows, threads=threads)))

    def continued(self, token_11: Tensor, cache: Cache, guesses: int, choice: Choice) -> tuple[Tensor, Tensor]:
        """Return 1 to `guesses` + 1 ids that follow `token_11`, int64 (T,), and the logits of all tokens read.

        The cache, of one row, holds all of the text except its last token, before and after.
        """
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
    """Run torch on one thread within the block.

    What it computes between the products is too small to share, and its idle threads spin on the cores that the products need.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
