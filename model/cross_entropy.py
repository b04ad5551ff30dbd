"""The loss of next-token prediction, without ever holding the logits of all tokens.

The logits of 8 windows of 1,024 tokens over 32,000 ids are a gigabyte in fp32, and writing and reading them costs more than
the arithmetic. Here a chunk of tokens at a time is taken from hidden state to loss *and* to gradients while its logits are
at hand, so that the backward pass only scales what is there. Softmax and loss are fp32 whatever the matrix products are.

Shapes: N tokens, E width, V vocabulary.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

IGNORE = -100  # the target of padding: no loss, no gradient (torch's own convention)

# Logits of a chunk: 16 MiB of fp32 stay within reach of a CPU's caches; a GPU wants long products instead.
_CPU_CHUNK_LOGITS = 2**22
_GPU_CHUNK_LOGITS = 2**28


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NE: Tensor, head_VE: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
        needs_gradient = x_NE.requires_grad or head_VE.requires_grad
        device = x_NE.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x_NE.dtype
        sums_dtype = torch.promote_types(dtype, torch.float32)
        head = head_VE.to(dtype)
        chunk = max(1, (_CPU_CHUNK_LOGITS if device == "cpu" else _GPU_CHUNK_LOGITS) // head.shape[0])
        losses_N = torch.empty(x_NE.shape[0], dtype=sums_dtype, device=x_NE.device)
        gradient_NE = torch.empty_like(x_NE) if needs_gradient else None
        gradient_VE = torch.zeros_like(head_VE, dtype=sums_dtype) if needs_gradient else None
        with torch.autocast(device, enabled=False):
            for start in range(0, x_NE.shape[0], chunk):
                part = slice(start, start + chunk)
                x, targets = x_NE[part].to(dtype), targets_N[part, None]
                valid = targets != IGNORE
                targets = targets.clamp_min(0)
                logits = (x @ head.T).to(sums_dtype)
                normalizer = logits.logsumexp(-1, keepdim=True)
                losses_N[part] = ((normalizer - logits.gather(1, targets)) * valid).squeeze(1)
                if gradient_NE is None or gradient_VE is None:
                    continue
                # The gradient of the loss in the logits is softmax minus the one-hot target.
                gradient = logits.sub_(normalizer).exp_()
                gradient.scatter_add_(1, targets, torch.full_like(normalizer, -1))
                gradient = gradient.mul_(valid).to(dtype)
                gradient_NE[part] = gradient @ head
                if dtype == sums_dtype:
                    gradient_VE.addmm_(gradient.T, x)
                else:
                    gradient_VE += gradient.T @ x
        ctx.save_for_backward(gradient_NE, gradient_VE)
        ctx.mark_non_differentiable(losses_N)
        return losses_N.sum(), losses_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None]:
        gradient_NE, gradient_VE = ctx.saved_tensors
        return gradient_NE * scale, gradient_VE * scale, None


def cross_entropy(x_NE: Tensor, head_VE: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
    """The summed loss in nats of predicting `targets_N` from `x_NE @ head_VE.T`, and each token's own, (N,), detached.

    targets_N: int64; `IGNORE` counts nothing. The sum can be differentiated once in `x_NE` and `head_VE`. Under autocast the
    products run in its dtype.
    """
    total, losses_N = _ChunkedCrossEntropy.apply(x_NE, head_VE, targets_N)
    return total, losses_N
