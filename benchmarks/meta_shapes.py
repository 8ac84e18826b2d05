"""Shapes without arithmetic: what makes a thousand architectures on ``meta`` affordable.

torch computes the shape of most element-wise operations on ``meta`` in Python, operation by operation. Where the
result has the shape of the first argument, a view of it says the same at a tenth of the cost. Operations
themselves are still called, so a tracer above sees every one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from elltwo.decay.seeing.ops import op_name

_SAME_SHAPE = frozenset(
    {
        *(
            "functional.batch_norm",
            "batch_norm",
            "layer_norm",
            "group_norm",
            "rms_norm",
            "relu",
            "relu6",
            "gelu",
        ),
        *("silu", "sigmoid", "tanh", "softmax", "hardswish", "hardsigmoid", "dropout", "exp", "neg", "rsqrt"),
        *(
            "sqrt",
            "abs",
            "leaky_relu",
            "elu",
            "mish",
            "softplus",
            "clamp",
            "pow",
            "log_softmax",
            "cos",
            "sin",
        ),
        *("functional.instance_norm", "drop_path", "normalize", "bernoulli", "square", "reciprocal", "roll"),
    }
)
_PAIRS = frozenset({"add", "mul", "sub", "div"})


class QuickMeta(TorchFunctionMode):
    """Answers shape-preserving calls on meta tensors with a view (or, in place, the tensor itself)."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        first = args[0] if args else None
        if isinstance(first, torch.Tensor) and first.is_meta:
            name = str(getattr(func, "__name__", ""))
            if name.endswith("_") and not name.startswith("_") and _random(func, name):
                return first
            op = op_name(func)
            if op in _SAME_SHAPE or (op in _PAIRS and len(args) > 1 and _fits(first, args[1])):
                in_place = name.endswith("_") and not name.startswith("__")
                return first if in_place else first.view_as(first)
        return func(*args, **(kwargs or {}))


def _random(func: Any, name: str) -> bool:
    """Initializations, which mean nothing on meta."""
    return "nn.init" in str(getattr(func, "__module__", "")) or name in (
        *("uniform_", "normal_", "erfinv_", "fill_", "zero_", "random_", "exponential_"),
    )


def _fits(first: torch.Tensor, second: Any) -> bool:
    if not isinstance(second, torch.Tensor):
        return first.is_floating_point() and isinstance(second, (int, float))
    same = first.dtype == second.dtype and second.is_meta
    return same and (first.shape == second.shape or (second.dim() == 0))
