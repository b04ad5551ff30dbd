"""Products of one to five rows with a matrix, for generation on a CPU, where reading the matrix is nearly all the time.

A library of matrix products copies a matrix into an order of its own before it multiplies more than some three rows, which
pays for hundreds of rows and takes as long as all else for five. Here each row of the matrix is read once and meets all five.
And a matrix in 8 bits is a quarter of one in fp32: what is read in a quarter of the time suffices to guess the next token.

Shapes: R rows, K numbers of a row, N rows of the matrix.
"""

import numba
import numpy as np
import torch
from torch import Tensor

# Five sums and what they need are as many as stay in registers; a sixth row costs more than a sixth of a fifth.
MOST_ROWS = 5
_LARGEST = 127  # of 8 bits with a sign, the same on both sides of zero
# Rows turned into 8 bits at once: what is written in between stays in the second-level cache.
_ROWS_AT_ONCE = 256

# Sums in the order that is fastest; products and sums in one instruction.
_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})


class FewRows:
    """Up to `MOST_ROWS` rows times the transpose of a matrix, plus a bias: `functional.linear`, in fp32."""

    def __init__(self, weight_NK: Tensor, bias_N: Tensor | None) -> None:
        """weight_NK: fp32, on a CPU; read where it is."""
        self._weight_NK, self._bias_N = weight_NK.detach().numpy(), bias_N

    def __call__(self, x: Tensor) -> Tensor:
        """x: fp32 (..., K); the result has N in place of K."""
        x_RK = x.reshape(-1, x.shape[-1])
        x_5K = torch.zeros(MOST_ROWS, x_RK.shape[1])
        x_5K[: len(x_RK)] = x_RK
        out_5N = torch.empty(MOST_ROWS, len(self._weight_NK))
        _five_rows(self._weight_NK, x_5K.numpy(), out_5N.numpy())
        return _with_bias(out_5N[: len(x_RK)], self._bias_N).view(*x.shape[:-1], -1)


class EightBits:
    """One row times the transpose of a matrix rounded to 8 bits, plus a bias.

    Each row of the matrix has a scale of its own, by which its greatest number is 127.
    """

    def __init__(self, weight_NK: Tensor, bias_N: Tensor | None) -> None:
        """weight_NK: fp32, on a CPU; a rounded copy of it is made."""
        rounded_NK = torch.empty(weight_NK.shape, dtype=torch.int8)
        scales_N = torch.empty(len(weight_NK))
        for start in range(0, len(weight_NK), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            weight_PK = weight_NK.detach()[part]
            # A row of zeros has any scale but zero.
            scales_N[part] = (weight_PK.abs().amax(1) / _LARGEST).clamp_min(torch.finfo(torch.float32).tiny)
            rounded_NK[part] = (weight_PK / scales_N[part, None]).round_()
        self._rounded_NK, self._scales_N, self._bias_N = rounded_NK.numpy(), scales_N.numpy(), bias_N

    def __call__(self, x: Tensor) -> Tensor:
        """x: fp32 (..., K), one row; the result has N in place of K."""
        out_N = torch.empty(len(self._scales_N))
        _one_row(self._rounded_NK, self._scales_N, x.reshape(-1).numpy(), out_N.numpy())
        return _with_bias(out_N, self._bias_N).view(*x.shape[:-1], -1)


def _with_bias(x: Tensor, bias_N: Tensor | None) -> Tensor:
    return x if bias_N is None else x.add_(bias_N)


@_compiled
def _five_rows(weight_NK: np.ndarray, x_5K: np.ndarray, out_5N: np.ndarray) -> None:
    zero = np.float32(0)
    for n in range(weight_NK.shape[0]):
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
def _one_row(rounded_NK: np.ndarray, scales_N: np.ndarray, x_K: np.ndarray, out_N: np.ndarray) -> None:
    for n in range(rounded_NK.shape[0]):
        total = np.float32(0)
        for k in range(rounded_NK.shape[1]):
            total += np.float32(rounded_NK[n, k]) * x_K[k]
        out_N[n] = total * scales_N[n]
