"""Problems whose answers are known before any solver runs, and the brute force that judges all solvers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from elltwo.facts.problem import Penalty, Problem

IDENTITY = Penalty()


@dataclass(frozen=True)
class Answer:
    """Coefficients (p, t) and intercept (t,) of one refit."""

    coef: np.ndarray
    intercept: np.ndarray


def random_problem(
    seed=0, n=40, p=6, t=2, weights=True, intercept=True, penalty=IDENTITY, offset=3.0
) -> Problem:
    """A random design away from zero, with random weights and a target that depends on the first column."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, p)) + offset
    b = rng.normal(size=(n, t)) + A[:, :1]
    w = rng.uniform(0.5, 2.0, n) if weights else None
    return Problem(A, b, w, intercept, penalty)


def known_spectrum(s, n=30, seed=0):
    """A = U diag(s) Vᵀ with random orthonormal U (n, k) ⟂ 1 and V (k, k): its singular values are s."""
    rng = np.random.default_rng(seed)
    s = np.asarray(s, dtype=float)
    raw = np.column_stack([np.ones(n), rng.normal(size=(n, s.size))])
    U = np.linalg.qr(raw)[0][:, 1:]
    V = np.linalg.qr(rng.normal(size=(s.size, s.size)))[0]
    return U * s @ V.T, U, V


def penalties(p: int, seed=0) -> dict[str, Penalty]:
    """One of each kind of penalty on p columns."""
    rng = np.random.default_rng(seed)
    return {
        "identity": Penalty(),
        "standardized": Penalty(standardize=True),
        "two free columns": Penalty(scale=np.r_[0.0, 0.0, rng.uniform(1, 2, p - 2)]),
        "strength per column": Penalty(scale=rng.uniform(0.5, 2, p)),
        "first differences": Penalty(operator=np.diff(np.eye(p), axis=0)),
        "prior mean": Penalty(x0=np.ones(p), standardize=True),
    }


def deviations(problem: Problem) -> np.ndarray:
    """Weighted population standard deviations of the columns (about zero without an intercept)."""
    w = np.ones(len(problem.b)) if problem.weights is None else problem.weights
    centre = np.average(problem.A, axis=0, weights=w) if problem.intercept else 0.0
    return np.sqrt(np.average((problem.A - centre) ** 2, axis=0, weights=w))


def full_operator(problem: Problem) -> np.ndarray:
    """L as one matrix, standardization included."""
    L = np.eye(problem.A.shape[1])
    if problem.penalty.standardize:
        L = L * deviations(problem)
    if problem.penalty.scale is not None:
        L = L * problem.penalty.scale
    return L if problem.penalty.operator is None else problem.penalty.operator @ L


def refit(problem: Problem, alpha: float, L: np.ndarray | None = None) -> Answer:
    """Brute force: least squares of the stacked system [√W [A 1]; √λ [L 0]]."""
    A, b = problem.A, problem.b
    n, p = A.shape
    w = np.ones(n) if problem.weights is None else problem.weights
    L = full_operator(problem) if L is None else L
    x0 = np.zeros(p) if problem.penalty.x0 is None else problem.penalty.x0
    x0 = x0.reshape(p, -1)
    design = np.column_stack([A, np.ones(n)]) if problem.intercept else A
    below = np.column_stack([L, np.zeros(len(L))]) if problem.intercept else L
    M = np.vstack([np.sqrt(w)[:, None] * design, np.sqrt(alpha) * below])
    right = np.vstack([np.sqrt(w)[:, None] * (b - A @ x0), np.zeros((len(L), b.shape[1]))])
    answer = np.linalg.lstsq(M, right, rcond=None)[0]
    return Answer(answer[:p] + x0, answer[p] if problem.intercept else np.zeros(b.shape[1]))


def rows_of(problem: Problem, keep: np.ndarray) -> Problem:
    """The same problem on some of its rows."""
    w = None if problem.weights is None else problem.weights[keep]
    return replace(problem, A=problem.A[keep], b=problem.b[keep], weights=w)


def held_out(problem: Problem, folds: np.ndarray, alpha: float, L: np.ndarray | None = None) -> np.ndarray:
    """(t,) weighted mean squared error of refits that never saw the rows they predict."""
    w = np.ones(len(problem.b)) if problem.weights is None else problem.weights
    total = np.zeros(problem.b.shape[1])
    for fold in np.unique(folds):
        out = folds == fold
        a = refit(rows_of(problem, ~out), alpha, L)
        error = problem.b[out] - problem.A[out] @ a.coef - a.intercept
        total += (w[out, None] * error**2).sum(axis=0)
    return total / w.sum()
