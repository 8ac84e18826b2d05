"""Which tensors a monitor watches: names, groups, what the plan and the symmetries say of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from elltwo.errors import InputError
from elltwo.facts.decayplan import DecayPlan, plain_name
from elltwo.facts.symmetry import Symmetries, Symmetry

__all__ = ["Index"]


class Index:
    """The optimizer's trainable tensors in order, each with its name, group and plan row.

    Raises
    ------
    InputError
        If the optimizer holds none of the model's trainable parameters.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, plan: DecayPlan | None, symmetries: Symmetries | None
    ) -> None:
        named = {id(p): plain_name(n) for n, p in model.named_parameters()}
        self._optimizer = optimizer
        self.tensors: list[torch.Tensor] = []
        self.names: list[str] = []
        self.groups: list[int] = []
        for g, group in enumerate(optimizer.param_groups):
            for p in group["params"]:
                if p.requires_grad and id(p) in named and p.numel() > 0 and p.device.type != "meta":
                    self.tensors.append(p)
                    self.names.append(named[id(p)])
                    self.groups.append(g)
        if not self.tensors:
            raise InputError(
                "nothing to watch: the optimizer holds none of the model's trainable parameters; build the "
                "optimizer from this model (and after moving it to its device)"
            )
        rows = {} if plan is None else {n: r for r in plan.rows for n in (r.name, *r.aliases)}
        self._rows: list[Any] = [rows.get(n) for n in self.names]
        self.invariant = [r is not None and r.scale_invariant == "proven" for r in self._rows]
        self.labels = [str(g.get("name", f"group {i}")) for i, g in enumerate(optimizer.param_groups)]
        self.symmetries = self._usable(symmetries)

    def _usable(self, symmetries: Symmetries | None) -> list[Symmetry]:
        watched = set(self.names)
        found = [] if symmetries is None else [s for s in symmetries if s.kind == "rescaling"]
        return [s for s in found if watched.issuperset(s.names)]

    @property
    def matrices(self) -> dict[str, torch.Tensor]:
        """Weights that multiply: by the plan's roles, or every tensor of two dimensions or more without a plan.

        Sharded ones are left out: no rank holds the matrix.
        """
        pairs = zip(self.names, self.tensors, self._rows, strict=True)
        held = ((n, t, r) for n, t, r in pairs if not hasattr(t, "device_mesh"))
        return {n: t for n, t, r in held if t.dim() >= 2 and (r is None or r.multiplicative)}

    def header(self) -> dict[str, Any]:
        """Per tensor: shape, group, role, invariance."""
        rows = zip(self.names, self.tensors, self.groups, self._rows, strict=True)
        return {
            n: {
                "shape": list(t.shape),
                "group": self.labels[g],
                "role": None if r is None else r.role,
                "scale_invariant": "unknown" if r is None else r.scale_invariant,
            }
            for n, t, g, r in rows
        }

    def decays(self) -> dict[str, float]:
        """Strength per group at the start."""
        groups = self._optimizer.param_groups
        return {
            label: float(g.get("elltwo_decay", g.get("weight_decay", 0.0)))
            for label, g in zip(self.labels, groups, strict=True)
        }

    @torch.no_grad()
    def preconditioned(self) -> dict[str, torch.Tensor]:
        """⟨w, √v w⟩ of the tensors in a symmetry, where the optimizer keeps second moments (AdamW)."""
        wanted = {n for s in self.symmetries for n in s.names}
        out = {}
        for name, p in zip(self.names, self.tensors, strict=True):
            v = self._optimizer.state.get(p, {}).get("exp_avg_sq") if name in wanted else None
            if v is not None:
                total = (p * p * v.sqrt()).sum()
                out[name] = total.full_tensor() if hasattr(total, "full_tensor") else total
        return out
