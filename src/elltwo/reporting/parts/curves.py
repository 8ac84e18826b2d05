"""The curves over λ: one range for all figures, every rule's score, bias and variance."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.diagnosing.view import View
from elltwo.facts.selection import Curve
from elltwo.laws.ridge import filter_factors, leftover
from elltwo.reporting.parts.error import ErrorRule
from elltwo.selecting.registry import RULES, absent
from elltwo.selecting.search import grid, refine

POINTS = 101
BELOW, ABOVE = 1e-9, 1e3  # how far the axis reaches around the largest squared singular value
MOST_ROW_WORK = 3e7


def axis(view: View) -> np.ndarray:
    """(L,) λ from well below to well above anything chosen, whole decades, even in log λ."""
    s2 = view.s**2
    top = float(s2[0]) if s2.size and s2[0] > 0 else 1.0
    low = max(float(s2[-1]) * 1e-2, top * BELOW) if s2.size else top * BELOW
    finite = [a for a in (*view.choices.values(), view.alpha) if 0 < a < np.inf]
    low, high = min([low, *(a / 10 for a in finite)]), max([top * 1e2, *(a * 10 for a in finite)])
    low, high = max(low, top * 1e-14), min(high, top * ABOVE * 1e3)
    return np.logspace(np.floor(np.log10(low)), np.ceil(np.log10(high)), POINTS)


def selection_curves(view: View, rule: ErrorRule, alphas: np.ndarray) -> dict[str, Any]:
    """Every rule's curve: those of the selection, and the rest as far as they can be afforded."""
    curves: dict[str, Curve] = {}
    if view.selection is not None:
        curves = {name: c for name, c in view.selection.curves.items() if view.hears(name)}
    picked = dict(view.choices)
    affordable = view.rows * max(view.s.size, 1) <= MOST_ROW_WORK
    for other in RULES.values():
        if other.name in curves or not other.heard or absent(other, rule.evidence):
            continue
        if not (other.cheap or affordable):
            continue
        score = _score(other.name, rule)
        points = grid(view.s)
        curves[other.name] = Curve(other.name, points, score(points), None, other.unit)
        picked[other.name] = float(refine(score, points, score(points)).alpha[0])
    shown = {name: _curve(c, min(view.which, c.score.shape[1] - 1), alphas) for name, c in curves.items()}
    return {
        "rule": view.selection.rule if view.selection is not None else None,
        "sentence": view.selection.sentence if view.selection is not None else "λ was given, not chosen.",
        "edge": view.selection.edge if view.selection is not None else "",
        "choices": picked,
        "curves": {name: shown[name] for name in sorted(shown, key=_place)},
    }


def _place(rule: str) -> int:
    """Rules in the order of the registry; a rule of the user's own comes first."""
    return list(RULES).index(rule) if rule in RULES else -1


def _score(name: str, rule: ErrorRule):  # type: ignore[no-untyped-def]  # a closure for `refine`
    def score(a: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return RULES[name].score(rule.evidence, a).score[:, [rule.view.which]]

    return score


def _curve(curve: Curve, j: int, alphas: np.ndarray) -> dict[str, Any]:
    inside = (curve.alphas >= alphas[0] * (1 - 1e-9)) & (curve.alphas <= alphas[-1] * (1 + 1e-9))
    score = curve.score[inside, j]
    return {
        "alphas": curve.alphas[inside],
        "score": score,
        "error": None if curve.error is None else curve.error[inside, j],
        "height": heights(score),
        "unit": curve.unit,
    }


def heights(score: np.ndarray) -> np.ndarray:
    """The curve over its own least, as a share of its rise toward λ = ∞ (or toward 0 where it does not rise)."""
    score = np.where(np.isfinite(score), score, np.nan)
    if not np.isfinite(score).any():
        return score
    over = score - np.nanmin(score)
    ends = [v for v in (over[-1], over[0]) if np.isfinite(v)]
    scale = ends[0] if ends and ends[0] > 0.05 * max(ends) else max(ends, default=0.0)
    return over / scale if scale > 0 else over


def bias_variance(view: View, alphas: np.ndarray) -> dict[str, Any] | None:
    """Estimated squared bias and variance of the fit per row, over λ.

    Σ(1 − f)²(z² − σ²), an unbiased estimate of the squared bias, at least 0; and σ²(free + Σf²). Their sum
    is the expected squared distance from the true regression surface: Mallows' criterion, up to a constant.
    """
    sigma2, source = noise(view)
    if not sigma2 > 0 or view.rotated.spectrum.trace is not None:
        return None
    n = view.rows
    rest = leftover(view.s, alphas) ** 2
    bias = np.maximum(rest.T @ (view.z**2 - sigma2), 0.0) / n
    variance = (
        sigma2 * (view.rotated.spectrum.free.rank + (filter_factors(view.s, alphas) ** 2).sum(axis=0)) / n
    )
    return {"alphas": alphas, "bias2": bias, "variance": variance, "noise": sigma2, "noise_from": source}


def noise(view: View) -> tuple[float, str]:
    """σ² and where it comes from: known, the unregularized residuals, or the residuals at the chosen λ."""
    r = view.rotated
    if r.noise is not None:
        return float(r.noise) ** 2, "the noise level given"
    left = view.rows - r.spectrum.free.rank - r.spectrum.directions
    if left >= max(1.0, 0.1 * view.rows):
        return float(r.rest[view.which]) / left, "the residuals of the unregularized fit"
    return float(view.solution.sigma2[view.which]), "the residuals at the chosen λ"
