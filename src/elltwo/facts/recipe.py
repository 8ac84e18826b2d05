"""What a recipe answers: plain numbers about a training run's weight decay."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class RecipeAnswers:
    """Numbers that theory gives for a run; None where no law is established.

    Attributes
    ----------
    steps : updates in the run.
    tau_steps, tau_epochs, tau_fraction : the timescale 1/rate in updates, in epochs, as a share of the run.
    half_life_steps : updates after which decay alone halves a weight, at the peak rate.
    effective_decay : Σ rate_t over the schedule; the run lasts this many timescales.
    retained : share of the initial weights left at the end.
    angular_rate : radians per step of scale-invariant weights at equilibrium, at the peak.
    equilibrium_rms : root mean square of a weight's entries at equilibrium (order of magnitude).
    notes : what to beware of, in sentences.
    """

    steps: int
    tau_steps: float | None = None
    tau_epochs: float | None = None
    tau_fraction: float | None = None
    half_life_steps: float | None = None
    effective_decay: float | None = None
    retained: float | None = None
    angular_rate: float | None = None
    equilibrium_rms: float | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: infinities become the text ``"inf"``."""
        raw = asdict(self)
        return {k: "inf" if isinstance(v, float) and math.isinf(v) else v for k, v in raw.items()} | {
            "notes": list(self.notes)
        }
