"""How much arithmetic training takes, and how much this machine can do: their ratio is the share of the peak that is used.

The peak is measured, not looked up: tables of processors say what no shared machine delivers, and on these it drifts.
"""

import time

import torch

from model.config import ModelConfig
from model.gpt import GPT, parameter_count


def operations_a_token(model: GPT, mean_context: float) -> float:
    """Floating-point operations of a forward and a backward pass for one token.

    Six for each parameter that is multiplied (two forward, four backward: Kaplan et al. 2020, 2.1), the output matrix
    among them and the embedding, which is looked up, not; and 12 x layers x width for each token that is attended to, of which
    there are `mean_context` on average.
    """
    config: ModelConfig = model.config
    matrices = parameter_count(model, embeddings=False) + config.vocabulary_size * config.width
    return 6 * matrices + 12 * config.layers * config.width * mean_context


def measured_peak(device: torch.device, precision: torch.dtype, seconds: float = 0.2) -> float:
    """Operations a second of square matrix products, the best of those that fit into `seconds`."""
    # Large enough that the product is bound by arithmetic, small enough to be done several times.
    side = 2048 if device.type == "cpu" else 8192
    a, b = (torch.ones(side, side, dtype=precision, device=device) for _ in range(2))
    best = float("inf")
    deadline = time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        torch.mm(a, b)
        if device.type == "cuda":
            torch.cuda.synchronize()
        end = time.perf_counter()
        best = min(best, end - start)
        if end > deadline:
            return 2 * side**3 / best
