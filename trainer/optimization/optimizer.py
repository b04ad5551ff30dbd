"""AdamW over two groups of parameters: matrices decay, everything else does not.

Decay is decoupled: each step shrinks a decaying parameter by the factor 1 - learning rate * decay, beside Adam's update and
not through its moments (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2). It acts on what has two dimensions or
more, that is on the weights of linear layers and on embeddings (nanoGPT, `configure_optimizers`, decays embeddings too, and
a tied head shares its matrix with one). Gains of norms and biases have one dimension: pulling a gain towards 0 would only
weaken the layer it belongs to.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW


@dataclass(frozen=True, eq=False)
class ParameterGroup:
    """Trained parameters that share a weight decay, in the order of the model; `names[i]` is the name of `parameters[i]`."""

    weight_decay: float
    names: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]


def parameter_groups(model: nn.Module, weight_decay: float) -> list[ParameterGroup]:
    """The parameters that decay and those that do not, in this order; a group without parameters is left out.

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
    """One line a group: its decay, its tensors, its parameters and its names, those of like layers in one word."""
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
    """AdamW over the groups of `model`; the loop sets the learning rate of every group before each step.

    The defaults are those with which GPT-3 was trained (Brown et al. 2020, arXiv 2005.14165, appendix B). The fused kernel
    is used on CPU and CUDA, where torch has one for every floating-point type that parameters are kept in.
    """
    groups = parameter_groups(model, weight_decay)
    fused = all(parameter.device.type in ("cpu", "cuda") for group in groups for parameter in group.parameters)
    settings = [{"params": list(group.parameters), "weight_decay": group.weight_decay} for group in groups]
    return AdamW(settings, lr=learning_rate, betas=betas, eps=epsilon, fused=fused)
