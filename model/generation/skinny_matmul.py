"""Products of one to five rows with a matrix, for generation on a CPU, where reading the matrix takes nearly all the time.

For more than about three rows, BLAS libraries first copy the matrix into a layout of their own, which pays for hundreds of rows
but doubles the time for five. Here each row of the matrix is read once and multiplied with all five. A matrix in 8 bits is a
quarter the size of one in fp32, so it is read in a quarter of the time, and it is precise enough to guess the next token.

Shapes: R rows, K numbers of a row, N rows of the matrix.
"""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numba
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

# Five accumulators and their operands are the most that fit in registers; a sixth row would cost more than its share.
MOST_ROWS = 5
Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.int8]

_LARGEST = 127  # of signed 8-bit numbers, symmetric around zero

# Smallest matrix, in elements, that is shared between threads: waking one costs as much as reading about ten thousand.
SHARED_FROM = 2**20

# Sums may be reordered, and products and sums fused into one instruction.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract"}}


def _compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Compile `function`, and keep the machine code where numba can write; these functions call none of other files."""
    try:
        compiled = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # numba found no folder that can be written: compile in each process
        compiled = numba.njit(**_OPTIONS)(function)
    return cast("Callable[..., None]", compiled)


class Threads:
    """Threads that share the rows of a matrix. Compiled code runs without Python's global lock."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._others = ThreadPoolExecutor(count - 1) if count > 1 else None

    def run(self, compiled: Callable[..., None], matrix_NK: npt.NDArray[Any], *arrays: npt.NDArray[Any]) -> None:
        """Call `compiled` once per part of the rows: with the matrix, the arrays, and the part's first and end row."""
        rows = len(matrix_NK)
        if self._others is None or matrix_NK.size < SHARED_FROM:
            compiled(matrix_NK, *arrays, 0, rows)
            return
        bounds = [rows * part // self._count for part in range(self._count + 1)]
        parts = [self._others.submit(compiled, matrix_NK, *arrays, start, stop) for start, stop in itertools.pairwise(bounds[1:])]
        compiled(matrix_NK, *arrays, 0, bounds[1])
        for part in parts:
            part.result()


class FewRows:
    """`functional.linear` in fp32 for up to `MOST_ROWS` rows."""

    def __init__(self, weight_NK: Tensor, bias_N: Tensor | None, threads: Threads) -> None:
        """weight_NK: fp32, on a CPU; it is not copied."""
        self._weight_NK, self._bias_N, self._threads = weight_NK.detach().numpy(), bias_N, threads

    def __call__(self, x: Tensor) -> Tensor:
        """Return the product, fp32 (..., N), with `x`, fp32 (..., K)."""
        x_RK = x.reshape(-1, x.shape[-1])
        x_5K = x_RK if len(x_RK) == MOST_ROWS else functional.pad(x_RK, (0, 0, 0, MOST_ROWS - len(x_RK)))
        out_5N = torch.empty(MOST_ROWS, len(self._weight_NK))
        self._threads.run(_five_rows, self._weight_NK, x_5K.contiguous().numpy(), out_5N.numpy())
        return _with_bias(out_5N[: len(x_RK)], self._bias_N).view(*x.shape[:-1], -1)


class EightBits:
    """`functional.linear` for one row, with the matrix rounded to 8 bits.

    Each row of the matrix has its own scale, which maps its largest absolute value to 127.
    """

    def __init__(self, weight_NK: Tensor, bias_N: Tensor | None, threads: Threads) -> None:
        """weight_NK: fp32, on a CPU; it is copied and rounded."""
        self._rounded_NK, self._scales_N = np.empty(weight_NK.shape, np.int8), np.empty(len(weight_NK), np.float32)
        threads.run(_round, weight_NK.detach().numpy(), self._rounded_NK, self._scales_N)
        self._bias_N, self._threads = bias_N, threads

    def __call__(self, x: Tensor) -> Tensor:
        """Return the product, fp32 (..., N), with `x`, one row, fp32 (..., K)."""
        out_N = torch.empty(len(self._scales_N))
        self._threads.run(_one_row, self._rounded_NK, self._scales_N, x.reshape(-1).numpy(), out_N.numpy())
        return _with_bias(out_N, self._bias_N).view(*x.shape[:-1], -1)


def _with_bias(x: Tensor, bias_N: Tensor | None) -> Tensor:
    return x if bias_N is None else x.add_(bias_N)


@_compiled
def _round(weight_NK: Floats, rounded_NK: Bytes, scales_N: Floats, start: int, stop: int) -> None:
    for n in range(start, stop):
        greatest = np.float32(0)
        for k in range(weight_NK.shape[1]):
            greatest = max(greatest, abs(weight_NK[n, k]))
        scales_N[n] = greatest / np.float32(_LARGEST)
        # A row of zeros stays zero.
        steps = np.float32(_LARGEST) / greatest if greatest > 0 else np.float32(0)
        for k in range(weight_NK.shape[1]):
            rounded_NK[n, k] = np.int8(np.rint(weight_NK[n, k] * steps))


@_compiled
def _five_rows(weight_NK: Floats, x_5K: Floats, out_5N: Floats, start: int, stop: int) -> None:
    zero = np.float32(0)
    for n in range(start, stop):
        first, second, third, fourth, fifth = zero, zero, zero, zero, zero
        for k in range(weight_NK.shape[1]):
            weight = weight_NK[n, k]
            first += weight * x_5K[0, k]
            second += weight * x_5K[1, k]
            third += weight * x_5K[2, k]
            fourth += weight * x_5K[3, k]
            fifth += weight * x_5K[4, k]
        out_5N[0, n], out_5N[1, n], out_5N[2, n], out_5N[3, n], out_5N[4, n] = first, second, third, fourth, fifth


@_compiled
def _one_row(rounded_NK: Bytes, scales_N: Floats, x_K: Floats, out_N: Floats, start: int, stop: int) -> None:
    for n in range(start, stop):
        total = np.float32(0)
        for k in range(rounded_NK.shape[1]):
            total += np.float32(rounded_NK[n, k]) * x_K[k]
        out_N[n] = total * scales_N[n]
