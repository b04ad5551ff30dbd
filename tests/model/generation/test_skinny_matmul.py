"""Products of few rows, compared with torch's own."""

import pytest
import torch
from torch.nn import functional

from model.generation import skinny_matmul
from model.generation.skinny_matmul import MOST_ROWS, EightBits, FewRows, Threads

GENERATOR = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("rows", range(1, MOST_ROWS + 1))
@pytest.mark.parametrize("has_bias", [False, True])
def test_few_rows_are_multiplied_as_torch_does(rows: int, has_bias: bool) -> None:
    weight_NK, x_1RK = torch.randn(37, 70, generator=GENERATOR), torch.randn(1, rows, 70, generator=GENERATOR)
    bias_N = torch.randn(37, generator=GENERATOR) if has_bias else None
    torch.testing.assert_close(FewRows(weight_NK, bias_N, Threads(1))(x_1RK), functional.linear(x_1RK, weight_NK, bias_N))


def test_few_rows_see_what_becomes_of_the_matrix() -> None:
    weight_NK, x_RK = torch.randn(6, 8, generator=GENERATOR), torch.randn(2, 8, generator=GENERATOR)
    multiply = FewRows(weight_NK, None, Threads(1))
    weight_NK.mul_(2)
    torch.testing.assert_close(multiply(x_RK), x_RK @ weight_NK.T)


@pytest.mark.parametrize("has_bias", [False, True])
def test_eight_bits_round_each_row_to_127_steps_of_its_own(has_bias: bool) -> None:
    # Rows whose sizes span six orders of magnitude, and one of zeros.
    weight_NK = torch.randn(300, 64, generator=GENERATOR) * torch.logspace(-3, 3, 300)[:, None]
    weight_NK[7] = 0
    bias_N = torch.randn(300, generator=GENERATOR) if has_bias else None
    x_11K = torch.randn(1, 1, 64, generator=GENERATOR)
    scales_N1 = weight_NK.abs().amax(1, keepdim=True).clamp_min(1e-30) / 127
    rounded_NK = (weight_NK / scales_N1).round() * scales_N1
    out_11N = EightBits(weight_NK, bias_N, Threads(1))(x_11K)
    torch.testing.assert_close(out_11N, functional.linear(x_11K, rounded_NK, bias_N), rtol=1e-4, atol=1e-4)
    weight_NK.zero_()
    assert float(out_11N.abs().max()) > 0


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("rows", [2, 5, 37])
def test_threads_share_the_rows_of_a_matrix_and_leave_none_out(count: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skinny_matmul, "SHARED_FROM", 0)
    weight_NK, x_1K = torch.randn(rows, 33, generator=GENERATOR), torch.randn(1, 33, generator=GENERATOR)
    for multiply in (FewRows, EightBits):
        alone, shared = (multiply(weight_NK, None, Threads(threads))(x_1K) for threads in (1, count))
        assert torch.equal(alone, shared)
