"""Products of one to five rows with a matrix, for generation on a CPU, where reading the matrix is nearly all the time.

A library of matrix products copies a matrix into an order of its own before it multiplies more than some three rows, which
pays for hundreds of rows and takes as long as all else for five. Here each row of the matrix is read once and meets all five.
And a matrix in 8 bits is a quarter of one in fp32: what is read in a quarter of the time suffices to guess the next token.

Shapes: R rows, K numbers of a row, N rows of the matrix.
"""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# Five sums and what they need are as many as stay in registers; a sixth row costs more than a sixth of a fifth.
MOST_ROWS = 5
_LARGEST = 127  # of 8 bits with a sign, the same on both sides of zero

# Numbers of a matrix from which on another thread is asked: to wake it takes as long as reading some ten thousand.
_SHARED_FROM = 2**20

# Sums in the order that is fastest; products and sums in one instruction.
_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})


class Threads:
    """What divides the rows of a matrix among so many threads. Compiled code runs without Python's lock."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._others = ThreadPoolExecutor(count - 1) if count > 1 else None

    def run(self, compiled: Callable[..., None], matrix_NK: np.ndarray, *arrays: np.ndarray) -> None:
        """Call `compiled` with the matrix, the arrays, and the first row and the end of each part."""
        rows = len(matrix_NK)
        if self._others is None or matrix_NK.size < _SHARED_FROM:
            compiled(matrix_NK, *arrays, 0, rows)
            return
        bounds = [rows * part // self._count for part in range(self._count + 1)]
        parts = [self._others.submit(compiled, matrix_NK, *arrays, start, stop) for start, stop in itertools.pairwise(bounds[1:])]
        compiled(matrix_NK, *arrays, 0, bounds[1])
        for part in parts:
            part.result()


class FewRows:
    """Up to `MOST_ROWS` rows times the transpose of a matrix, plus a bias: `functional.linear`, in fp32."""

    def __init__(self, weight_NK: Tensor, bias_N: Tensor | None, threads: Threads) -> None:
        """weight_NK: fp32, on a CPU; read where it is."""
        self._weight_NK, self._bias_N, self._threads = weight_NK.detach().numpy(), bias_N, threads

    def __call__(self, x: Tensor) -> Tensor:
        """x: fp32 (..., K); the result has N in place of K."""
        x_RK = x.reshape(-1, x.shape[-1])
        x_5K = x_RK if len(x_RK) == MOST_ROWS else functional.pad(x_RK, (0, 0, 0, MOST_ROWS - len(x_RK)))
        out_5N = torch.empty(MOST_ROWS, len(self._weight_NK))
        self._threads.run(_five_rows, self._weight_NK, x_5K.contiguous().numpy(), out_5N.numpy())
        return _with_bias(out_5N[: len(x_RK)], self._bias_N).view(*x.shape[:-1], -1)


class EightBits:
    """One row times the transpose of a matrix rounded to 8 bits, plus a bias.

    Each row of the matrix has a scale of its own, by which its greatest number is 127.
    """

    def __init__(self, weight_NK: Tensor, bias_N: Tensor | None, threads: Threads) -> None:
        """weight_NK: fp32, on a CPU; a rounded copy of it is made."""
        self._rounded_NK, self._scales_N = np.empty(weight_NK.shape, np.int8), np.empty(len(weight_NK), np.float32)
        threads.run(_round, weight_NK.detach().numpy(), self._rounded_NK, self._scales_N)
        self._bias_N, self._threads = bias_N, threads

    def __call__(self, x: Tensor) -> Tensor:
        """x: fp32 (..., K), one row; the result has N in place of K."""
        out_N = torch.empty(len(self._scales_N))
        self._threads.run(_one_row, self._rounded_NK, self._scales_N, x.reshape(-1).numpy(), out_N.numpy())
        return _with_bias(out_N, self._bias_N).view(*x.shape[:-1], -1)


def _with_bias(x: Tensor, bias_N: Tensor | None) -> Tensor:
    return x if bias_N is None else x.add_(bias_N)


@_compiled
def _round(weight_NK: np.ndarray, rounded_NK: np.ndarray, scales_N: np.ndarray, start: int, stop: int) -> None:
    for n in range(start, stop):
        greatest = np.float32(0)
        for k in range(weight_NK.shape[1]):
            greatest = max(greatest, abs(weight_NK[n, k]))
        scales_N[n] = greatest / np.float32(_LARGEST)
        # A row of zeros stays one, whatever it is multiplied by.
        steps = np.float32(_LARGEST) / greatest if greatest > 0 else np.float32(0)
        for k in range(weight_NK.shape[1]):
            rounded_NK[n, k] = np.int8(np.rint(weight_NK[n, k] * steps))


@_compiled
def _five_rows(weight_NK: np.ndarray, x_5K: np.ndarray, out_5N: np.ndarray, start: int, stop: int) -> None:
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
def _one_row(rounded_NK: np.ndarray, scales_N: np.ndarray, x_K: np.ndarray, out_N: np.ndarray, start: int, stop: int) -> None:
    for n in range(start, stop):
        total = np.float32(0)
        for k in range(rounded_NK.shape[1]):
            total += np.float32(rounded_NK[n, k]) * x_K[k]
        out_N[n] = total * scales_N[n]
