"""The arithmetic that training needs and the speed at which this machine can do it: their ratio is the share of the peak used.

The peak is measured, not looked up in tables of processors: shared machines do not deliver the nominal speed, and theirs varies.
"""

import time

import torch

from model.gpt import GPT, parameter_count


def operations_per_token(model: GPT, mean_context: float) -> float:
    """Return the floating-point operations of a forward and a backward pass for one token.

    Six per multiplied parameter (two forward, four backward: Kaplan et al. 2020, 2.1), which includes the output matrix but not
    the embedding, which is looked up; and 12 x layers x width for each of the `mean_context` tokens attended to on average.
    """
    config = model.config
    matrices = parameter_count(model, embeddings=False) + config.vocabulary_size * config.width
    return 6 * matrices + 12 * config.layers * config.width * mean_context


def measured_peak(device: torch.device, precision: torch.dtype, seconds: float = 0.2) -> float:
    """Return the operations per second of square matrix products, the best of as many as fit into `seconds`."""
    # Large enough that arithmetic limits the speed, small enough to be repeated.
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
