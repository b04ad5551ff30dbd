"""The chunked loss, compared with the loss of whole logits."""

import pytest
import torch
from torch.nn import functional

from model import cross_entropy as module
from model.cross_entropy import IGNORE, cross_entropy


def test_the_loss_of_a_known_distribution() -> None:
    # q = [0.7, 0.2, 0.1] against the first class: -ln 0.7.
    logits = torch.tensor([[0.7, 0.2, 0.1]]).log()
    total, _ = cross_entropy(logits, torch.eye(3), torch.tensor([0]))
    assert round(float(total), 3) == 0.357


@pytest.mark.parametrize(("chunk_logits", "block_logits"), [(1, 1), (3 * 11, 2 * 11), (2**24, 3 * 11), (2**24, 2**18)])
def test_chunks_and_blocks_give_the_values_and_gradients_of_whole_logits(
    chunk_logits: int, block_logits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CPU_CHUNK_LOGITS", chunk_logits)
    monkeypatch.setattr(module, "CPU_BLOCK_LOGITS", block_logits)
    generator = torch.Generator().manual_seed(0)
    x_NE = torch.randn(20, 6, generator=generator, dtype=torch.float64)
    head_VE = torch.randn(11, 6, generator=generator, dtype=torch.float64)
    targets_N = torch.randint(0, 11, (20,), generator=generator)
    targets_N[[3, 19]] = IGNORE
    results = []
    for chunked in (True, False):
        x, head = x_NE.clone().requires_grad_(), head_VE.clone().requires_grad_()
        if chunked:
            total, losses_N = cross_entropy(x, head, targets_N)
        else:
            losses_N = functional.cross_entropy(x @ head.T, targets_N, reduction="none", ignore_index=IGNORE)
            total = losses_N.sum()
        (total / 18).backward()
        results.append((total, losses_N, x.grad, head.grad))
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-12)


def test_in_bf16_loss_and_softmax_stay_fp32() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 32, generator=generator).requires_grad_()
    head = torch.randn(100, 32, generator=generator).requires_grad_()
    targets_N = torch.randint(0, 100, (64,), generator=generator)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total, losses_N = cross_entropy(x, head, targets_N)
    total.backward()
    expected = functional.cross_entropy(x @ head.T, targets_N, reduction="sum")
    gradients = torch.autograd.grad(expected, (x, head))
    assert total.dtype == losses_N.dtype == torch.float32
    assert float(total) == pytest.approx(float(expected), rel=1e-2)
    for ours, exact in zip((x.grad, head.grad), gradients, strict=True):
        assert ours is not None
        assert float((ours - exact).norm() / exact.norm()) < 1e-2


def test_a_second_backward_pass_is_refused_as_the_first_scales_in_place() -> None:
    x = torch.randn(4, 3).requires_grad_()
    total, _ = cross_entropy(x, torch.randn(5, 3), torch.tensor([0, 1, 2, IGNORE]))
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="a second time"):
        total.backward()


def test_without_gradients_none_are_computed() -> None:
    x, head = torch.randn(4, 3), torch.randn(5, 3)
    with torch.no_grad():
        total, _ = cross_entropy(x, head.requires_grad_(), torch.tensor([0, 1, 2, IGNORE]))
    assert not total.requires_grad
