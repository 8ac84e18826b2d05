"""Strengths that move with the run: a schedule of λ, AdamC's correction, stable weight decay."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.optim import Optimizer

from elltwo.decay.forms.law import DecayLaw, Group, peak_lr, require_decoupled, set_decay
from elltwo.decay.forms.proven import proven_tensors
from elltwo.errors import InputError, UsageError, unknown_option
from elltwo.facts.decayplan import DecayPlan
from elltwo.laws.decay_schedules import SCHEDULES, schedule_factor

__all__ = ["Corrected", "Scheduled", "Stable"]


class Scheduled(DecayLaw):
    """λ_t = λ · factor(t), written into the groups before each step.

    ``schedule`` is a callable of the step (0, 1, …) or ``"cosine"``, ``"linear"``, … over ``steps``, with
    ``warmup`` and ``final`` as for a learning rate.
    """

    name = "scheduled"

    def __init__(
        self,
        optimizer: Optimizer,
        schedule: str | Callable[[int], float],
        *,
        steps: int | None = None,
        warmup: int = 0,
        final: float = 0.0,
        only: Callable[[Group], bool] | None = None,
    ) -> None:
        if not callable(schedule) and schedule not in SCHEDULES:
            raise unknown_option("schedule", schedule, SCHEDULES)
        if not callable(schedule) and not (steps and steps > warmup >= 0):
            raise InputError(
                f"schedule {schedule!r} needs steps > warmup >= 0, got steps={steps}, warmup={warmup}"
            )
        self._schedule, self._steps, self._warmup, self._final = schedule, steps, warmup, final
        super().__init__(optimizer, only=only)

    def factor(self, step: int) -> float:
        """The factor on λ at a step."""
        if callable(self._schedule):
            value = float(self._schedule(step))
            if not 0 <= value < float("inf"):
                raise InputError(
                    f"the decay schedule returned {value!r} at step {step}: it must be finite and >= 0"
                )
            return value
        return schedule_factor(self._schedule, step, self._steps or 1, warmup=self._warmup, final=self._final)

    def before(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        set_decay(group, base * self.factor(step))


class Corrected(DecayLaw):
    """λ_t = λ η_t/η_peak, only on tensors proven scale-invariant (AdamC, arXiv:2506.02285).

    Keeps ‖g‖/‖w‖ = √(2λ/η_peak) steady over the schedule, where plain decay lets it grow as η falls.

    Parameters
    ----------
    optimizer : groups as made by ``plan.groups(lr=...)`` (or any that do not mix proven and other tensors).
    plan : DecayPlan
        Says which tensors are proven scale-invariant; bound to the model.
    peak : float, optional
        Peak learning rate for all groups; by default each group's own.

    Raises
    ------
    UsageError
        If no decayed tensor is proven, or a group mixes proven and other tensors.
    """

    name = "corrected"

    def __init__(self, optimizer: Optimizer, plan: DecayPlan, *, peak: float | None = None) -> None:
        proven = {id(p) for p in proven_tensors(plan).values()}
        self._peak = peak

        def chosen(group: Group) -> bool:
            return any(id(p) in proven for p in group["params"])

        super().__init__(optimizer, only=chosen)
        require_decoupled(self.optimizer, self.groups(), self.name)
        self._refuse_mixtures(plan, proven)

    def _refuse_mixtures(self, plan: DecayPlan, proven: set[int]) -> None:
        names = {id(p): n for n, p in (plan.parameters or {}).items()}
        for group in self.groups():
            others = [names.get(id(p), "an unplanned tensor") for p in group["params"] if id(p) not in proven]
            if others:
                self.remove()
                raise UsageError(
                    f"corrected decay is for weights that feed a norm, and a group mixes them with {others[0]}"
                    f"{' and others' if len(others) > 1 else ''}: build the groups with "
                    "decay_plan(..., invariant='corrected').groups(lr=...) or plan.groups(by='tensor')"
                )

    def before(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        set_decay(group, base * float(group["lr"]) / peak_lr(group, self._peak))


class Stable(DecayLaw):
    """λ_t = λ/√v̄_t, v̄ the mean of Adam's bias-corrected v̂ over all tensors (SWD, AdamS, arXiv:2011.11152).

    v̂ of the coming step is used, computed beforehand from the state and the gradients.
    """

    name = "stable"

    def __init__(self, optimizer: Optimizer, *, only: Callable[[Group], bool] | None = None) -> None:
        super().__init__(optimizer, only=only)
        require_decoupled(self.optimizer, self.groups(), self.name)
        if not all("betas" in g for g in self.groups()):
            raise UsageError("stable decay needs second moments: use an optimizer with betas, such as AdamW")

    def prepare(self) -> None:
        self._mean = self.mean_second_moment()

    def mean_second_moment(self) -> float:
        """v̄ of the coming step over all tensors with gradients."""
        total, count = 0.0, 0
        for group in self.groups():
            params = [p for p in group["params"] if p.grad is not None]
            beta2 = float(group["betas"][1])
            for p, squared in zip(params, torch._foreach_norm([p.grad for p in params]), strict=True):
                state = self.optimizer.state.get(p, {})
                old = float(state["exp_avg_sq"].sum()) if "exp_avg_sq" in state else 0.0
                t = int(state["step"]) + 1 if "step" in state else 1
                total += (beta2 * old + (1 - beta2) * float(squared) ** 2) / (1 - beta2**t)
                count += p.numel()
        return total / max(count, 1)

    def before(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        set_decay(group, base / self._mean**0.5 if self._mean > 0 else 0.0)
