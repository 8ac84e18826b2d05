"""From a loaded table to everything ``elltwo fit`` says: one straight line through the rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from elltwo.cli.honest import Choice, Errors, Redo, Worth, factored, worth
from elltwo.cli.reading import Loaded
from elltwo.cli.recoding import Recoding
from elltwo.errors import UsageError
from elltwo.facts.finding import Finding
from elltwo.facts.plan import TablePlan
from elltwo.facts.problem import Penalty, Problem
from elltwo.facts.rotated import Fold, Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.tables.moments.gaps import Gaps

if TYPE_CHECKING:
    from elltwo.facts.seen import SeenRows

MOST_INTERVALS = 2000  # columns up to which posterior intervals are computed: their cost grows with p squared
MOST_FOLDED = 5000  # columns over which K-fold curves are not added to those of the rule asked for


@dataclass(frozen=True)
class Asked:
    """What the user wants besides the table."""

    rule: str = "auto"
    alpha: float | None = None
    folds: int = 5
    ordered: bool = False
    one_se: bool = False
    standardize: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        from elltwo.selecting.registry import find_rule

        if self.rule != "auto":
            find_rule(self.rule)

    def rule_for(self, rows: int, columns: int) -> str:
        """The name of the rule for a table in memory: ``auto`` depends on its size, wherever its rows are."""
        from elltwo.selecting.nested import few_numbers
        from elltwo.selecting.registry import find_rule

        if self.rule != "auto":
            return find_rule(self.rule).name
        return "loo" if few_numbers(rows, columns) else "kfold"


@dataclass(frozen=True)
class Fitted:
    """All facts of a fit.

    Attributes
    ----------
    loaded, asked : the table and the wishes.
    rows, weight : rows used and the sum of their weights.
    sd_y : (t,) population standard deviation of each target.
    rotated, selection, solution : the shared objects; selection is None when λ was given.
    folded : spectra of the training folds, or None.
    plain : the solution at λ = 0.
    means, scales : (p,) of the features.
    lower, upper : (p, t) ends of 95 % posterior intervals, or None where there are too many columns.
    parts : number of folds of the honest error.
    worth : errors, strengths and predictions without each fold; None when λ was chosen on the same folds.
    errors : of rows held out of the fit.
    findings : what to beware of.
    looked : rows that a stream's second pass kept, or None.
    """

    loaded: Loaded
    asked: Asked
    rows: int
    weight: float
    sd_y: np.ndarray
    rotated: Rotated
    folded: list[Fold] | None
    selection: Selection | None
    solution: Solution
    plain: Solution
    means: np.ndarray
    scales: np.ndarray
    lower: np.ndarray | None
    upper: np.ndarray | None
    parts: int
    worth: Worth | None
    errors: Errors
    findings: tuple[Finding, ...]
    looked: SeenRows | None = None


def fold_numbers(loaded: Loaded, asked: Asked) -> np.ndarray:
    """(n,) fold of each row: a fold column, groups, runs in order, or at random."""
    n = len(loaded.X)
    if asked.folds < 2:
        raise UsageError(f"--folds must be at least 2, got {asked.folds}")
    folds = loaded.design.fold_ids(min(asked.folds, n), seed=asked.seed, contiguous=asked.ordered)
    if np.unique(folds).size < 2:
        raise UsageError("all rows are in one fold: an honest error needs at least two folds or groups")
    return folds


def outputs_of(plan: TablePlan, count: int) -> tuple[str, ...]:
    """Names of the outputs: the targets, or the class that each positive score means."""
    if plan.task != "classify":
        return tuple(target.name for target in plan.targets)
    return tuple(plan.targets[0].levels[-count:])


def fit(loaded: Loaded, asked: Asked) -> Fitted:
    """Factor once, choose λ, and measure what the choice is worth."""
    from elltwo.diagnosing import diagnose_targets
    from elltwo.shrinking.path import shrink

    assert loaded.y is not None
    problem = Problem(loaded.X, loaded.y, loaded.weights, True, Penalty(standardize=asked.standardize))
    folds = fold_numbers(loaded, asked)
    choice = Choice(asked.rule_for(*loaded.X.shape), asked.alpha, asked.one_se)
    redo = _redo(loaded, problem, folds)
    rotated, folded = _factor(problem, folds, choice, redo)
    selection = _select(rotated, folded, choice, folds)
    solution = _solve(problem, rotated, choice, selection)
    worth_of = worth(problem, folds, choice, keep_predictions=loaded.labels is not None, redo=redo)
    means, scales = _spread(loaded.X, loaded.weights)
    lower, upper = intervals(rotated, solution)
    plan = loaded.plan
    outputs = outputs_of(plan, loaded.y.shape[1])
    weight = len(folds) if loaded.weights is None else loaded.weights.sum()
    return Fitted(
        loaded=loaded, asked=asked, rows=len(folds), weight=float(weight), sd_y=_spread(loaded.y, loaded.weights)[1],
        rotated=rotated, folded=folded, selection=selection,
        solution=solution, plain=shrink(rotated, 0.0), means=means, scales=scales, lower=lower, upper=upper,
        parts=np.unique(folds).size, worth=worth_of, errors=worth_of.errors,
        findings=diagnose_targets(rotated, solution, selection, plan.feature_names, outputs, loaded.design.rows + 1),
    )  # fmt: skip


def _redo(loaded: Loaded, problem: Problem, folds: np.ndarray) -> Redo:
    """What every training fold does again: put in its own means, or follow the recipe."""
    if loaded.resident is None:
        return Gaps.of_plan(loaded.plan)
    return Recoding(loaded.resident, problem, np.unique(folds, return_inverse=True)[1])


def _factor(
    problem: Problem, folds: np.ndarray, choice: Choice, redo: Redo
) -> tuple[Rotated, list[Fold] | None]:
    """With fold spectra where they are asked for or cost little: their curve is worth showing."""
    from elltwo.factoring.choose import factor
    from elltwo.factoring.folds import factor_with_folds

    if choice.alpha is None and problem.A.shape[1] <= MOST_FOLDED:
        if isinstance(redo, Recoding):
            return factor(problem), redo.folds()
        return factor_with_folds(problem, folds, gaps=redo)
    return factored(problem, folds, choice, redo)


def _select(
    rotated: Rotated, folded: list[Fold] | None, choice: Choice, folds: np.ndarray
) -> Selection | None:
    from elltwo.selecting import RULES, select

    if choice.alpha is not None:
        return None
    others = tuple(RULES) if folded is not None else True
    return select(
        rotated, choice.rule, folds=folded, one_se=choice.one_se, others=others, folds_of_rows=folds
    )


def _solve(problem: Problem, rotated: Rotated, choice: Choice, selection: Selection | None) -> Solution:
    """The solution at the chosen λ, refined on the rows where the factorization lost digits."""
    from elltwo.shrinking.certify import certify
    from elltwo.shrinking.path import shrink

    alpha = np.full(rotated.targets, choice.alpha) if selection is None else selection.alpha
    return certify(problem, rotated, alpha) or shrink(rotated, alpha)


def _spread(columns: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Weighted means and population standard deviations of columns."""
    means = np.average(columns, axis=0, weights=weights)
    return means, np.sqrt(np.average((columns - means) ** 2, axis=0, weights=weights))


def intervals(rotated: Rotated, solution: Solution) -> tuple[np.ndarray | None, np.ndarray | None]:
    """95 % posterior intervals under the Gaussian prior that λ stands for; sampling intervals at λ = 0.

    The estimate ± a quantile of Student's t with n − df degrees of freedom times the standard deviation.
    """
    from scipy.special import stdtrit

    from elltwo.shrinking.inference import posterior_spread, sampling_spread

    few = rotated.spectrum.shape[1] <= MOST_INTERVALS
    if not few or not np.all(np.isfinite(solution.sigma2) & np.isfinite(solution.alpha)):
        return None, None
    spread = posterior_spread if np.all(solution.alpha > 0) else sampling_spread
    left = np.maximum(rotated.spectrum.shape[0] - solution.df, 1.0)
    half = stdtrit(left, 0.975) * spread(rotated, solution.alpha, solution.sigma2).coef
    return solution.coef - half, solution.coef + half
