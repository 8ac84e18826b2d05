"""A training run as far as weight decay is concerned, and what its weight decay means there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from elltwo.errors import ConversionError, InputError, unknown_option
from elltwo.facts.recipe import RecipeAnswers
from elltwo.laws.decay_catalogue import OptimizerRow, find_optimizer
from elltwo.laws.decay_equilibrium import equilibrium_angular_rate, equilibrium_norm_adamw
from elltwo.laws.decay_rescale import Rescaling
from elltwo.laws.decay_schedules import SCHEDULES, schedule_factors

__all__ = ["TrainingRun", "check_number", "no_rate"]

_POINTS = 20_000


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """Settings of a run and the decay they amount to; :class:`~elltwo.Recipe` adds how to carry it."""

    lr: float
    weight_decay: float
    batch: float
    samples: float
    epochs: float = 1.0
    optimizer: str = "adamw"
    schedule: str = "cosine"
    warmup: int = 0
    final: float = 0.0
    momentum: float | None = None
    width: float = 1.0
    source: str = ""
    history: tuple[Rescaling, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        find_optimizer(self.optimizer)
        if self.schedule not in SCHEDULES:
            raise unknown_option("schedule", self.schedule, SCHEDULES)
        for name in ("lr", "batch", "samples", "epochs", "width"):
            check_number(name, getattr(self, name))
        check_number("weight_decay", self.weight_decay, zero=True)
        if not 0 <= self.beta < 1:
            raise InputError(f"momentum must lie in [0, 1), got {self.momentum!r}")
        if not 0 <= self.warmup <= self.steps:
            raise InputError(f"warmup of {self.warmup} steps does not fit into a run of {self.steps} steps")

    @property
    def row(self) -> OptimizerRow:
        """What the optimizer's number means."""
        return find_optimizer(self.optimizer)

    @property
    def beta(self) -> float:
        """Momentum or β₁ in force."""
        return self.row.momentum if self.momentum is None else self.momentum

    @property
    def steps_per_epoch(self) -> float:
        """Updates per pass over the data."""
        return self.samples / self.batch

    @property
    def steps(self) -> int:
        """Updates in the run."""
        return max(1, round(self.epochs * self.steps_per_epoch))

    @property
    def rate(self) -> float | None:
        """Share of a weight that decay removes per step at the peak; None where λ is normalised away."""
        lr, wd, unit = self.lr, self.weight_decay, self.row.unit
        if unit == "gradient":
            return lr * wd / (1.0 - self.beta) if self.row.family == "sgd" else None
        return {"per-lr": lr * wd, "lr-squared": lr * lr * wd, "none": 0.0}.get(unit, wd)

    def rates(self) -> NDArray[np.float64]:
        """Shrink of every step (at most 20,000 evenly spread ones), shape (points,)."""
        if self.rate is None:
            raise ConversionError(no_rate(self.row))
        f = schedule_factors(self.schedule, self.steps, warmup=self.warmup, final=self.final, points=_POINTS)
        power = {"per-step": 0.0, "lr-squared": 2.0}.get(self.row.unit, 1.0)
        if self.optimizer.lower() in ("adamc", "adamwc", "timm.adamc"):
            power = 2.0  # corrected decay: λ itself follows η_t/η_peak
        return np.asarray(self.rate * f**power, dtype=np.float64)

    @cached_property
    def answers(self) -> RecipeAnswers:
        """Timescale, half-life, effective decay, equilibrium and what to beware of."""
        if self.rate is None:
            return RecipeAnswers(steps=self.steps, notes=(no_rate(self.row),))
        rates = self.rates()
        if np.any(rates > 1):
            raise InputError(
                f"decay removes {rates.max():.3g} of a weight per step: lower lr or weight_decay"
            )
        tau = math.inf if self.rate == 0 else 1.0 / self.rate
        spread = self.steps / len(rates)
        with np.errstate(divide="ignore"):
            logs = np.log1p(-rates)
        rate, lam = self.rate, self.rate / self.lr * (1.0 - self.beta if self.row.family == "sgd" else 1.0)
        return RecipeAnswers(
            steps=self.steps,
            tau_steps=tau,
            tau_epochs=tau / self.steps_per_epoch,
            tau_fraction=tau / self.steps,
            half_life_steps=math.inf
            if rate == 0
            else (math.log(2) / -math.log1p(-rate) if rate < 1 else 0.0),
            effective_decay=float(rates.sum()) * spread,
            retained=float(np.exp(logs.sum() * spread)),
            angular_rate=equilibrium_angular_rate(self.row.family, self.lr, lam, self.beta)
            if self.row.family
            else None,
            equilibrium_rms=equilibrium_norm_adamw(self.lr, lam, 1) if self.row.family == "adamw" else None,
            notes=tuple(_beware(self, tau)),
        )


def check_number(name: str, value: float, *, zero: bool = False) -> None:
    good = isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and math.isfinite(value)
    if not good or value < 0 or (value == 0 and not zero):
        kind = "zero or a positive number" if zero else "a positive number"
        raise InputError(f"{name} must be {kind}, got {value!r}")


def _beware(run: TrainingRun, tau: float) -> list[str]:
    notes = []
    if run.weight_decay == 0:
        notes.append("weight_decay is 0: nothing is decayed")
    elif tau > run.steps:
        notes.append(
            f"the timescale ({tau:,.0f} steps) is longer than the run ({run.steps:,} steps): "
            f"decay does little; λ would have to be {tau / run.steps:.3g} times larger to matter"
        )
    elif tau < 10:
        notes.append(
            f"a weight forgets its updates within {tau:.3g} steps: too strong for anything but noise"
        )
    if run.row.note:
        notes.append(f"{run.row.name}: {run.row.note}")
    return notes


def no_rate(row: OptimizerRow) -> str:
    """Why an optimizer has no timescale, in one sentence."""
    return (
        f"{row.name} has no decay timescale: λw is added to the gradient and then normalised away or has no "
        "established law; use a decoupled optimizer (adamw) or SGD"
    )
