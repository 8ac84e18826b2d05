"""Norms held instead of decayed, only where the norm is proven to mean nothing to the network."""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from elltwo.decay.forms.law import unwrapped
from elltwo.decay.forms.proven import proven_tensors
from elltwo.errors import InputError, UsageError
from elltwo.facts.decayplan import DecayPlan

__all__ = ["Bounded", "Sphere"]


class _NormLaw:
    """Acts after each step on the proven tensors that the optimizer holds; what it remembers lies in its state."""

    name = ""
    key = ""

    def __init__(self, optimizer: Optimizer, plan: DecayPlan, names: list[str] | None) -> None:
        self.optimizer = unwrapped(optimizer)
        held = {id(p) for g in self.optimizer.param_groups for p in g["params"]}
        self.tensors = {n: p for n, p in proven_tensors(plan, names).items() if id(p) in held}
        if not self.tensors:
            raise UsageError(
                f"{self.name}: the optimizer holds none of the plan's proven tensors; bind the plan to its model"
            )
        params = list(self.tensors.values())
        self._start = dict(zip(params, torch._foreach_norm([p.detach() for p in params]), strict=True))
        empty = [n for n, p in self.tensors.items() if float(self._start[p]) == 0]
        if empty:
            raise InputError(
                f"{self.name}: {empty[0]} is all zeros, so it has no direction to keep; initialise it first"
            )
        self._handle = self.optimizer.register_step_post_hook(self._post)

    def remove(self) -> None:
        """Detach; the weights stay as they are."""
        self._handle.remove()

    def _remembered(self, p: torch.Tensor, fresh: torch.Tensor) -> torch.Tensor:
        saved: torch.Tensor = self.optimizer.state[p].setdefault(self.key, fresh)
        return saved

    def _post(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        raise NotImplementedError


class Sphere(_NormLaw):
    """w ← r w/‖w‖ after each step: the norm stays at ``radius`` (its value at the start by default).

    The rotation per step is then η‖u‖/r at once, with no transient to equilibrium. Sources: Wan et al.,
    arXiv:2006.08419; Kosson et al., arXiv:2305.17212 (rotational variants). Refused on tensors whose norm
    the network uses.

    Parameters
    ----------
    names : list of globs, optional
        Which tensors; all proven ones by default.
    """

    name, key = "sphere", "elltwo_radius"

    def __init__(
        self,
        optimizer: Optimizer,
        plan: DecayPlan,
        *,
        radius: float | None = None,
        names: list[str] | None = None,
    ) -> None:
        if radius is not None and not 0 < radius < float("inf"):
            raise InputError(f"radius must be a positive number, got {radius!r}")
        super().__init__(optimizer, plan, names)
        if radius is not None:
            self._start = {p: torch.full_like(n, radius) for p, n in self._start.items()}

    @torch.no_grad()
    def _post(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        params = list(self.tensors.values())
        radii = [self._remembered(p, self._start[p]) for p in params]
        torch._foreach_mul_(params, torch._foreach_div(radii, torch._foreach_norm(params)))


class Bounded(_NormLaw):
    """½‖w‖² ≤ bound, held by a multiplier per tensor that grows while it is exceeded (CPR, arXiv:2311.09058).

    μ ← clip(μ + growth (½‖w‖²/bound − 1), 0, 1); w ← (1 − μ) w. The bound is ``factor`` times ½‖w₀‖².
    ``engaged()`` tells how many tensors are being held, so that an inert bound is seen.
    """

    name, key = "bounded", "elltwo_multiplier"

    def __init__(
        self,
        optimizer: Optimizer,
        plan: DecayPlan,
        *,
        factor: float = 1.0,
        growth: float = 0.01,
        names: list[str] | None = None,
    ) -> None:
        if not (0 < factor < float("inf") and 0 < growth <= 1):
            raise InputError(f"a bound needs factor > 0 and 0 < growth <= 1, got {factor!r} and {growth!r}")
        super().__init__(optimizer, plan, names)
        self._growth = growth
        self._bound = {p: 0.5 * factor * n**2 for p, n in self._start.items()}

    @torch.no_grad()
    def _post(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        params = list(self.tensors.values())
        for p, norm in zip(params, torch._foreach_norm(params), strict=True):
            multiplier = self._remembered(p, torch.zeros_like(norm))
            bound = self.optimizer.state[p].setdefault("elltwo_bound", self._bound[p])
            multiplier.add_(self._growth * (0.5 * norm**2 / bound - 1.0)).clamp_(0.0, 1.0)
            p.mul_(1.0 - multiplier)

    def engaged(self) -> int:
        """How many tensors have a positive multiplier now."""
        state = self.optimizer.state
        return sum(float(state[p].get(self.key, 0.0)) > 0 for p in self.tensors.values())
