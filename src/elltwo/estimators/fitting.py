"""From a checked Problem to a Fit: factor, choose, shrink, and guard the digits. Every face ends here."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from elltwo.errors import AccuracyWarning, InputError, UsageError
from elltwo.factoring import choose as route
from elltwo.factoring import factor
from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.shrinking import shrink
from elltwo.shrinking.bounded import solve_nonnegative
from elltwo.shrinking.certify import certify
from elltwo.shrinking.matrixfree import Iterated, solve_cg, solve_cholesky, solve_lsqr
from elltwo.shrinking.polish import polish

SPARSE_LIMIT = 5000  # min(n, p) of a sparse design beyond which its Gram or kernel matrix is not formed
SPARSE_TOL = 1e-10  # what conjugate gradients aim at when nobody asked for a tolerance

Chooser = Callable[[Rotated], Selection]


@dataclass(frozen=True)
class Fit:
    """What every face keeps.

    Attributes
    ----------
    solution : coefficients at the chosen λ.
    solver : what was run: svd, gram, dual, cholesky, sparse_cg, lsqr, nnls or lbfgs.
    n_iter : (t,) iterations of an iterative solver, else None.
    rotated : the spectrum met by the targets; None after an iterative, bounded or Cholesky solve.
    selection : how λ was chosen; None where it was given.
    problem : the data, by reference; None once a model has been pickled.
    kept : (n,) mask of the rows with positive weight, or None for all.
    given : (L,) λ that were chosen among, or None: a grid from the spectrum.
    spread : (p,) standard deviations of the columns, where moments are all there is.
    """

    solution: Solution
    solver: str
    n_iter: np.ndarray | None = None
    rotated: Rotated | None = None
    selection: Selection | None = None
    problem: Problem | None = field(default=None, repr=False)
    kept: np.ndarray | None = field(default=None, repr=False)
    given: np.ndarray | None = None
    spread: np.ndarray | None = None


@dataclass(frozen=True)
class Iteration:
    """What an iterative solver may be told: relative tolerance and most iterations (None: its default)."""

    tol: float = 1e-4
    max_iter: int | None = None


def fit_given(problem: Problem, alpha: np.ndarray, solver: str, positive: bool, how: Iteration) -> Fit:
    """Fit at given λ (t,) with a solver by scikit-learn's name; the Fit says which one was run.

    | asked | run |
    |---|---|
    | auto, sag, saga | svd, gram or dual by shape; conjugate gradients for a large sparse design |
    | svd | a thin SVD |
    | cholesky | a Cholesky factor of the Gram or kernel matrix; an SVD if that is singular |
    | sparse_cg, lsqr | conjugate gradients, LSQR |
    | any of auto, lbfgs with ``positive`` | nnls on the p × p triangle (auto); L-BFGS-B (lbfgs) |
    """
    problem, kept = without_zero_weights(problem)
    if positive:
        method = "lbfgs" if solver == "lbfgs" else "auto"
        done = solve_nonnegative(problem, alpha, how.tol, how.max_iter, method)
        return _iterated(done, "nnls" if done.n_iter is None else "lbfgs", problem, kept, how)
    if solver == "cholesky":
        try:
            return _iterated(solve_cholesky(problem, alpha), "cholesky", problem, kept, how)
        except np.linalg.LinAlgError:  # singular: an SVD gives the shortest solution
            return fit_chosen(problem, kept, alpha, method="auto" if sparse.issparse(problem.A) else "svd")
    if solver == "lsqr":
        done = solve_lsqr(problem, alpha, how.tol, how.max_iter)
        return _iterated(done, solver, problem, kept, how)
    large = too_large(problem.A) and problem.penalty.operator is None
    if solver == "sparse_cg" or (solver != "svd" and large):
        tol = how.tol if solver == "sparse_cg" else min(how.tol, SPARSE_TOL)
        done = solve_cg(problem, alpha, tol, how.max_iter)
        return replace(_iterated(done, "sparse_cg", problem, kept, how), n_iter=None)
    return fit_chosen(problem, kept, alpha, method="svd" if solver == "svd" else "auto")


def fit_chosen(
    problem: Problem,
    kept: np.ndarray | None,
    alpha: np.ndarray | None = None,
    choose: Chooser | None = None,
    method: str = "auto",
    rotated: Rotated | None = None,
    noise: float | None = None,
) -> Fit:
    """Factor, choose λ (or take ``alpha``), shrink; refine, or factor again, where digits are short.

    ``choose`` maps a Rotated to a Selection and is asked again after a second factorization.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        rotated = factor(problem, method) if rotated is None else rotated
    _refuse_overflow(rotated)
    rotated = replace(rotated, noise=noise)
    selection = choose(rotated) if choose is not None else None
    solution = certify(problem, rotated, _alpha(alpha, selection))
    if solution is None and sparse.issparse(problem.A):
        solution = shrink(rotated, _alpha(alpha, selection))
        _warn_digits(solution)
    elif solution is None:
        rotated = _again(problem, rotated)
        selection = choose(rotated) if choose is not None else None
        solution = polish(problem, rotated, shrink(rotated, _alpha(alpha, selection)))
    return Fit(solution, rotated.spectrum.origin.method, None, rotated, selection, problem, kept)


def _alpha(alpha: np.ndarray | None, selection: Selection | None) -> np.ndarray:
    if selection is not None:
        return selection.alpha
    if alpha is None:
        raise UsageError("a strength is needed: pass alpha, or a rule that chooses one")
    return alpha


def _again(problem: Problem, rotated: Rotated) -> Rotated:
    """Factor with an SVD, and say why."""
    first = rotated.spectrum.origin.method
    again = factor(problem, "svd")
    reason = f"the {first} route kept too few digits at this strength, and refinement did not contract"
    origin = replace(again.spectrum.origin, reason=reason)
    return replace(again, spectrum=replace(again.spectrum, origin=origin), noise=rotated.noise)


def goes_by_moments(problem: Problem, method: str = "auto") -> bool:
    """Will every row be read into a Gram matrix before anything else is computed?"""
    every = problem.weights is None or bool(np.all(problem.weights > 0))
    return every and route(problem.A, problem.penalty, method).method == "gram"


def too_large(A: Any) -> bool:
    """Is a sparse design too large for the Gram or kernel matrix of its smaller side?"""
    return sparse.issparse(A) and min(A.shape) > SPARSE_LIMIT


def without_zero_weights(problem: Problem) -> tuple[Problem, np.ndarray | None]:
    """Leave rows of weight 0 out, so that counts of rows mean what they say; (problem, mask or None)."""
    w = problem.weights
    if w is None or np.all(w > 0):
        return problem, None
    kept = w > 0
    return replace(problem, A=problem.A[kept], b=problem.b[kept], weights=w[kept]), kept


def _iterated(done: Iterated, solver: str, problem: Problem, kept: np.ndarray | None, how: Iteration) -> Fit:
    if not done.reached:
        count = "some" if done.n_iter is None else int(np.max(done.n_iter))
        name = "lbfgs solver" if solver == "lbfgs" else solver
        warnings.warn(
            f"{name} did not converge after {count} iterations: raise max_iter or tol "
            f"(now max_iter={how.max_iter}, tol={how.tol}), or use solver='auto', which is exact",
            ConvergenceWarning,
            stacklevel=4,
        )
    return Fit(done.solution, solver, done.n_iter, problem=problem, kept=kept)


def _warn_digits(solution: Solution) -> None:
    warnings.warn(
        f"about {solution.digits:.0f} digits of the coefficients are correct at this strength, and a sparse "
        "design is not made dense for an SVD: raise alpha, or pass X.toarray()",
        AccuracyWarning,
        stacklevel=4,
    )


def _refuse_overflow(rotated: Rotated) -> None:
    if not (np.all(np.isfinite(rotated.spectrum.s)) and np.all(np.isfinite(rotated.z))):
        raise InputError("numbers in X or y are so large that their products overflow: divide them first")
