"""How a recipe is carried to another run: one function per thing that moves. Rules: elltwo.laws.decay_rescale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from elltwo.decay.recipes.run import TrainingRun, no_rate
from elltwo.errors import ConversionError
from elltwo.laws.decay_catalogue import find_optimizer
from elltwo.laws.decay_rescale import RULES, RescaleRule, Rescaling, factor_for

__all__ = ["convert", "move", "relearn", "widen"]

Run = TypeVar("Run", bound=TrainingRun)

_CONVERTED = RescaleRule(
    "optimizer",
    "the shrink per step at the peak is kept",
    "definitions of the two optimizers (elltwo.laws.decay_catalogue)",
    "exact at the peak; where one follows the schedule and the other does not, they differ away from it",
    True,
)
_ACROSS = RescaleRule(
    "optimizer",
    "the shrink per step at the peak is kept",
    "timescale argument of Wang & Aitchison, arXiv:2405.13698, which compares runs of one optimizer",
    "not established between families (SGD, AdamW, others): use it as a starting point and tune",
    False,
)


def move(recipe: Run, moves: str, new: float, hold: str) -> Run:
    """Change batch, samples or epochs; warm-up keeps its share of the run."""
    old = getattr(recipe, moves)
    changed: dict[str, Any] = {moves: new, "warmup": 0}
    target = replace(recipe, **changed)
    if hold == "run" and moves != "batch":
        used = Rescaling(RULES["run"], recipe.steps, target.steps, recipe.steps / target.steps)
    else:
        used = factor_for(moves, old, new)
    warmup = min(round(recipe.warmup * target.steps / recipe.steps), target.steps)
    return replace(
        target,
        weight_decay=recipe.weight_decay * used.decay_factor,
        warmup=warmup,
        history=(*recipe.history, used),
    )


def widen(recipe: Run, width: float) -> Run:
    """Multiply the width by ``width``: η falls, λ rises, η·λ stays."""
    used = factor_for("width", recipe.width, recipe.width * width)
    moved = replace(
        recipe, width=recipe.width * width, lr=recipe.lr * used.lr_factor, history=(*recipe.history, used)
    )
    return replace(moved, weight_decay=_decay_for_rate(moved, recipe.rate or 0.0))


def relearn(recipe: Run, lr: float) -> Run:
    """Change the learning rate; the shrink per step at the peak stays."""
    moved = replace(recipe, lr=lr)
    decay = _decay_for_rate(moved, recipe.rate or 0.0)
    factor = decay / recipe.weight_decay if recipe.weight_decay else 1.0
    used = Rescaling(RULES["lr"], recipe.lr, lr, factor)
    return replace(moved, weight_decay=decay, history=(*recipe.history, used))


def convert(recipe: Run, optimizer: str, lr: float | None) -> Run:
    """Write the same shrink per step in another optimizer's number."""
    row = find_optimizer(optimizer)
    same = row.family == recipe.row.family and row.family != ""
    if not same and lr is None:
        raise ConversionError(
            f"the learning rates of {recipe.row.name} and {row.name} are not comparable: tune one for {row.name} "
            "and pass it as lr= (--to-lr)"
        )
    moved = replace(
        recipe,
        optimizer=optimizer,
        lr=recipe.lr if lr is None else lr,
        momentum=recipe.momentum if same else None,
    )
    if moved.rate is None:
        raise ConversionError(no_rate(row))
    if row.unit == "none":
        raise ConversionError(f"{row.name} has no weight decay")
    decay = _decay_for_rate(moved, recipe.rate or 0.0)
    factor = decay / recipe.weight_decay if recipe.weight_decay else 1.0
    used = Rescaling(_CONVERTED if same else _ACROSS, recipe.row.name, row.name, factor)
    return replace(moved, weight_decay=decay, history=(*recipe.history, used))


def _decay_for_rate(recipe: TrainingRun, rate: float) -> float:
    """λ in the optimizer's own unit that removes ``rate`` per step at the peak."""
    unit = recipe.row.unit
    if unit == "gradient":
        return rate * (1.0 - recipe.beta) / recipe.lr
    return {"per-lr": rate / recipe.lr, "lr-squared": rate / recipe.lr**2}.get(unit, rate)
