"""What a choice of λ hands back, and the checks its methods share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from elltwo.errors import InputError

__all__ = ["TunedDecay", "positive"]


@dataclass(frozen=True)
class TunedDecay:
    """A chosen strength and how it came about.

    ``tried`` holds (λ, rows, validation loss) of every run; ``cost`` counts what was spent in training runs of
    full size. ``said`` are sentences: what was done, and what to beware of. ``strengths`` holds λ per tensor
    where a method chooses one for each.
    """

    weight_decay: float
    method: str
    tried: tuple[tuple[float, int, float], ...]
    cost: float
    said: tuple[str, ...]
    strengths: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        return "\n".join(
            [f"weight_decay = {self.weight_decay:.4g} ({self.method})", *(f"- {s}" for s in self.said)]
        )


def positive(name: str, value: float) -> float:
    """A positive finite number, or InputError naming it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise InputError(f"{name} must be a positive number, got {value!r}")
    return float(value)
