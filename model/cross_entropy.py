"""The loss of next-token prediction, computed in chunks so that the logits of all tokens never exist at once.

The logits of 8 windows of 1,024 tokens over 32,000 ids take a gigabyte in fp32, and writing and reading them costs more than
the arithmetic. So the forward pass computes the loss *and* the gradients of one chunk of tokens after the other, while the
chunk's logits are in memory, and the backward pass only scales the gradients. Softmax and loss are fp32, whatever the dtype of
the matrix products.

Chunks are sized for the matrix products: each product reads the whole output matrix, and its gradient is read and written.
Element-wise work goes over a chunk in smaller blocks, which stay in a core's cache from the first pass to the last.

Shapes: N tokens, E width, V vocabulary, C tokens of a chunk, K tokens of a block.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

IGNORE = -100  # the target of padding: no loss, no gradient (torch's own convention)

# 512 tokens over 32,000 ids: products of 128 tokens reach three quarters of a CPU's peak, of 512 more than nine tenths. GPUs
# need larger ones.
CPU_CHUNK_LOGITS = 2**24
_GPU_CHUNK_LOGITS = 2**28
# 1 MiB of fp32, the second-level cache of a server core; a GPU hides memory latency by its many threads.
CPU_BLOCK_LOGITS = 2**18
_GPU_BLOCK_LOGITS = _GPU_CHUNK_LOGITS


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NE: Tensor, head_VE: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
        needs_gradient = x_NE.requires_grad or head_VE.requires_grad
        device = x_NE.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x_NE.dtype
        sums_dtype = torch.promote_types(dtype, torch.float32)
        head = head_VE.to(dtype)
        chunk = max(1, (CPU_CHUNK_LOGITS if device == "cpu" else _GPU_CHUNK_LOGITS) // head.shape[0])
        losses_N = torch.empty(x_NE.shape[0], dtype=sums_dtype, device=x_NE.device)
        gradient_NE = torch.empty_like(x_NE) if needs_gradient else None
        gradient_VE = torch.zeros_like(head_VE, dtype=sums_dtype) if needs_gradient else None
        # Allocated once: fresh memory of this size costs a page fault per 4 KiB, a quarter of the product's time.
        buffer_CV = torch.empty(min(chunk, x_NE.shape[0]), head.shape[0], dtype=dtype, device=x_NE.device)
        with torch.autocast(device, enabled=False):
            for start in range(0, x_NE.shape[0], chunk):
                part = slice(start, start + chunk)
                x_CE, targets_C = x_NE[part].to(dtype), targets_N[part]
                logits_CV = torch.mm(x_CE, head.T, out=buffer_CV[: len(x_CE)])
                losses_N[part] = _losses(logits_CV, targets_C, sums_dtype, leave_gradient=needs_gradient)
                if gradient_NE is None or gradient_VE is None:
                    continue
                gradient_NE[part] = logits_CV @ head
                if dtype == sums_dtype:
                    gradient_VE.addmm_(logits_CV.T, x_CE)
                else:
                    gradient_VE += logits_CV.T @ x_CE
        ctx.gradients = [(gradient_NE, gradient_VE)]
        ctx.mark_non_differentiable(losses_N)
        return losses_N.sum(), losses_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None]:
        if not ctx.gradients:
            raise RuntimeError("cross_entropy cannot be differentiated a second time: its gradients were scaled in place")
        gradient_NE, gradient_VE = ctx.gradients.pop()
        return gradient_NE.mul_(scale), gradient_VE.mul_(scale), None


def _losses(logits_CV: Tensor, targets_C: Tensor, sums_dtype: torch.dtype, *, leave_gradient: bool) -> Tensor:
    """Return the loss of each token, (C,). With `leave_gradient`, overwrite the logits with its gradient."""
    losses = []
    size = CPU_BLOCK_LOGITS if logits_CV.device.type == "cpu" else _GPU_BLOCK_LOGITS
    rows = max(1, size // logits_CV.shape[1])
    for stored_KV, targets_K in zip(logits_CV.split(rows), targets_C.split(rows), strict=True):
        logits_KV = stored_KV.to(sums_dtype)
        valid_K1 = (targets_K != IGNORE)[:, None]
        targets_K1 = targets_K[:, None].clamp_min(0)
        normalizer_K1 = logits_KV.logsumexp(-1, keepdim=True)
        losses.append(((normalizer_K1 - logits_KV.gather(1, targets_K1)) * valid_K1).squeeze(1))
        if leave_gradient:
            # The gradient of the loss with respect to the logits is softmax minus the one-hot target.
            gradient_KV = logits_KV.sub_(normalizer_K1).exp_()
            gradient_KV.scatter_add_(1, targets_K1, torch.full_like(normalizer_K1, -1)).mul_(valid_K1)
            if gradient_KV is not stored_KV:
                stored_KV.copy_(gradient_KV)
    return torch.cat(losses)


_apply: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = _ChunkedCrossEntropy.apply


def cross_entropy(x_NE: Tensor, head_VE: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
    """Return the summed loss in nats of predicting `targets_N` from `x_NE @ head_VE.T`, and each token's loss, (N,), detached.

    targets_N: int64; `IGNORE` counts as 0. The sum can be differentiated once with respect to `x_NE` and `head_VE`. Under
    autocast the products run in its dtype.
    """
    return _apply(x_NE, head_VE, targets_N)
