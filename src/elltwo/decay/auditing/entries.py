"""Flatten optimizers into one entry per (parameter, group), named as the model names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from elltwo.errors import UsageError
from elltwo.facts.decayplan import DecayPlan, PlanRow, plain_name
from elltwo.laws.decay_catalogue import OptimizerRow, find_optimizer


@dataclass(frozen=True)
class Entry:
    """One parameter in one group."""

    name: str | None
    row: PlanRow | None
    tensor: torch.Tensor
    group: str
    weight_decay: float
    lr: float
    meaning: OptimizerRow | None
    unit: str
    tensor_valued: bool


@dataclass(frozen=True)
class Setup:
    """Everything a check may look at."""

    optimizers: tuple[Optimizer, ...]
    model: nn.Module
    core: nn.Module
    plan: DecayPlan
    entries: tuple[Entry, ...]
    tensors: Mapping[str, torch.Tensor]
    steps: int | None
    steps_per_epoch: int | None
    compiled: bool

    @property
    def known(self) -> list[tuple[Entry, PlanRow]]:
        """Entries of planned, trainable parameters, each once."""
        first = {id(e.tensor): e for e in reversed(self.entries)}
        return [(e, e.row) for e in reversed(first.values()) if e.row is not None and e.row.trainable]


def setup_of(
    optimizers: list[Optimizer],
    model: nn.Module,
    core: nn.Module,
    plan: DecayPlan,
    steps: int | None,
    steps_per_epoch: int | None,
    compiled: bool | None,
) -> Setup:
    """Match groups with names and rows."""
    tensors = {plain_name(n): p for n, p in core.named_parameters()}
    by_id = {id(p): n for n, p in tensors.items()}
    rows = {n: r for r in plan.rows for n in (r.name, *r.aliases)}
    if not any(n in rows for n in tensors):
        raise UsageError("the plan and the model share no parameter name: plan this model again")
    entries = []
    for k, opt in enumerate(optimizers):
        for g, group in enumerate(opt.param_groups):
            label = f"group {g}" if len(optimizers) == 1 else f"optimizer {k}, group {g}"
            for p in group["params"]:
                name = by_id.get(id(p))
                entries.append(_entry(p, name, rows.get(name or ""), label, group, opt))
    found = any(_compiled(o) for o in optimizers) if compiled is None else compiled
    return Setup(tuple(optimizers), model, core, plan, tuple(entries), tensors, steps, steps_per_epoch, found)


def _entry(
    p: torch.Tensor,
    name: str | None,
    row: PlanRow | None,
    label: str,
    group: Mapping[str, Any],
    opt: Optimizer,
) -> Entry:
    meaning = _meaning(opt)
    unit = "" if meaning is None else "per-lr" if group.get("decoupled_weight_decay") else meaning.unit
    decay, lr = group.get("weight_decay", 0.0), group.get("initial_lr", group.get("lr", 0.0))
    return Entry(
        name, row, p, label, float(decay or 0), float(lr or 0), meaning, unit, isinstance(decay, torch.Tensor)
    )


def _meaning(opt: Optimizer) -> OptimizerRow | None:
    kind = type(opt)
    for name in (f"torch.{kind.__name__}", kind.__name__):
        try:
            return find_optimizer(name)
        except UsageError:
            continue  # an optimizer that the catalogue does not know has no known convention
    return None


def _compiled(opt: Optimizer) -> bool:
    step = getattr(opt.step, "__func__", opt.step)
    return any(hasattr(s, "_torchdynamo_orig_callable") for s in (opt.step, step))


def names(found: list[str], limit: int = 3) -> str:
    """ "a", "b" and 5 more."""
    shown = ", ".join(repr(n) for n in found[:limit])
    return shown + (f" and {len(found) - limit} more" if len(found) > limit else "")


def count(found: list[str], noun: str = "tensor") -> str:
    """ "1 tensor", "2 tensors"."""
    return f"{len(found)} {noun}" + ("" if len(found) == 1 else "s")
