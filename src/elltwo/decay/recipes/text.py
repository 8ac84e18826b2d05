"""A recipe as text for a terminal of 80 columns."""

from __future__ import annotations

import math
import textwrap

from elltwo.decay.recipes.run import TrainingRun
from elltwo.facts.recipe import RecipeAnswers

__all__ = ["recipe_text"]

_MEANING = {
    "per-lr": "each step shrinks weights by lr_t × weight_decay",
    "per-schedule": "each step shrinks weights by weight_decay × lr_t/lr_peak",
    "per-step": "each step shrinks weights by weight_decay, whatever the schedule",
    "lr-squared": "each step shrinks weights by lr_t² × weight_decay",
    "gradient": "weight_decay × w is added to the gradient",
    "none": "the optimizer has no weight decay",
}


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "no established law"
    if math.isinf(value):
        return "never"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{text}{' ' + unit if unit else ''}"


def _size(value: float | None) -> str:
    return (
        "needs the gradient's norm (Monitor measures it)" if value is None else _number(value, "rms, roughly")
    )


def _wrapped(text: str, first: str = "- ") -> str:
    return textwrap.fill(text, 78, initial_indent=first, subsequent_indent="  ", break_on_hyphens=False)


def recipe_text(recipe: TrainingRun) -> str:
    """Settings, answers, rules used and what to beware of; no line is longer than 80 columns."""
    a = recipe.answers
    lines = [
        f"{recipe.row.name}  lr {recipe.lr:g}  weight_decay {recipe.weight_decay:.6g}  "
        f"(momentum {recipe.beta:g})",
        f"  {_MEANING[recipe.row.unit]}",
        f"  batch {_number(recipe.batch)}, {_number(recipe.samples)} samples, {recipe.epochs:g} epochs "
        f"= {recipe.steps:,} steps, {recipe.schedule}",
        "",
        *_answers(a),
    ]
    if recipe.history:
        lines += ["", "How weight_decay was moved"]
        for used in recipe.history:
            lines.append(_wrapped(f"{used}"))
            lines.append(_wrapped(f"source: {used.rule.source}", "  "))
            lines.append(_wrapped(f"limits: {used.rule.limits}", "  "))
    if a.notes:
        lines += ["", "Beware", *(_wrapped(n) for n in a.notes)]
    if recipe.source:
        lines += ["", _wrapped(f"Source: {recipe.source}", "")]
    return "\n".join(lines)


def _answers(a: RecipeAnswers) -> list[str]:
    share = None if a.tau_fraction is None else 100 * a.tau_fraction
    kept = None if a.retained is None else 100 * a.retained
    rows = (
        ("timescale", _number(a.tau_steps, "steps")),
        ("", _number(a.tau_epochs, "epochs")),
        ("", _number(share, "% of the run")),
        ("half-life at the peak", _number(a.half_life_steps, "steps")),
        ("decay over the schedule", _number(a.effective_decay, "timescales")),
        ("initial weights left", _number(kept, "%")),
        ("rotation at equilibrium", _number(a.angular_rate, "rad/step (scale-invariant weights)")),
        ("size at equilibrium", _size(a.equilibrium_rms)),
    )
    return [
        f"  {label:<26}{value}" for label, value in rows if a.tau_steps is not None or label == "timescale"
    ]
