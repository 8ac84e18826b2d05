"""Cautious weight decay: shrink an entry only where the update moves it toward zero anyway (arXiv:2510.12402).

The sign of the coming update is known before the step for the usual optimizers (Adam's is the sign of
β₁m + (1 − β₁)g), so the mask is applied first and the stock fused step follows. For other optimizers the
update is read off a copy of the weights, which costs one copy per step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from elltwo.decay.forms.law import DecayLaw, Group

__all__ = ["SIGNS", "Cautious"]


def _gradient(group: Group, p: torch.Tensor, state: dict[str, Any]) -> torch.Tensor:
    assert p.grad is not None  # laws act on tensors with gradients (elltwo.decay.forms.law.live)
    return -p.grad if group.get("maximize") else p.grad


def _first_moment(group: Group, p: torch.Tensor, state: dict[str, Any]) -> torch.Tensor:
    g = _gradient(group, p, state)
    return torch.lerp(state["exp_avg"], g, 1 - float(group["betas"][0])) if "exp_avg" in state else g


def _momentum(group: Group, p: torch.Tensor, state: dict[str, Any]) -> torch.Tensor:
    g, momentum = _gradient(group, p, state), group["momentum"]
    if momentum == 0:
        return g
    buffer = state.get("momentum_buffer")
    new = g if buffer is None else buffer * momentum + g * (1 - group["dampening"])
    return g + momentum * new if group["nesterov"] else new


Sign = Callable[[Group, torch.Tensor, dict[str, Any]], torch.Tensor]

#: optimizer class name -> a tensor with the sign of its next update
SIGNS: dict[str, Sign] = {
    "AdamW": _first_moment,
    "Adam": _first_moment,
    "Adamax": _first_moment,
    "Lion": _first_moment,
    "SGD": _momentum,
    "Adagrad": _gradient,
    "Adadelta": _gradient,
}


def _masked(p: torch.Tensor, sign: torch.Tensor, rate: torch.Tensor) -> torch.Tensor:
    return p.mul_(1 - rate * (sign * p >= 0))


class Cautious(DecayLaw):
    """w ← w − η λ w ⊙ [u ⊙ w ≥ 0] − η u, with u the optimizer's own update.

    ``compile=True`` fuses the mask into one pass by ``torch.compile`` (about 20 times faster than eager on
    CPU, after one compilation of some seconds). Unscale gradients before ``step()`` with a GradScaler.
    It preserves the loss's stationary points, and therefore needs a larger λ than plain decay.
    """

    name = "cautious"
    takes_over = True

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        compile: bool = False,
        only: Callable[[Group], bool] | None = None,
    ) -> None:
        super().__init__(optimizer, only=only)
        self._sign = SIGNS.get(type(self.optimizer).__name__)
        self._apply = torch.compile(_masked, dynamic=True) if compile else _masked
        self._copies: dict[torch.Tensor, torch.Tensor] = {}

    def before(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        if self._sign is None:
            self._copies |= {p: p.detach().clone() for p in params}
            return
        for p in params:
            sign = self._sign(group, p, self.optimizer.state.get(p, {}))
            self._decay(p, sign, float(group["lr"]) * base)

    def after(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        if self._sign is not None:
            return
        for p in params:
            old = self._copies.pop(p)
            rate = float(group["lr"]) * base
            _real(p).sub_(rate * _real(old) * ((_real(old) - _real(p)) * _real(old) >= 0))

    def _decay(self, p: torch.Tensor, sign: torch.Tensor, rate: float) -> None:
        real, sign = _real(p), _real(sign)
        if real.is_contiguous() and sign.is_contiguous():
            real, sign = real.view(-1), sign.view(-1)  # one shape class, one compilation
        self._apply(real.detach(), sign, torch.tensor(rate, dtype=real.dtype, device=real.device))


def _real(t: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(t) if t.is_complex() else t
