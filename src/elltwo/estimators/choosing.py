"""How λ is chosen: what was asked for, as one object, and the Fit that answers it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from elltwo.errors import ChoiceWarning, InputError, UsageError
from elltwo.estimators.fitting import SPARSE_LIMIT, Fit, fit_chosen, too_large, without_zero_weights
from elltwo.estimators.scoring import Scoring, fold_rule, loo_rule, r2_rule
from elltwo.estimators.splitting import only
from elltwo.factoring import factor
from elltwo.factoring.folds import factor_with_folds
from elltwo.factoring.splits import Split, factor_numbered, factor_splits, fold_numbers, is_partition
from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Fold, Rotated
from elltwo.facts.selection import Selection
from elltwo.selecting import find_rule, select
from elltwo.selecting.loo import loo_residuals
from elltwo.selecting.registry import RULES, Rule
from elltwo.shrinking.secular import alpha_for_df, alpha_for_fraction, alpha_for_radius, per_target

MANY = 2e7  # directions × strengths × targets beyond which only the rule that decides is evaluated


@dataclass(frozen=True)
class Wish:
    """What was asked of the choice of λ.

    Attributes
    ----------
    alphas : (L,) to choose among, or None for a grid from the spectrum and refinement.
    rule : name, or None: leave-one-out, or the splits' score where there are splits.
    one_se : the largest λ within one standard error of the best.
    per_target : one λ per target.
    target_df, radius, length_fraction : solve for λ instead; at most one; a number, or (t,).
    noise : known standard deviation of the noise.
    method : factorization.
    splits : cross-validation splits of all rows, or None.
    scoring : a scorer of the user's, or scikit-learn's default where None.
    pooled : pool squared errors over folds (elltwo's rule) rather than average a score over folds.
    """

    alphas: np.ndarray | None
    rule: str | None = None
    one_se: bool = False
    per_target: bool = False
    target_df: float | np.ndarray | None = None
    radius: float | np.ndarray | None = None
    length_fraction: float | np.ndarray | None = None
    noise: float | None = None
    method: str = "auto"
    splits: list[Split] | None = None
    scoring: Scoring | None = None
    pooled: bool = True

    @property
    def exact(self) -> list[str]:
        """What the strength is solved for."""
        return [n for n in ("target_df", "radius", "length_fraction") if getattr(self, n) is not None]

    @property
    def several(self) -> bool:
        """Does every target get a strength of its own?"""
        return self.per_target or any(
            n != "target_df" or np.ndim(cast(Any, self.target_df)) for n in self.exact
        )


@dataclass(frozen=True)
class Prepared:
    """A problem ready to choose on: factored, with the training folds and the rule that decides."""

    problem: Problem
    kept: np.ndarray | None
    rotated: Rotated
    folds: list[Fold] | None
    rule: str | Rule


def fit_wish(problem: Problem, wish: Wish) -> Fit:
    """Factor once, choose λ as asked, and solve there."""
    if too_large(problem.A):
        raise InputError(
            f"choosing a strength needs the Gram or kernel matrix, and min(n, p) = {min(problem.A.shape)} of "
            f"this sparse design exceeds {SPARSE_LIMIT}: use SparseRidgeCV, or Ridge(alpha=...)"
        )
    exact = wish.exact
    if len(exact) > 1:
        raise UsageError(f"{' and '.join(exact)} each fix the strength: give only one of them")
    ready = _prepare(problem, wish, bool(exact))

    def choose(rotated: Rotated) -> Selection:
        return _solve_exactly(rotated, wish, exact[0]) if exact else _select(rotated, ready, wish)

    fit = fit_chosen(ready.problem, ready.kept, choose=choose, rotated=ready.rotated, noise=wish.noise)
    return replace(fit, given=wish.alphas)


def _prepare(problem: Problem, wish: Wish, exact: bool) -> Prepared:
    inner, kept = without_zero_weights(problem)
    deciding = "gcv" if exact else _deciding(wish)
    if wish.splits is None or exact:
        rule = loo_rule(wish.scoring, kept) if deciding == "loo" and wish.scoring is not None else deciding
        if deciding == "loo" and inner.A.shape[0] < 2:
            raise InputError(
                "leave-one-out needs at least 2 rows, got 1 sample: add rows, or use Ridge(alpha=...)"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            return Prepared(inner, kept, factor(inner, wish.method), None, rule)
    _refuse_weightless(problem.weights, wish.splits)
    if deciding == "kfold" and wish.scoring is not None:
        return _scored(problem, inner, kept, wish.scoring, wish)
    return _pooled(inner, kept, wish, deciding)


def _refuse_weightless(weights: np.ndarray | None, splits: list[Split]) -> None:
    for k, split in enumerate(splits):
        if weights is not None and not (weights[split.held].any() and weights[split.train].any()):
            raise InputError(f"split {k} trains on, or holds out, rows of weight 0 alone: use fewer folds")


def _deciding(wish: Wish) -> str:
    if wish.rule is not None:
        return find_rule(wish.rule).name
    return "loo" if wish.splits is None else "kfold"


def _pooled(inner: Problem, kept: np.ndarray | None, wish: Wish, deciding: str) -> Prepared:
    """Weighted squared errors of folds: pooled, or as R² averaged over folds, scikit-learn's default."""
    assert wish.splits is not None
    splits = wish.splits if kept is None else only(wish.splits, kept)
    n = inner.A.shape[0]
    if is_partition(splits, n) and n >= inner.A.shape[1]:
        rotated, folds = factor_with_folds(inner, fold_numbers(splits, n), wish.method)
    else:
        rotated = factor(inner, wish.method)
        if is_partition(splits, n):
            folds = factor_numbered(inner, fold_numbers(splits, n), rotated)
        else:
            folds = factor_splits(inner, splits, rotated)
    if wish.pooled or deciding != "kfold":
        return Prepared(inner, kept, rotated, folds, deciding)
    held = [s.held for s in splits]
    if min(h.size for h in held) < 2:
        warnings.warn(
            "R2 of a single held-out row is undefined, so every strength scores the same and the smallest is "
            "kept: pass scoring='neg_mean_squared_error', rule='kfold', or cv=None",
            ChoiceWarning,
            stacklevel=6,
        )
    return Prepared(inner, kept, rotated, folds, r2_rule(inner.b, inner.weights, held))


def _scored(
    problem: Problem, inner: Problem, kept: np.ndarray | None, scoring: Scoring, wish: Wish
) -> Prepared:
    """A scorer on the predictions of every fold, averaged over folds; rows of weight 0 are predicted too."""
    assert wish.splits is not None
    rotated = factor(inner, wish.method)
    whole = rotated if kept is None else factor(problem, wish.method)
    folds = factor_splits(problem, wish.splits, whole, weigh_held=False, keep_rows=True)
    return Prepared(inner, kept, rotated, folds, fold_rule(scoring, [s.held for s in wish.splits]))


def _select(rotated: Rotated, ready: Prepared, wish: Wish) -> Selection:
    size = 200 if wish.alphas is None else wish.alphas.size
    few = rotated.z.size * size <= MANY
    others: bool | tuple[str, ...] = few
    if few and isinstance(ready.rule, str):
        others = (
            *(name for name, rule in RULES.items() if rule.cheap and rule.heard),
            *_dear(rotated, ready, size),
        )
    return select(
        rotated,
        ready.rule,
        folds=ready.folds,
        alphas=wish.alphas,
        one_se=wish.one_se,
        per_target=wish.per_target,
        others=others,
        folds_of_rows=None if wish.splits is None else _numbers(wish.splits, ready),
    )


def _dear(rotated: Rotated, ready: Prepared, strengths: int) -> tuple[str, ...]:
    """Rules beyond those that read the spectrum alone: K-fold where folds are there, leave-one-out of a few rows."""
    spectrum = rotated.spectrum
    rows = spectrum.rows is not None and spectrum.shape[0] * spectrum.s.size * strengths <= MANY
    return (*(("kfold",) if ready.folds is not None else ()), *(("loo",) if rows else ()))


def _numbers(splits: list[Split], ready: Prepared) -> np.ndarray | None:
    n = ready.problem.A.shape[0] if ready.kept is None else ready.kept.size
    return fold_numbers(splits, n) if is_partition(splits, n) else None


def _solve_exactly(rotated: Rotated, wish: Wish, which: str) -> Selection:
    """λ from degrees of freedom, a radius or a fraction of length; the rules' curves are kept beside it."""
    value = per_target(getattr(wish, which), rotated.targets, which)
    if which == "target_df":
        alpha = np.array([alpha_for_df(rotated, df) for df in value])
    elif which == "radius":
        alpha = alpha_for_radius(rotated, value)
    else:
        alpha = alpha_for_fraction(rotated, value)
    beside = select(rotated, "gcv", others=True)
    return replace(
        beside,
        rule=which,
        alpha=alpha,
        score=np.full(alpha.size, np.nan),
        edge="zero" if np.any(alpha == 0) else "infinity" if np.any(np.isinf(alpha)) else "",
        sentence=f"λ = {_listed(alpha)} gives {which.replace('_', ' ')} = {_listed(value)}, solved for exactly.",
    )


def _listed(values: np.ndarray) -> str:
    """The numbers in order, each once where all are the same, the first three where there are many."""
    some = values[:1] if np.all(values == values[0]) else values[:3]
    more = ", …" if some.size not in (1, values.size) else ""
    return ", ".join(f"{v:.6g}" for v in some) + more


def row_results(fit: Fit, alphas: np.ndarray, targets: np.ndarray, predictions: bool) -> np.ndarray:
    """(n, t, L) leave-one-out predictions, or weighted squared errors, of every row at every λ."""
    assert fit.rotated is not None
    assert fit.problem is not None
    n, t = targets.shape
    kept = np.ones(n, dtype=bool) if fit.kept is None else fit.kept
    out = np.zeros((n, t, alphas.size))
    w = 1.0 if fit.problem.weights is None else fit.problem.weights[:, None]
    for i, alpha in enumerate(alphas):
        left_out = loo_residuals(fit.rotated, np.array([alpha]))
        out[kept, :, i] = targets[kept] - left_out if predictions else w * left_out**2
    return out


def best_score(fit: Fit, wish: Wish) -> Any:
    """Minus the deciding rule's score at the chosen λ; leave-one-out as scikit-learn scales it, Σwe²/n."""
    assert fit.selection is not None
    score = -np.asarray(fit.selection.score, dtype=float)
    score = np.where(np.isinf(score), np.nan, score)  # no strength could be scored
    if fit.selection.rule == "loo" and wish.scoring is None and fit.rotated is not None:
        n = fit.rotated.spectrum.shape[0] if fit.kept is None else fit.kept.size
        score = score * (fit.rotated.spectrum.weight / n)
    return score if wish.several and score.size > 1 else float(score[0])
