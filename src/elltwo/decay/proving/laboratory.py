"""A model prepared for structural experiments: float64, train mode, no eps, a generic point; then restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from elltwo.decay.seeing.calling import Forward, checked_call, differentiable, map_tensors
from elltwo.decay.seeing.keeping import as_trained, kept
from elltwo.decay.seeing.ops import op_name
from elltwo.facts.decayrow import MULTIPLICATIVE

# Small enough to leave 1e-10 of a variance of 1e-4, large enough that a constant channel (variance zero)
# does not multiply rounding errors by more than 1e7.
TINY_EPS = 1e-14
_EPS_PLACE = {
    "layer_norm": 4,
    "functional.batch_norm": 7,
    "batch_norm": 7,
    "group_norm": 4,
    "rms_norm": 3,
    "functional.instance_norm": 7,
    "instance_norm": 7,
}


@dataclass(frozen=True)
class Experiment:
    """A model, a batch, how to run it, and how far to move each parameter (roles by parameter id)."""

    model: nn.Module
    batch: Any
    forward: Forward | None = None
    loss: Callable[[Any], Any] | None = None
    roles: Mapping[int, str] = field(default_factory=dict)
    seed: int = 0
    dtype: torch.dtype = torch.float64
    exact_eps: bool = False
    mirrored: bool = False

    @contextmanager
    def prepared(self) -> Iterator[Experiment]:
        """The laboratory, with the batch in the same precision; the model is restored on the way out."""
        with kept(self.model, working_copy=False), as_trained(self.model):
            torch.manual_seed(self.seed)
            _convert(self.model, self.dtype)
            for p in self.model.parameters():
                if id(p) in self.roles:
                    p.data = moved(-p.data if self._turns(p) else p.data, self.roles[id(p)])
            if not self.exact_eps:
                _shrink_eps(self.model)
            with torch.enable_grad():
                yield replace(self, batch=map_tensors(self.batch, self._like))

    def outputs(self) -> list[torch.Tensor]:
        """Differentiable outputs of one forward pass (call inside :meth:`prepared`); dropout masks repeat."""
        torch.manual_seed(self.seed + 1)
        with nullcontext() if self.exact_eps else _Exact():
            return differentiable(checked_call(self.model, self.batch, self.forward, self.loss))

    def _turns(self, p: torch.Tensor) -> bool:
        """Weights change sign at the mirrored point; gains, tables and shifts stay where they live."""
        return self.mirrored and p.is_floating_point() and self.roles[id(p)] in MULTIPLICATIVE

    def _like(self, tensor: torch.Tensor) -> torch.Tensor:
        kind = precise(tensor, self.dtype)
        return tensor.detach().to(dtype=kind, copy=True).requires_grad_(tensor.requires_grad)


def moved(value: torch.Tensor, role: str) -> torch.Tensor:
    """A generic point near ``value``: what holds there is structure, not an accident of the initialization.

    Weights keep their scale (at least 0.3 fan_in^-1/2 where they start at zero); gains become of order
    one whatever they were, so that a LayerScale of 1e-6 does not hide what lies behind it.
    """
    if not (value.is_floating_point() or value.is_complex()):
        return value
    noise = torch.randn_like(value)
    if role.endswith(("weight", "head", "direction")) or role in ("router", "adapter"):
        fan_in = max(value.numel() // max(value.shape[0], 1), 1) if value.dim() > 1 else 1
        size = max(float(value.abs().square().mean().sqrt()), 0.3 / fan_in**0.5) if value.numel() else 0.0
        return value + 0.3 * size * noise
    if role in ("norm scale", "gain", "weight-norm gain", "temperature"):
        start = value if 0.3 < float(value.abs().mean()) < 3 else torch.ones_like(value)
        return start * (1 + 0.2 * noise)
    return value + (0.05 if role == "log-parameter" else 0.2) * noise


def precise(tensor: torch.Tensor, dtype: torch.dtype = torch.float64) -> torch.dtype:
    """``dtype`` for real numbers, the complex type of that precision for complex ones, their own for integers."""
    if tensor.is_complex():
        return torch.complex128 if dtype == torch.float64 else torch.complex64
    return dtype if tensor.is_floating_point() else tensor.dtype


def _convert(model: nn.Module, dtype: torch.dtype) -> None:
    for tensor in {id(t): t for t in [*model.parameters(), *model.buffers()]}.values():
        tensor.data = tensor.data.to(dtype=precise(tensor, dtype), copy=True)


def _shrink_eps(model: nn.Module) -> None:
    for module in model.modules():
        for name, value in list(vars(module).items()):
            if "eps" in name.lower() and isinstance(value, float) and 0 < value < 0.1:
                object.__setattr__(module, name, TINY_EPS)


def grouped_product(
    a: torch.Tensor,
    b: torch.Tensor,
    offs: torch.Tensor | None = None,
    bias: Any = None,
    out_dtype: Any = None,
) -> torch.Tensor:
    """``grouped_mm`` for the two forms that layers of experts use, in a precision that its kernel lacks.

    a (tokens, k) with b (experts, k, m), group e ending before row offs[e]; or both with experts in front.
    """
    if offs is None:
        out = a @ b
    else:
        ends = [0, *(int(e) for e in offs)]
        groups = [a[i:j] @ w for i, j, w in zip(ends[:-1], ends[1:], b, strict=True)]
        rest = a.new_zeros(len(a) - ends[-1], b.shape[-1])
        out = torch.cat([*groups, rest])
    return out if bias is None else out + bias


class _Exact(TorchFunctionMode):
    """Steps in where torch's own operations stand in the way of exactness.

    The eps argument of norms becomes tiny, also where the code writes it as a literal; a grouped product
    of experts, whose kernel takes float32 at most, is written out.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = op_name(func)
        if name in ("grouped_mm", "_grouped_mm") and args[0].dtype == torch.float64 and args[1].dim() == 3:
            return grouped_product(*args, **kwargs)
        place = _EPS_PLACE.get(name)
        if place is not None and len(args) > place:
            args = (*args[:place], TINY_EPS, *args[place + 1 :])
        elif place is not None:
            kwargs["eps"] = TINY_EPS
        return func(*args, **kwargs)
