"""Choose λ: every rule that can speak is heard, one decides, and the choice explains itself."""

from __future__ import annotations

import numpy as np

from elltwo.errors import UsageError
from elltwo.facts.rotated import Fold, Rotated
from elltwo.facts.selection import Curve, Selection
from elltwo.selecting.registry import RULES, Evidence, Rule, Scored, absent, find_rule
from elltwo.selecting.search import Minimum, grid, refine
from elltwo.shrinking.path import check_alphas


def select(
    rotated: Rotated,
    rule: str | Rule = "loo",
    *,
    folds: list[Fold] | None = None,
    alphas: np.ndarray | None = None,
    one_se: bool = False,
    per_target: bool = True,
    others: bool | tuple[str, ...] = True,
    folds_of_rows: np.ndarray | None = None,
) -> Selection:
    """Choose λ by a rule, from one Rotated.

    Parameters
    ----------
    rotated : the factored problem met by its targets.
    rule : a name in `selecting.registry.RULES`, one of its aliases, or a Rule of your own.
    folds : training folds, for K-fold cross-validation.
    alphas : (L,) λ to choose among, exactly; None for a grid from the spectrum and refinement.
    one_se : take the largest λ whose score is within one standard error of the least.
    per_target : one λ per target, or one for all (scores are then averaged over targets).
    others : also evaluate the other rules (True: those that read the spectrum alone; or names).
    folds_of_rows : (n,) kept in the result.

    Raises
    ------
    UsageError : the rule needs what is not there; the message names the rules that do work.
    """
    e = Evidence(rotated, folds)
    chosen = find_rule(rule)
    _refuse_unless_possible(chosen, e)
    given = None if alphas is None else np.sort(check_alphas(alphas))
    points = grid(rotated.spectrum.s) if given is None else given
    scored = _shared(chosen.score(e, points), per_target)
    best = _pick(chosen, e, points, scored, given is not None, per_target)
    if one_se:
        best = _one_standard_error(chosen, points, scored, best)
    curves = {chosen.name: Curve(chosen.name, points, scored.score, scored.error, chosen.unit)}
    choices = {chosen.name: np.broadcast_to(best.alpha, (rotated.targets,)).copy()}
    for other in _others(others, chosen, e):
        s = _shared(other.score(e, points), per_target)
        curves[other.name] = Curve(other.name, points, s.score, s.error, other.unit)
        minimum = _pick(other, e, points, s, given is not None, per_target)
        choices[other.name] = np.broadcast_to(minimum.alpha, (rotated.targets,)).copy()
    return Selection(
        rule=chosen.name,
        alpha=choices[chosen.name],
        score=best.score,
        curves=curves,
        choices=choices,
        edge=best.edge,
        sentence=_sentence(chosen, points, best, one_se, given is not None),
        folds=folds_of_rows,
    )


def _refuse_unless_possible(rule: Rule, e: Evidence) -> None:
    lacking = absent(rule, e)
    if lacking:
        able = ", ".join(name for name, other in RULES.items() if not absent(other, e))
        raise UsageError(f"the rule {rule.name!r} needs {lacking}; these rules work here: {able}")


def _others(others: bool | tuple[str, ...], chosen: Rule, e: Evidence) -> list[Rule]:
    if others is False:
        return []
    names = RULES if others is True else [find_rule(name).name for name in others]
    rules = [RULES[name] for name in names if name != chosen.name and not absent(RULES[name], e)]
    return [rule for rule in rules if others is not True or (rule.cheap and rule.heard)]


def _shared(scored: Scored, per_target: bool) -> Scored:
    """One score for all targets: the average, and the standard error of an average."""
    if per_target or scored.score.shape[1] == 1:
        return scored
    error = None if scored.error is None else np.sqrt(np.mean(scored.error**2, axis=1, keepdims=True))
    return Scored(scored.score.mean(axis=1, keepdims=True), error)


def _pick(
    rule: Rule, e: Evidence, points: np.ndarray, scored: Scored, given: bool, per_target: bool
) -> Minimum:
    if not given:
        if rule.exact is not None and (per_target or e.rotated.targets == 1):
            return _solved(rule, e)

        def score(a: np.ndarray) -> np.ndarray:
            return _shared(rule.score(e, a), per_target).score

        return refine(score, points, scored.score)
    values = np.where(np.isnan(scored.score), np.inf, scored.score)
    best = np.argmin(values, axis=0)
    edge = ""
    if points.size > 1:
        edge = "low" if np.any(best == 0) else "high" if np.any(best == points.size - 1) else ""
    return Minimum(points[best], values[best, np.arange(best.size)], edge)


def _solved(rule: Rule, e: Evidence) -> Minimum:
    """λ from an equation; 0 and ∞ are answers too."""
    assert rule.exact is not None
    alpha = rule.exact(e.rotated)
    score = np.array([rule.score(e, alpha[j : j + 1]).score[0, j] for j in range(alpha.size)])
    edge = "zero" if np.any(alpha == 0) else "infinity" if np.any(np.isinf(alpha)) else ""
    return Minimum(alpha, score, edge)


def _one_standard_error(rule: Rule, points: np.ndarray, scored: Scored, best: Minimum) -> Minimum:
    """The largest λ on the grid whose score is within one standard error of the least (Breiman et al. 1984)."""
    if scored.error is None:
        raise UsageError(f"the one-standard-error variant needs a standard error, and {rule.name!r} has none")
    where = np.argmin(np.where(np.isnan(scored.score), np.inf, scored.score), axis=0)
    limit = best.score + scored.error[where, np.arange(where.size)]
    within = scored.score <= limit
    last = within.shape[0] - 1 - np.argmax(within[::-1], axis=0)
    alpha = np.maximum(points[last], best.alpha)
    edge = "high" if np.any(last == points.size - 1) else ""
    return Minimum(alpha, scored.score[last, np.arange(last.size)], edge)


EDGES = {
    "low": "; it sits on the low edge of the strengths looked at, so a smaller one may do better",
    "high": "; it sits on the high edge of the strengths looked at, so a larger one may do better",
    "zero": "; no penalty at all does at least as well",
    "infinity": "; the more penalty the better: the columns do not help to predict",
}


def _sentence(rule: Rule, points: np.ndarray, best: Minimum, one_se: bool, given: bool) -> str:
    low, high = float(np.min(best.alpha)), float(np.max(best.alpha))
    value = f"λ = {low:.4g}" if low == high else f"λ from {low:.4g} to {high:.4g} (one per target)"
    how = "within one standard error of the least" if one_se else "has the least"
    among = (
        f"among {points.size} strengths given" if given else f"over {points.size} strengths and refinement"
    )
    return f"{value} {how} {rule.unit} {among}{EDGES.get(best.edge, '')}."
