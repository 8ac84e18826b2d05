"""The rules by names, types and dimensions that are in use, each as a function from a model to decayed names.

They are here to be compared with the plan (and to be chosen as a policy by who must reproduce a run).
Every rule names its source; all are written from the behaviour of that source and tested against it
where it can be installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch

import torch
from torch import nn

Rule = Callable[[nn.Module], set[str]]


@dataclass(frozen=True)
class Owned:
    """A parameter with its full name, the name in its owner, and the modules above it (outermost first)."""

    name: str
    leaf: str
    tensor: torch.Tensor
    owners: tuple[nn.Module, ...]


def owned(model: nn.Module) -> Iterator[Owned]:
    """Every distinct parameter with the chain of modules that hold it."""
    seen: set[int] = set()
    modules = dict(model.named_modules(remove_duplicate=False))
    for path, module in modules.items():
        for leaf, tensor in module._parameters.items():
            if tensor is None or id(tensor) in seen:
                continue
            seen.add(id(tensor))
            parts = path.split(".") if path else []
            above = [modules[".".join(parts[:i])] for i in range(len(parts) + 1)]
            yield Owned(f"{path}.{leaf}" if path else leaf, leaf, tensor, tuple(above))


def nanogpt(model: nn.Module) -> set[str]:
    """ndim >= 2 decays (nanoGPT, model.py, configure_optimizers)."""
    return {o.name for o in owned(model) if o.tensor.dim() >= 2}


def timm(model: nn.Module) -> set[str]:
    """ndim > 1, no name ending ".bias", not in ``model.no_weight_decay()`` (timm, param_groups_weight_decay)."""
    hand = getattr(model, "no_weight_decay", None)
    listed = set(hand()) if callable(hand) else set()
    return {
        o.name
        for o in owned(model)
        if o.tensor.dim() > 1 and not o.name.endswith(".bias") and not any(fnmatch(o.name, p) for p in listed)
    }


_HF = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)")


def hf(model: nn.Module) -> set[str]:
    """Not inside nn.LayerNorm, name without bias/layernorm/rmsnorm/norm patterns (transformers Trainer)."""

    def inside(o: Owned) -> bool:
        return any(isinstance(m, nn.LayerNorm) for m in o.owners[1:])

    return {o.name for o in owned(model) if not inside(o) and not _HF.search(o.name.lower())}


def bert(model: nn.Module) -> set[str]:
    """No "bias" or "LayerNorm.weight" in the name (BERT fine-tuning scripts)."""
    return {o.name for o in owned(model) if not any(nd in o.name for nd in ("bias", "LayerNorm.weight"))}


def mingpt(model: nn.Module) -> set[str]:
    """Only nn.Linear.weight (minGPT's whitelist)."""
    return {o.name for o in owned(model) if o.leaf == "weight" and isinstance(o.owners[-1], nn.Linear)}


_TORCHVISION_NORMS = (
    nn.modules.batchnorm._BatchNorm,  # as in the source
    nn.LayerNorm,
    nn.GroupNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.LocalResponseNorm,
)


def torchvision(model: nn.Module) -> set[str]:
    """Not directly in a norm of torch; biases decay (torchvision references, set_weight_decay defaults)."""
    return {o.name for o in owned(model) if not isinstance(o.owners[-1], _TORCHVISION_NORMS)}


def pytorch_optimizer(model: nn.Module) -> set[str]:
    """Ban list ("bias", "LayerNorm.bias", "LayerNorm.weight") (pytorch_optimizer's default)."""
    banned = ("bias", "LayerNorm.bias", "LayerNorm.weight")

    def hit(o: Owned) -> bool:
        label = f"{type(o.owners[-1]).__name__}.{o.leaf}"
        return any(b in o.name for b in banned) or label in banned

    return {o.name for o in owned(model) if not hit(o)}


RULES: dict[str, Rule] = {
    "nanogpt": nanogpt,
    "timm": timm,
    "hf": hf,
    "bert": bert,
    "mingpt": mingpt,
    "torchvision": torchvision,
    "pytorch_optimizer": pytorch_optimizer,
}
