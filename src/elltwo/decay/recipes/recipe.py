"""Recipe: what a weight decay means in a given training run, and how to carry it to another. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from elltwo.decay.recipes import carry
from elltwo.decay.recipes.run import TrainingRun, check_number, no_rate
from elltwo.decay.recipes.text import recipe_text
from elltwo.errors import ConversionError, unknown_option

__all__ = ["Recipe"]


@dataclass(frozen=True, kw_only=True)
class Recipe(TrainingRun):
    """A training run as far as weight decay is concerned.

    Parameters
    ----------
    optimizer : str
        Name in :mod:`elltwo.laws.decay_catalogue`; it fixes what ``weight_decay`` means (``"adamw"``, ``"sgd"``,
        ``"composer"``, ``"keras"``, ``"optax"``, ``"tfa"`` …).
    lr, weight_decay : float
        Peak learning rate and strength, as written in that optimizer's call.
    batch, samples, epochs : float
        Batch size, training set size (same unit, for example tokens), passes.
    schedule : str
        ``"constant"``, ``"cosine"``, ``"linear"``, ``"rsqrt"``, ``"wsd"`` or ``"step"``; after ``warmup`` steps,
        down to ``final`` times the peak.
    momentum : float, optional
        Momentum (SGD) or β₁; the optimizer's default where not given.

    Raises
    ------
    UsageError
        For an unknown optimizer or schedule.
    InputError
        For a number that cannot be.
    """

    def to(
        self,
        *,
        lr: float | None = None,
        batch: float | None = None,
        samples: float | None = None,
        epochs: float | None = None,
        width: float | None = None,
        optimizer: str | None = None,
        hold: str = "epochs",
    ) -> Recipe:
        """The recipe carried to another run; ``history`` tells which rule moved λ, its source and limits.

        ``width`` is relative to this recipe's. ``hold="epochs"`` keeps the timescale in epochs (several passes),
        ``hold="run"`` keeps it as a fraction of the run (one pass).

        Raises
        ------
        ConversionError
            If the optimizer has no timescale, or two families are mixed without a new ``lr``.
        """
        if hold not in ("epochs", "run"):
            raise unknown_option("hold", hold, ("epochs", "run"))
        if self.rate is None:
            raise ConversionError(no_rate(self.row))
        out = self
        for moves, new in (("batch", batch), ("samples", samples), ("epochs", epochs)):
            if new is not None:
                check_number(moves, new)
                out = carry.move(out, moves, new, hold)
        if width is not None:
            check_number("width", width)
            out = carry.widen(out, width)
        if lr is not None:
            check_number("lr", lr)
        if optimizer is not None:
            out = carry.convert(out, optimizer, lr)
        elif lr is not None:
            out = carry.relearn(out, lr)
        return replace(out, source="")

    def to_dict(self) -> dict[str, Any]:
        """Settings, answers and rules used, as plain data."""
        keys = (
            "optimizer",
            "lr",
            "weight_decay",
            "batch",
            "samples",
            "epochs",
            "schedule",
            "warmup",
            "final",
            "width",
        )
        settings = {k: getattr(self, k) for k in keys} | {"momentum": self.beta, "source": self.source}
        rules = [
            {
                "rule": str(h),
                "factor": h.decay_factor,
                "lr_factor": h.lr_factor,
                "source": h.rule.source,
                "limits": h.rule.limits,
                "established": h.rule.established,
            }
            for h in self.history
        ]
        return {
            "settings": settings,
            "unit": self.row.unit,
            "answers": self.answers.to_dict(),
            "rules": rules,
        }

    def __str__(self) -> str:
        return recipe_text(self)
