"""From an operation, a slot and what happened on the way to the role of a parameter in that use."""

from __future__ import annotations

import torch

from elltwo.decay.seeing import ops

NONE: frozenset[str] = frozenset()


def role_in_slot(
    op: str,
    slot: str,
    flags: frozenset[str],
    tensor: torch.Tensor,
    *,
    tags: frozenset[str] = NONE,
    fixed_index: bool = False,
) -> str:
    """The role of ``tensor`` where ``op`` consumes it in ``slot``.

    ``flags`` is what happened to the parameter before ("log", "direction", "norm gain", "product",
    "vector", "adapter", "indexed", "chosen"); ``tags`` what is known of the data it meets ("normalized",
    "scaled" when a norm's own scale has been applied, "scores").
    """
    if slot in ("weight", "left", "right", "factor of a product"):
        return _weight_role(op, flags)
    if op == "cosine_similarity":
        return _weight_role(op, flags | {"direction"})
    if slot == "rows":
        return "table" if fixed_index else "embedding"
    if slot == "scale":
        return "norm scale"
    if slot == "shift":
        return "norm shift"
    if slot == "bias":
        return "bias"
    if slot in ("gain", "factor"):
        return _factor_role(flags, tensor, tags)
    if slot == "added":
        return _added_role(flags, tensor, tags)
    if slot in ("input", "token", "table", "query", "key", "value"):
        return "log-parameter" if "log" in flags else "table"
    return "unclassified"


def _weight_role(op: str, flags: frozenset[str]) -> str:
    for flag, role in (
        ("adapter", "adapter"),
        ("log", "log-parameter"),
        ("norm gain", "weight-norm gain"),
        ("direction", "weight-norm direction"),
    ):
        if flag in flags:
            return role
    if op in ops.CONVOLUTIONS:
        return "conv weight"
    if op == "einsum":
        return "einsum weight"
    return "matmul weight" if op in ops.PRODUCTS else "linear weight"


def _factor_role(flags: frozenset[str], tensor: torch.Tensor, tags: frozenset[str]) -> str:
    if "log" in flags:
        return "log-parameter"
    if "product" in flags:
        return "gain" if "vector" in flags else "matmul weight"
    if "normalized" in tags:
        return "norm scale"
    # One number per head (or one in all) against scores of shape (..., query, key).
    if "scores" in tags and (tensor.dim() < 2 or tuple(tensor.shape[-2:]) == (1, 1)):
        return "temperature"
    return "gain"


def _added_role(flags: frozenset[str], tensor: torch.Tensor, tags: frozenset[str]) -> str:
    if "log" in flags:
        return "log-parameter"
    if "product" in flags:  # W h0, both parameters: of a matrix and a vector, the vector is the input
        return "table" if "vector" in flags else "matmul weight"
    shape = tensor.shape[1:] if "chosen" in flags else tensor.shape  # one bias per expert is no table
    if "indexed" in flags or sum(side > 1 for side in shape) > 1:
        return "table"
    return "norm shift" if tags & {"normalized", "scaled"} else "bias"
