"""From what is known of a tensor to how strongly it is decayed, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from elltwo.errors import UsageError, unknown_option
from elltwo.facts.decayplan import MULTIPLICATIVE, PlanRow

INVARIANT_CHOICES = ("decay", "exempt", "corrected")

_SPARED = {
    "bias": "Only shifts an activation; shrinking it does not bound how steep the function is, so it is spared.",
    "recurrent bias": "Only shifts a recurrent activation; shrinking it bounds nothing, so it is spared.",
    "norm scale": "Scales a normalized activation around 1; decay would pull it to 0, so it is spared.",
    "norm shift": "Shifts a normalized activation; shrinking it does not bound the function, so it is spared.",
    "gain": "Multiplies element by element around a value that is not 0; decay would bias it, so it is spared.",
    "temperature": "Sets the sharpness of attention scores; decay would flatten them, so it is spared.",
    "log-parameter": "Enters through exp, softplus or sigmoid, where 0 is no neutral value, so it is spared.",
    "weight-norm gain": "Is the norm of a normalized weight, a gain in its own right, so it is spared.",
    "embedding": (
        "Is looked up row by row: rows that a batch does not contain get no gradient and would only shrink, "
        "so it is spared."
    ),
    "table": "Is a position or token table that is added or joined, not a map of its input, so it is spared.",
    "unclassified": (
        "Is used by an operation that the tracer does not know, so it is left alone: look at it and set it with "
        "overrides."
    ),
    "unused": "Was not touched on this batch and its owner's type says nothing, so it is left alone.",
}
_INVARIANT = {
    "decay": (
        "Feeds a normalization (the function does not change with its scale, {proof}): decay cannot simplify "
        "the function, it only controls the effective learning rate; kept on."
    ),
    "exempt": (
        "Feeds a normalization (the function does not change with its scale, {proof}): decay cannot simplify "
        "the function; switched off as you asked (its effective learning rate will then fall as it grows)."
    ),
    "corrected": (
        "Feeds a normalization (the function does not change with its scale, {proof}): decays with the "
        "corrected law eta_t^2/eta_max (AdamC), which keeps the gradient-to-weight ratio level."
    ),
}


@dataclass(frozen=True)
class Policy:
    """Everything that turns roles into strengths.

    ``decayed``: names that a rule from :mod:`elltwo.decay.planning.heuristics` decays, or None for the standard
    choice by role. ``widths``: fan-in multiplier per name (mup), or empty.
    """

    name: str
    weight_decay: float
    invariant: str = "decay"
    decayed: frozenset[str] | None = None
    widths: Mapping[str, float] | None = None
    strengths: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.invariant not in INVARIANT_CHOICES:
            raise unknown_option("choice for scale-invariant weights", self.invariant, INVARIANT_CHOICES)

    def judge(self, row: PlanRow, fallback: str) -> PlanRow:
        """The row with strength, law and reason; ``fallback`` is the role that its module type suggests."""
        if not row.trainable:
            return replace(
                row, strength=0.0, reason="Is frozen (requires_grad is False): no optimizer moves it."
            )
        if self.decayed is not None:
            return self._by_rule(row)
        if row.dead:
            return replace(row, strength=0.0, reason=_dead(row))
        if row.role == "unused" and fallback not in ("unused", "unclassified"):
            strength, reason = self._by_role(replace(row, role=fallback))
            text = (
                f"Was not touched on this batch; its owner's type makes it {_a(fallback)}, "
                f"{'decayed if it is ever used' if strength else 'which is spared'}."
            )
            return replace(row, strength=strength, reason=text)
        if row.multiplicative and row.scale_invariant in ("proven", "approximate"):
            return self._invariant_weight(row)
        strength, reason = self._by_role(row)
        return self._width(replace(row, strength=strength, reason=reason))

    def _by_rule(self, row: PlanRow) -> PlanRow:
        yes = row.name in (self.decayed or ())
        reason = f"{'Decays' if yes else 'Is spared'} because the rule {self.name!r} says so; its role is {row.role}."
        return replace(row, strength=self.weight_decay if yes else 0.0, reason=reason)

    def _by_role(self, row: PlanRow) -> tuple[float, str]:
        given = (self.strengths or {}).get(row.role)
        if given is not None:
            return given, f"Set to {given:g} for every {row.role}, as you asked."
        if row.role not in MULTIPLICATIVE:
            return 0.0, _SPARED[row.role]
        if row.role == "adapter":
            text = "Is half of a low-rank correction: decay pulls the sum back to the frozen base weight, not to 0."
        elif row.role == "weight-norm direction":
            text = "Is divided by its own norm: decay only controls its effective learning rate; kept on."
        else:
            tied = " (it is also looked up as an embedding)" if row.slot == "weight, also embedding" else ""
            text = f"Multiplies its input{tied}, so decay bounds how steep the function is."
        return self.weight_decay, text

    def _invariant_weight(self, row: PlanRow) -> PlanRow:
        how = "proven" if row.scale_invariant == "proven" else "apart from an eps in the code or rounding"
        reason = _INVARIANT[self.invariant].format(proof=how)
        given = (self.strengths or {}).get(row.role, self.weight_decay)
        strength = 0.0 if self.invariant == "exempt" else given
        law = "corrected" if self.invariant == "corrected" and strength else "plain"
        return self._width(replace(row, strength=strength, law=law, reason=reason))

    def _width(self, row: PlanRow) -> PlanRow:
        """muP (Yang et al. 2022, table 8, Adam): hidden matrices get lr/m and weight_decay*m."""
        m = (self.widths or {}).get(row.name, 1.0)
        if m == 1.0:
            return row
        text = f"{row.reason[:-1]}; muP with fan-in {m:g} times the base: lr/{m:g}, decay x {m:g}."
        return replace(row, strength=row.strength * m, lr_scale=1 / m, reason=text)


def _dead(row: PlanRow) -> str:
    return (
        "Has a gradient that is identically zero (the outputs do not depend on it, e.g. a bias before a norm or "
        "a softmax): only decay would move it, so it is spared."
    )


def _a(role: str) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"


def width_multipliers(
    shapes: Mapping[str, tuple[int, ...]], base: Mapping[str, tuple[int, ...]]
) -> dict[str, float]:
    """fan-in / base fan-in of each matrix whose both sides grew (muP's "matrix-like" tensors).

    Raises
    ------
    UsageError
        If the base model has other parameter names.
    """
    if set(shapes) != set(base):
        odd = sorted(set(shapes) ^ set(base))[:3]
        raise UsageError(
            f"policy 'mup' needs a base model with the same parameter names; these differ: {odd}"
        )
    found = {}
    for name, shape in shapes.items():
        small = base[name]
        if len(shape) > 1 and shape[0] != small[0] and shape[1] != small[1]:
            found[name] = shape[1] / small[1]
    return found
