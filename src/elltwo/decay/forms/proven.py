"""Which tensors a plan has proven scale-invariant: the only ones whose norm may be held or corrected."""

from __future__ import annotations

from fnmatch import fnmatchcase

import torch

from elltwo.errors import UsageError
from elltwo.facts.decayplan import DecayPlan, PlanRow

__all__ = ["proven_tensors"]


def proven_tensors(plan: DecayPlan, names: list[str] | None = None) -> dict[str, torch.Tensor]:
    """Name → tensor of the proven rows, all of them or those that match ``names`` (globs).

    Raises
    ------
    UsageError
        If the plan holds no tensors, none is proven, a glob matches nothing, or one that matches is not
        proven: the message names the tensor, its role and what was measured.
    """
    if not isinstance(plan, DecayPlan):
        raise UsageError(f"expected a DecayPlan from decay_plan(model, batch), got {type(plan).__name__}")
    if plan.parameters is None:
        raise UsageError("this plan was read from a file and holds no tensors: use plan.bind(model)")
    chosen = list(plan.rows) if names is None else _matching(plan, names)
    if names is not None:
        for row in chosen:
            if row.scale_invariant != "proven":
                raise UsageError(_refusal(row))
    proven = [r for r in chosen if r.scale_invariant == "proven" and r.trainable]
    if not proven:
        raise UsageError(
            "no tensor of this plan is proven scale-invariant, so no norm may be held or corrected: the network "
            "would compute something else; use plain decay (or plan with a batch, so that it can be probed)"
        )
    return {r.name: plan.parameters[r.name] for r in proven}


def _matching(plan: DecayPlan, names: list[str]) -> list[PlanRow]:
    found: dict[str, PlanRow] = {}
    for pattern in names:
        hits = [r for r in plan.rows if fnmatchcase(r.name, pattern)]
        if not hits:
            raise UsageError(f"{pattern!r} matches no parameter of the plan: check it against plan.table()")
        found |= {r.name: r for r in hits}
    return list(found.values())


def _refusal(row: PlanRow) -> str:
    measured = "" if row.residual is None else f" (residual {row.residual:.1e})"
    return (
        f"{row.name} ({row.role}) is not proven scale-invariant: {row.scale_invariant}{measured}; its norm means "
        "something to the network, so it is not held: leave it out and decay it plainly"
    )
