"""One row of a decay plan: roles, the row itself, and what may differ between two plans. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from elltwo.errors import UsageError

__all__ = ["MULTIPLICATIVE", "ROLES", "Change", "PlanRow", "check_strength"]

#: role -> what the forward pass does with such a tensor.
ROLES: dict[str, str] = {
    "linear weight": "multiplies its input in a linear layer",
    "conv weight": "multiplies its input in a convolution",
    "matmul weight": "multiplies its input in a matrix product",
    "einsum weight": "multiplies its input in an einsum",
    "output head": "multiplies the last features into the model's output",
    "router": "multiplies its input into scores that choose experts",
    "recurrent weight": "multiplies its input at every step of a recurrent layer",
    "recurrent bias": "is added at every step of a recurrent layer",
    "adapter": "is half of a low-rank correction added to a frozen weight",
    "weight-norm direction": "is divided by its own norm before it is used",
    "weight-norm gain": "sets the norm of a normalized weight",
    "embedding": "is looked up row by row with indices from the batch",
    "table": "is a position or token table: added, concatenated or looked up with fixed indices",
    "bias": "is added to an activation",
    "norm scale": "multiplies a normalized activation element by element",
    "norm shift": "is added to a normalized activation",
    "gain": "multiplies an activation element by element",
    "temperature": "multiplies attention scores",
    "log-parameter": "enters through exp, softplus or sigmoid",
    "unused": "was not touched by the forward pass on this batch",
    "unclassified": "is used by an operation that the tracer does not know",
}

MULTIPLICATIVE = frozenset(
    {
        "linear weight",
        "conv weight",
        "matmul weight",
        "einsum weight",
        "output head",
        "router",
        "recurrent weight",
        "adapter",
        "weight-norm direction",
    }
)


@dataclass(frozen=True)
class PlanRow:
    """One parameter tensor: what it does, what was proven about it, how strongly to decay it and why.

    ``scale_invariant`` is "proven" (Euler residual below the tolerance), "approximate" (zero up to a
    literal eps in the code), "no" or "unknown"; ``residual`` is the measured statistic. ``strength`` is
    the ``weight_decay`` its group gets, in the optimizer's own convention.
    """

    name: str
    shape: tuple[int, ...]
    role: str
    strength: float
    reason: str
    aliases: tuple[str, ...] = ()
    dtype: str = "float32"
    trainable: bool = True
    op: str = ""
    slot: str = ""
    evidence: str = "traced"
    scale_invariant: str = "unknown"
    residual: float | None = None
    invariant_rows: int | None = None
    live_rows: int | None = None
    dead: bool | None = None
    law: str = "plain"
    lr_scale: float = 1.0
    override: str | None = None

    @property
    def numel(self) -> int:
        """Number of elements."""
        count = 1
        for side in self.shape:
            count *= side
        return count

    @property
    def multiplicative(self) -> bool:
        """True when the role multiplies an input (weights), False for what is added or only scales."""
        return self.role in MULTIPLICATIVE


@dataclass(frozen=True)
class Change:
    """One difference between two plans."""

    name: str
    what: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.name}: {self.what} {self.before!r} -> {self.after!r}"


def check_strength(value: Any, what: str) -> float:
    """A weight decay as a finite, non-negative float."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number < float("inf"):
        raise UsageError(f"{what}: weight decay must be a finite number >= 0, got {value!r}")
    return number
