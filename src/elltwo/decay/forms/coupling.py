"""Where λ enters: in the gradient, beside the step, independent of the learning rate, toward a point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from elltwo.decay.forms.law import DecayLaw, Group, live, peak_lr, require_decoupled, set_decay
from elltwo.errors import UsageError

__all__ = ["Coupled", "Decoupled", "Independent", "Toward"]


class Coupled(DecayLaw):
    """λw added to the gradient before the step: minimises f + (λ/2)‖w‖², also under AdamW (“Adam + L2”)."""

    name = "coupled"
    takes_over = True

    def before(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        grads = [p.grad for p in params if p.grad is not None]
        if any(g.is_sparse for g in grads):
            raise UsageError("coupled decay cannot be added to sparse gradients: use decoupled decay there")
        torch._foreach_add_(grads, params, alpha=-base if group.get("maximize") else base)


class Decoupled(DecayLaw):
    """w ← (1 − η_t λ) w before the step, for any optimizer (Adam, RMSprop, SGD …). Source: arXiv:1711.05101."""

    name = "decoupled"
    takes_over = True

    def before(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        torch._foreach_mul_(params, 1 - group["lr"] * base)


class Independent(DecayLaw):
    """w ← (1 − λ η_t/η_peak) w: λ is the share removed per step at the peak, whatever the learning rate.

    With ``follow_schedule=False``, 1 − λ at every step. ``peak`` is the peak learning rate; by default the
    scheduler's ``max_lr`` or ``initial_lr``, else the largest seen so far.
    """

    name = "independent"

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        peak: float | None = None,
        follow_schedule: bool = True,
        only: Callable[[Group], bool] | None = None,
    ) -> None:
        self._peak, self._follow = peak, follow_schedule
        super().__init__(optimizer, only=only)
        require_decoupled(self.optimizer, self.groups(), self.name)

    def before(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        scale = peak_lr(group, self._peak) if self._follow else float(group["lr"])
        set_decay(group, base / scale if scale > 0 else 0.0)


class Toward(DecayLaw):
    """w ← w + η_t λ (w₀ − w): decay toward the point where the law was attached (L2-SP, arXiv:1802.01483).

    Keeps one copy of each decayed tensor in ``optimizer.state`` (``elltwo_anchor``), saved with the optimizer.
    """

    name = "toward"
    takes_over = True

    def __init__(self, optimizer: Optimizer, *, only: Callable[[Group], bool] | None = None) -> None:
        super().__init__(optimizer, only=only)
        tensors = [p for g in self.groups() for p in g["params"] if p.requires_grad]
        self._anchors = {p: p.detach().clone() for p in tensors}

    def anchor(self, p: torch.Tensor) -> torch.Tensor:
        """The point a tensor is pulled to: the one saved with the optimizer if there is one."""
        saved: Any = self.optimizer.state.get(p, {}).get("elltwo_anchor")
        if saved is None:
            saved = self._anchors.setdefault(p, p.detach().clone())
        return saved

    def before(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        torch._foreach_lerp_(params, [self.anchor(p) for p in params], float(group["lr"]) * base)

    def after(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        # Only now: optimizers set their state up at the first step, and test whether it is empty.
        for p in live(group):
            self.optimizer.state[p].setdefault("elltwo_anchor", self.anchor(p))
