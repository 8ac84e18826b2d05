"""Nonnegative coefficients: minimise Σᵢ wᵢ (bᵢ − g − aᵢᵀx)² + λ‖Dx‖² subject to x ≥ 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg, optimize

from elltwo.errors import UsageError
from elltwo.facts.problem import Problem
from elltwo.shrinking.matrixfree import Centred, Iterated, centred_design, finish
from elltwo.tables.moments.dense import about, choose_shift, design_moments

FEW_COLUMNS = 500  # up to here an active-set method on a p × p triangle is exact and quick


def solve_nonnegative(
    problem: Problem, alpha: np.ndarray, tol: float, max_iter: int | None, method: str = "auto"
) -> Iterated:
    """Solve with x ≥ 0, by SciPy.

    ``"nnls"`` (Lawson & Hanson, Solving Least Squares Problems, 1974, ch. 23) is exact and used for up to
    FEW_COLUMNS columns; ``"lbfgs"`` is L-BFGS-B (Byrd, Lu, Nocedal & Zhu, SIAM J. Sci. Comput. 16 (1995)
    1190) on the rows themselves, stopped by the projected gradient.

    Raises
    ------
    UsageError : a prior mean or a penalty matrix is asked for together with bounds.
    """
    if problem.penalty.x0 is not None:
        raise UsageError("positive=True cannot be combined with prior_mean: drop one of the two")
    c = centred_design(problem)
    if method == "auto" and c.mean.size <= FEW_COLUMNS:
        try:
            moved = _nnls(problem, c, alpha)
            return Iterated(finish(problem, c, alpha, moved, 15.0), None)
        except (np.linalg.LinAlgError, RuntimeError):  # singular at λ = 0, or cycling: iterate instead
            pass
    return _lbfgs(problem, c, alpha, tol, max_iter)


def _nnls(problem: Problem, c: Centred, alpha: np.ndarray) -> np.ndarray:
    """On the triangle R of G + λD² = RᵀR, ‖Rx − R⁻ᵀAᵀb‖ has the same minimiser and p rows instead of n."""
    [m] = design_moments(problem.A, problem.b, problem.weights, shift=choose_shift(problem.A))
    zeros = np.zeros_like(m.shift_x), np.zeros_like(m.shift_y)
    m = about(m, *((m.mean_x, m.mean_y) if problem.intercept else zeros))
    moved = np.empty_like(m.xy)
    for j, value in enumerate(alpha):
        R = linalg.cholesky(m.xx + np.diag(value * c.scale**2), check_finite=False)
        right = linalg.solve_triangular(R, m.xy[:, j], trans="T", check_finite=False)
        moved[:, j] = optimize.nnls(R, right)[0]
    return moved


def _lbfgs(problem: Problem, c: Centred, alpha: np.ndarray, tol: float, max_iter: int | None) -> Iterated:
    results = [_lbfgs_target(c, j, float(alpha[j]), tol, max_iter) for j in range(c.b.shape[1])]
    moved = np.column_stack([r.x for r in results])
    counts = np.array([r.nit for r in results], dtype=np.int32)
    digits = -np.log10(max(tol, 1e-16))
    return Iterated(finish(problem, c, alpha, moved, digits), counts, all(r.success for r in results))


def _lbfgs_target(c: Centred, j: int, alpha: float, tol: float, max_iter: int | None) -> Any:
    def half_objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        residual = c.multiply(x) - c.b[:, j]
        shrunk = alpha * c.scale**2 * x
        return 0.5 * float(residual @ residual + x @ shrunk), c.transpose(residual) + shrunk

    options = {} if max_iter is None else {"maxiter": max_iter}
    start = np.zeros(c.mean.size)
    return optimize.minimize(
        half_objective,
        start,
        method="L-BFGS-B",
        jac=True,
        tol=tol,
        bounds=[(0, None)] * start.size,
        options=options,
    )
