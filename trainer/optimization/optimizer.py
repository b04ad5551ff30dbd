"""AdamW over two groups of parameters: matrices decay, everything else does not.

Decay is decoupled: each step multiplies a decaying parameter by 1 - learning rate * decay, separately from Adam's update and its
moments (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2). It applies to parameters with two or more dimensions, which
are the weights of linear layers and embeddings (as in nanoGPT's `configure_optimizers`; a tied head is an embedding). Gains of
norms and biases have one dimension: pulling a gain towards 0 would only weaken its layer.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW


@dataclass(frozen=True, eq=False)
class ParameterGroup:
    """Trained parameters with one weight decay, in the order of the model; `names[i]` is the name of `parameters[i]`."""

    weight_decay: float
    names: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]


def parameter_groups(model: nn.Module, weight_decay: float) -> list[ParameterGroup]:
    """Return the parameters that decay and those that do not, in this order, without empty groups.

    A parameter that two modules share is listed once, under its first name; one that needs no gradient is not listed.
    """
    decaying: dict[str, nn.Parameter] = {}
    others: dict[str, nn.Parameter] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (decaying if parameter.ndim >= 2 else others)[name] = parameter
    return [
        ParameterGroup(decay, tuple(members), tuple(members.values()))
        for decay, members in ((weight_decay, decaying), (0.0, others))
        if members
    ]


def describe(groups: Iterable[ParameterGroup]) -> str:
    """Return one line per group: its decay, tensors, parameters and names, with those of repeated layers merged."""
    lines = []
    for group in groups:
        count = sum(parameter.numel() for parameter in group.parameters)
        words = Counter(re.sub(r"\b\d+\b", "*", name) for name in group.names)
        names = ", ".join(name if number == 1 else f"{name} ({number})" for name, number in words.items())
        lines.append(f"weight decay {group.weight_decay:g}: {len(group.names):,} tensors, {count:,} parameters: {names}")
    return "\n".join(lines)


def adamw(
    model: nn.Module,
    learning_rate: float,
    *,
    weight_decay: float = 0.1,
    betas: tuple[float, float] = (0.9, 0.95),
    epsilon: float = 1e-8,
) -> AdamW:
    """Return AdamW over the groups of `model`; the loop sets the learning rate of every group before each step.

    The defaults are GPT-3's (Brown et al. 2020, arXiv 2005.14165, appendix B). The fused kernel is used on CPU and CUDA, where
    torch has one for every floating-point type of parameters.
    """
    groups = parameter_groups(model, weight_decay)
    fused = all(parameter.device.type in ("cpu", "cuda") for group in groups for parameter in group.parameters)
    settings = [{"params": list(group.parameters), "weight_decay": group.weight_decay} for group in groups]
    return AdamW(settings, lr=learning_rate, betas=betas, eps=epsilon, fused=fused)
