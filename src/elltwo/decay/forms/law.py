"""What every form of decay shares: a hook on a stock optimizer that keeps each group's base strength λ.

The base strength and the step count live in the group itself (``elltwo_decay``, ``elltwo_step``), so they
travel through ``state_dict`` and through schedulers; per-tensor memory lives in ``optimizer.state``. The
optimizer's own step, fused or not, is never replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from elltwo.errors import InputError, UsageError
from elltwo.laws.decay_catalogue import CATALOGUE

__all__ = ["DecayLaw", "Group", "is_decoupled", "live", "peak_lr", "set_decay", "settle_closure", "unwrapped"]

Group = dict[str, Any]
_KEYS = ("elltwo_decay", "elltwo_step", "elltwo_law")


class DecayLaw:
    """One form of weight decay attached to an optimizer; ``remove()`` puts things back.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Any optimizer with ``weight_decay`` in its groups. Wrappers with an ``optimizer`` attribute are unwrapped.
    only : callable, optional
        Chooses the groups to act on; all by default. Groups with ``weight_decay=0`` are never touched.

    Raises
    ------
    UsageError
        If no group has a positive ``weight_decay``, or a group already obeys another law.
    """

    name = "plain"
    #: True when this law does the shrinking itself and the optimizer must not.
    takes_over = False

    def __init__(self, optimizer: Optimizer, *, only: Callable[[Group], bool] | None = None) -> None:
        self.optimizer = unwrapped(optimizer)
        self._only = only or (lambda group: True)
        if not any(self._base(g) > 0 for g in self.optimizer.param_groups if self._only(g)):
            raise UsageError(
                f"{self.name} decay has nothing to act on: no chosen parameter group has weight_decay > 0; "
                "set it in the optimizer or take groups from decay_plan(...).groups(lr=...)"
            )
        for group in self.groups():
            self._claim(group)
        self._handles = [
            self.optimizer.register_step_pre_hook(self._pre),
            self.optimizer.register_step_post_hook(self._post),
        ]

    def groups(self) -> list[Group]:
        """The groups this law acts on."""
        return [g for g in self.optimizer.param_groups if self._only(g) and self._base(g) > 0]

    def before(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        """Act before the optimizer's step on the tensors of a group that have gradients."""

    def after(self, group: Group, params: list[torch.Tensor], base: float, step: int) -> None:
        """Act after the optimizer's step."""

    def remove(self) -> None:
        """Detach, and give each group its base strength back."""
        for handle in self._handles:
            handle.remove()
        for group in self.groups():
            set_decay(group, self._base(group))
            for key in _KEYS:
                group.pop(key, None)

    @staticmethod
    def _base(group: Group) -> float:
        return float(group["elltwo_decay"] if "elltwo_decay" in group else group.get("weight_decay", 0.0))

    def _claim(self, group: Group) -> None:
        owner = group.setdefault("elltwo_law", self.name)
        if owner != self.name:
            raise UsageError(
                f"a parameter group already obeys {owner} decay, so {self.name} decay was not added: "
                "remove() the first, or choose other groups with only="
            )
        group.setdefault("elltwo_decay", self._base(group))
        group.setdefault("elltwo_step", 0)
        if self.takes_over:
            set_decay(group, 0.0)

    def prepare(self) -> None:
        """Measure something over all groups before the step."""

    @torch.no_grad()
    def _pre(self, optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
        settled = settle_closure(args, kwargs)
        self.prepare()
        for group in self.groups():
            self._claim(group)  # also after load_state_dict, which replaces the groups
            params = live(group)
            if params:
                self.before(group, params, group["elltwo_decay"], group["elltwo_step"])
        return settled

    @torch.no_grad()
    def _post(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        for group in self.groups():
            params = live(group)
            if params:
                self.after(group, params, group["elltwo_decay"], group["elltwo_step"])
            group["elltwo_step"] += 1


def settle_closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any] | None:
    """Evaluate the closure of ``step(closure)`` now, so that gradients exist before the step.

    Returns the arguments to go on with (a closure that returns the known loss), or None without a closure.
    Lightning passes one on every step; optimizers that call it once are served exactly.
    """
    closure = kwargs.get("closure") if "closure" in kwargs else (args[1] if len(args) > 1 else None)
    if closure is None:
        return None
    with torch.enable_grad():
        loss = closure()
    return args[:1], {**kwargs, "closure": lambda: loss}


def live(group: Group) -> list[torch.Tensor]:
    """Tensors of a group with a gradient: the others are not stepped, so they are not decayed."""
    return [p for p in group["params"] if p.grad is not None]


def unwrapped(optimizer: Any) -> Optimizer:
    """The torch optimizer inside a wrapper (Accelerate, Lightning), or a refusal in one sentence."""
    for _ in range(4):
        if isinstance(optimizer, Optimizer) and hasattr(optimizer, "_optimizer_step_pre_hooks"):
            return optimizer
        optimizer = getattr(optimizer, "optimizer", None)
    raise InputError("expected a torch.optim.Optimizer (or a wrapper with one as .optimizer)")


def set_decay(group: Group, value: Any) -> None:
    """Write a strength into a group; a tensor is filled in place, so that a compiled step is not compiled again."""
    current = group.get("weight_decay")
    if isinstance(current, torch.Tensor):
        current.copy_(torch.as_tensor(value, dtype=current.dtype, device=current.device))
    else:
        group["weight_decay"] = float(value)


def peak_lr(group: Group, given: float | None = None) -> float:
    """A group's peak learning rate: as given, else a scheduler's ``max_lr``/``initial_lr``, else the largest seen."""
    if given is not None:
        return given
    if "max_lr" in group or "initial_lr" in group:
        return float(group["max_lr"] if "max_lr" in group else group["initial_lr"])
    group["elltwo_peak_lr"] = max(float(group["lr"]), float(group.get("elltwo_peak_lr", 0.0)))
    return float(group["elltwo_peak_lr"])


def is_decoupled(optimizer: Optimizer, group: Group) -> bool:
    """Whether the optimizer multiplies weights by 1 − lr·weight_decay itself."""
    row = CATALOGUE.get(f"torch.{type(optimizer).__name__}".lower())
    return bool(group.get("decoupled_weight_decay")) or (row is not None and row.unit == "per-lr")


def require_decoupled(optimizer: Optimizer, groups: Iterable[Group], name: str) -> None:
    """Refuse a law that is written for decoupled decay on an optimizer that couples it."""
    if not all(is_decoupled(optimizer, g) for g in groups):
        raise UsageError(
            f"{name} decay is defined for decoupled optimizers, and {type(optimizer).__name__} adds λw to the "
            "gradient: use AdamW, or decoupled_weight_decay=True"
        )
