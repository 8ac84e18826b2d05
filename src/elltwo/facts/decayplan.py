"""What a decay plan is: one row of plain data per parameter tensor, with a reason. No torch in here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from elltwo.errors import DataError, InputError, UsageError
from elltwo.facts.decayrow import MULTIPLICATIVE, ROLES, Change, PlanRow, check_strength
from elltwo.facts.plangroups import build_groups, match, plain_name
from elltwo.facts.plantable import plan_table

__all__ = ["MULTIPLICATIVE", "ROLES", "Change", "DecayPlan", "PlanRow", "check_strength", "plain_name"]

VERSION = 1


@dataclass(frozen=True)
class DecayPlan:
    """A row per parameter tensor, in the model's order; plain data that can be saved, compared, overridden.

    ``invariant`` says what happens to proven scale-invariant weights: "decay" (a control of their
    effective learning rate), "exempt" or "corrected" (decay eta_t^2/eta_max, AdamC). ``notes`` are
    sentences about what could not be established.
    """

    rows: tuple[PlanRow, ...]
    policy: str
    weight_decay: float
    invariant: str = "decay"
    model: str = ""
    notes: tuple[str, ...] = ()
    parameters: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    def __iter__(self) -> Iterator[PlanRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> PlanRow:
        for row in self.rows:
            if name == row.name or name in row.aliases:
                return row
        raise UsageError(f"the plan has no parameter named {name!r}; it has {len(self.rows)} rows")

    def __str__(self) -> str:
        return self.table()

    @property
    def decayed(self) -> tuple[PlanRow, ...]:
        """Rows with a strength above zero."""
        return tuple(r for r in self.rows if r.strength > 0)

    @property
    def spared(self) -> tuple[PlanRow, ...]:
        """Rows with strength zero."""
        return tuple(r for r in self.rows if r.strength == 0)

    def summary(self) -> str:
        """Counts in one line, for a log."""
        yes, no = self.decayed, self.spared
        return (
            f"{self.model or 'model'}: {len(yes)} tensor{'s' * (len(yes) != 1)} "
            f"({sum(r.numel for r in yes):,} parameters) decayed, "
            f"{len(no)} ({sum(r.numel for r in no):,}) not; policy {self.policy}, "
            f"{sum(r.scale_invariant == 'proven' for r in self.rows)} proven scale-invariant, "
            f"{sum(r.dead is True for r in self.rows)} dead"
        )

    def table(self, width: int = 80) -> str:
        """Rows, then the distinct reasons they refer to by number, in ``width`` columns."""
        return plan_table(self.rows, self.summary(), self.notes, width)

    def override(self, strengths: Mapping[str, float]) -> DecayPlan:
        """The plan with ``{glob: weight_decay}`` applied in order (later wins).

        Raises
        ------
        UsageError
            If a pattern matches no parameter name or alias, or a strength is negative or not finite.
        """
        rows = list(self.rows)
        for pattern, strength in strengths.items():
            value = check_strength(strength, f"override {pattern!r}")
            hits = [
                i for i, r in enumerate(rows) if any(fnmatchcase(n, pattern) for n in (r.name, *r.aliases))
            ]
            if not hits:
                raise UsageError(
                    f"override {pattern!r} matches no parameter: names look like {rows[0].name!r}, "
                    f"{rows[-1].name!r}; check the pattern or remove it"
                )
            for i in hits:
                reason = f"Set to {value:g} by your override {pattern!r}; its role is {rows[i].role}."
                rows[i] = replace(rows[i], strength=value, override=pattern, law="plain", reason=reason)
        return replace(self, rows=tuple(rows))

    def diff(self, other: DecayPlan) -> tuple[Change, ...]:
        """What another plan says differently: strengths, roles, invariance, shapes, missing tensors."""
        mine, theirs = {r.name: r for r in self.rows}, {r.name: r for r in other.rows}
        changes = [Change(n, "is in the plan", True, False) for n in mine if n not in theirs]
        changes += [Change(n, "is in the plan", False, True) for n in theirs if n not in mine]
        for name in mine:
            if name in theirs:
                for what in ("shape", "role", "scale_invariant", "dead", "strength", "law", "lr_scale"):
                    before, after = getattr(mine[name], what), getattr(theirs[name], what)
                    if before != after:
                        changes.append(Change(name, what, before, after))
        return tuple(changes)

    def groups(
        self,
        lr: float | None = None,
        *,
        model: Any = None,
        by: str = "strength",
        number: Callable[[float], Any] = float,
        named: bool = True,
        only: Callable[[PlanRow], bool] | None = None,
        **extra: Any,
    ) -> list[dict[str, Any]]:
        """Parameter groups for any stock optimizer.

        Parameters
        ----------
        lr : learning rate written into each group (times a row's ``lr_scale``); left out when None.
        model : the model whose parameters to group, matched by name through DDP, FSDP and compile
            wrappers; the planned model when None.
        by : "strength" (fewest groups), "role" (one group per role and strength) or "tensor".
        number : makes each ``weight_decay``; ``torch.tensor`` gives one that a compiled step can see
            change without compiling again.
        named : give (name, tensor) pairs, so that names travel through ``state_dict``.
        only : which rows to take, when several optimizers share the model (Muon takes hidden matrices alone).
        extra : further options written into every group.

        Raises
        ------
        UsageError
            If no model is at hand, or a planned name is missing in it, or it has names the plan lacks.
        """
        tensors = self._tensors(model)
        rows = self.rows if only is None else [r for r in self.rows if only(r)]
        return build_groups(rows, tensors, lr=lr, by=by, number=number, named=named, extra=extra)

    def bind(self, model: Any) -> DecayPlan:
        """The same plan, holding the parameters of ``model`` (a wrapper, a copy, a fresh build)."""
        return replace(self, parameters=self._tensors(model))

    def _tensors(self, model: Any) -> Mapping[str, Any]:
        if model is None:
            if self.parameters is None:
                raise UsageError(
                    "this plan was read from a file and holds no tensors: pass groups(model=...)"
                )
            return self.parameters
        return match(self.rows, model)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        head = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("rows", "parameters")}
        return {"elltwo_decay_plan": VERSION, **head, "rows": [asdict(r) for r in self.rows]}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write as JSON: to a temporary file first, then renamed, so never half a file."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise InputError(
                f"cannot write the plan to {path}: {error.strerror}; choose another place"
            ) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> DecayPlan:
        """Read a plan written by :meth:`save`; it holds no tensors (see ``groups(model=...)``)."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"cannot read a decay plan from {path}: {error}") from error
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DecayPlan:
        """A plan from what :meth:`to_dict` gave."""
        if not isinstance(data, Mapping) or data.get("elltwo_decay_plan") != VERSION:
            raise DataError(f"this is not a decay plan of version {VERSION}: write one with plan.save(path)")
        try:
            rows = tuple(_row_from_dict(r) for r in data["rows"])
            rest = {k: v for k, v in data.items() if k not in ("rows", "elltwo_decay_plan")}
            return cls(rows=rows, **{**rest, "notes": tuple(rest.get("notes", ()))})
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"the decay plan is damaged ({error}): write it again with plan.save(path)"
            ) from error


def _row_from_dict(data: Mapping[str, Any]) -> PlanRow:
    values = dict(data)
    values["shape"], values["aliases"] = tuple(values["shape"]), tuple(values["aliases"])
    if values["role"] not in ROLES:
        raise ValueError(f"unknown role {values['role']!r} of {values['name']!r}")
    values["strength"] = check_strength(values["strength"], f"row {values['name']!r}")
    return PlanRow(**values)
