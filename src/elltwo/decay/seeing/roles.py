"""From the uses of a parameter to one role, and what module types say when nothing was traced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from elltwo.decay.seeing.marks import Use
from elltwo.decay.seeing.trace import Tracer

# When a tensor has several uses, the first of these names it: a tied table that also multiplies is a weight.
ORDER = (
    "adapter",
    "weight-norm direction",
    "weight-norm gain",
    "router",
    "output head",
    "linear weight",
    "conv weight",
    "matmul weight",
    "einsum weight",
    "recurrent weight",
    "recurrent bias",
    "embedding",
    "norm scale",
    "norm shift",
    "temperature",
    "log-parameter",
    "gain",
    "table",
    "bias",
    "unclassified",
)


@dataclass(frozen=True)
class Role:
    """A role with the operation and slot that show it, and what else the tensor does."""

    role: str
    op: str
    slot: str
    evidence: str
    also: tuple[str, ...] = ()
    out_axis: int = 0


def settle(tracer: Tracer, outputs: Iterable[torch.Tensor]) -> dict[int, Role]:
    """One role per parameter id, from what the tracer saw and what came out of the model."""
    outputs = list(outputs)
    heads = {tracer.maker_of(t) for t in outputs}
    seen = tracer.touched | _in_graph(outputs)
    return {leaf: _settle_one(leaf in seen, uses, leaf in heads) for leaf, uses in tracer.uses.items()}


def _in_graph(outputs: list[torch.Tensor]) -> set[int]:
    """Ids of the leaves that autograd reaches: also those used where no mode can look, as in scripted code."""
    nodes = [t.grad_fn for t in outputs if t.grad_fn is not None]
    known, found = set(nodes), set()
    while nodes:
        node = nodes.pop()
        found.add(id(getattr(node, "variable", None)))
        fresh = {n for n, _ in node.next_functions if n is not None} - known
        known |= fresh
        nodes += fresh
    return found


def _settle_one(seen: bool, uses: list[Use], head: bool) -> Role:
    if not uses:
        return Role("unclassified" if seen else "unused", "", "", "traced")
    best = min(uses, key=lambda u: ORDER.index(u.role))
    also = tuple(sorted({u.role for u in uses} - {best.role}))
    role = best.role
    if head and role in ("linear weight", "matmul weight", "conv weight"):
        role = "output head"
    return Role(role, best.op.removeprefix("functional."), best.slot, "traced", also, best.out_axis)


# What the types of torch.nn say about their own parameters, for use without a batch.
_NORMS = (
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.modules.batchnorm._NormBase,  # every batch and instance norm of torch derives from it
)


def role_by_type(module: nn.Module, leaf_name: str, tensor: torch.Tensor) -> Role:
    """The role that the owner's type gives; "unclassified" for parameters of custom modules."""
    name = leaf_name
    if isinstance(module, _NORMS):
        role = "norm scale" if name == "weight" else "norm shift"
    elif isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        role = "embedding"
    elif isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        role = "recurrent weight" if tensor.dim() > 1 else "recurrent bias"
    elif isinstance(module, nn.modules.conv._ConvNd):
        role = "conv weight" if name == "weight" else "bias"
    elif isinstance(module, (nn.Linear, nn.Bilinear, nn.MultiheadAttention)):
        role = "bias" if "bias" in name else "linear weight"
    elif isinstance(module, nn.PReLU):
        role = "gain"
    else:
        role = "unclassified"
    return Role(role, type(module).__name__, name, "module type")
